"""Pictures of what comes next: the frames that are seen, those that follow, and what was predicted of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.contracts import Batch
from jepa.evaluation.decoder import ridge
from jepa.evaluation.patches import cut, paste
from jepa.files.mark import read_object
from jepa.pictures import detection
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.places import Canvas, canvas
from jepa.pictures.style import BLUE, GREEN, VERMILION, sheet
from jepa.pictures.views import answered, loader, some
from jepa.runs.run import Run

Floats = NDArray[np.float32]
BANK = 600  # training examples that the decoder learns from
DRAWN = 3  # examples of which each has some rows
AHEAD = 7  # frames ahead, at most


class Answers(NamedTuple):
    """Examples, and the tokens of the places behind their past."""

    clips: Floats
    """(n, *shape), as the source has them"""
    prediction: Floats
    """(n, K, d): of all steps, one behind the other"""
    target: Floats
    """(n, K, d)"""
    places: NDArray[np.int64]
    """(K,): which places these are"""


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out examples: of their first frames, and of those that follow.

    It is asked as many steps as the examples have, at most 7, of which it may have learned fewer. A linear decoder, the
    map from a true token to the samples of its patch that is best on training examples, shows what is in a token.

    - `clips` (n, *shape); `hidden` bool (*lengths), what is predicted; `true` and `predicted` (n, *shape), decoded;
    - `prediction`, `target_embedding` (n, d): of the first place of the first step;
    - `found`: what `jepa.pictures.detection.examples` has, where the source knows where things are;
    - `detection`: what the evaluation has of it, if there is one.
    """
    run.model.eval()
    bank, held = _answers(run, "train", BANK), _answers(run, "val", count)
    place = canvas(run.source("val"), run.model.context.encoder.grid)
    at = place.at()
    decode = ridge(bank.target.reshape(-1, bank.target.shape[2]), _rows(cut(bank.clips, at)[:, bank.places]))
    flags = np.isin(np.arange(int(np.prod(place.grid))), held.places)
    sides = {}
    for name, tokens in (("true", held.target), ("predicted", held.prediction)):
        patches = cut(held.clips, at)
        patches[:, held.places] = decode(_rows(tokens)).reshape(*tokens.shape[:2], -1)
        sides[name] = paste(patches, at, held.clips.shape[2:])
    drawn = sides | {"clips": held.clips, "hidden": place.samples(flags)}
    told = detection.examples(run, held.clips[:DRAWN]) if "detection" in run.parts.source.measures else {}
    return {
        **drawn,
        "prediction": held.prediction[:, 0],
        "target_embedding": held.target[:, 0],
        "found": told,
        "detection": _measured(run),
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    place = canvas(run.source("val"), run.model.context.encoder.grid)
    drawn = {"forecast": (plot_strips if len(place.shape) == 4 else plot_rows)(place, e)}
    if e["found"]:
        drawn["detections"] = detection.plot_detections(place, e["found"])
    if e["detection"].get("ap"):
        drawn["horizons"] = detection.plot_horizons(e["detection"])
    return drawn | {"similarity": plot_similarity(e["prediction"], e["target_embedding"])}


def plot_strips(place: Canvas, e: Mapping[str, Any]) -> Figure:
    """Draw of each clip its frames, and below them what true and predicted tokens say of those that are not seen."""
    ahead = e["hidden"].any(axis=(1, 2))  # (f,)
    first = int(np.argmax(ahead))
    shown = np.arange(max(first - 2, 0), first + int(ahead.sum()))
    titles = ["seen" if t < first else f"{t - first + 1} ahead" for t in shown]
    figure, axes = sheet(3 * DRAWN, titles)
    sides = (("clips", "frame", None), ("true", "true\ntokens", GREEN), ("predicted", "predicted", VERMILION))
    for row, panels in enumerate(axes):
        name, text, color = sides[row % 3]
        panels[0].set_ylabel(text, fontsize=8)
        for panel, t in zip(panels, shown, strict=True):
            if t >= first or name == "clips":
                edge = BLUE if t < first else color
                place.draw.show(panel, np.clip(e[name][row // 3][:, t], 0, 1), edge)
            else:
                panel.set(frame_on=False)
    return figure


def plot_rows(place: Canvas, e: Mapping[str, Any]) -> Figure:
    """Draw one row an example: as it is, and what true and predicted tokens say of its end."""
    figure, axes = sheet(DRAWN, ("example", "the end, from\ntrue tokens", "the end,\npredicted"), place.ratio)
    for n, (first, *others) in enumerate(axes):
        place.draw.show(first, e["clips"][n], BLUE, kept=~e["hidden"])
        for axis, name, color in zip(others, ("true", "predicted"), (GREEN, VERMILION), strict=True):
            place.compare(axis, e["clips"][n], e["hidden"], e[name][n], ~e["hidden"], color)
    return figure


def _rows(x: Floats) -> Floats:
    return x.reshape(-1, x.shape[-1])


def _answers(run: Run, split: str, count: int) -> Answers:
    """Return the tokens of the places behind the past of some examples, predicted and true."""
    batches, grid = loader(run, split), run.model.context.encoder.grid
    clips, _ = batches.inputs(some(batches.source, count))
    past = run.task.settings.past
    steps = min(AHEAD, grid[0] - past)
    entries = clips.shape[2] if past + steps == grid[0] else clips.shape[2] // grid[0] * (past + steps)
    x = clips[:, :, :entries]
    keep, asked = run.task.question(len(x), grid, steps)
    sides = answered(run, batches.normalized(Batch(x, keep, x[:, None], asked)))
    prediction, target = (np.concatenate(side, axis=1) for side in sides)
    return Answers(clips, prediction, target, asked.index[0].reshape(-1))


def _measured(run: Run) -> dict[str, Any]:
    """Return what the evaluation says of detection; {} if there is none."""
    try:
        found: dict[str, Any] = read_object(run.folder / "evaluation.json").get("detection", {}) if run.folder else {}
    except (OSError, ValueError):
        return {}
    return found
