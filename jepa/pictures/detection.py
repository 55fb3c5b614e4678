"""Pictures of where things are found in codes: on the frames, and average precision over the horizon."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jepa.evaluation.detection import HORIZONS, ROWS, cells, codes, fit_head, predicted
from jepa.pictures.places import Canvas
from jepa.pictures.style import BLUE, GRAY, GREEN, ORANGE, VERMILION, describe, legend, new_figure, sheet
from jepa.runs.run import Run

Floats = NDArray[np.floating[Any]]
LEARNED = 800  # training clips that the head of the picture learns from
LOOKS = {
    "jepa": (VERMILION, "-", "o"),
    "true": (GREEN, "--", "s"),
    "velocity": (BLUE, "-", "^"),
    "persistence": (ORANGE, "-", "v"),
    "random": (GRAY, "-", "D"),
}
"""color, line and marker of the rows that are drawn"""


def examples(run: Run, clips: NDArray[np.float32]) -> dict[str, Any]:
    """Return clips (n, *shape), and scores of the cells in predicted frames, (n, steps, rows, columns), with `past`.

    The head of the evaluation is trained anew, on fewer clips. {} for an encoder without places in each frame.
    """
    grid, source = run.model.context.encoder.grid, run.source("train")
    if len(grid) != 3:
        return {}
    told: Any = source
    unit, size, few = clips.shape[2] // grid[0], clips.shape[3], np.arange(min(LEARNED, len(source)))
    truth = cells(told.positions[few][:, unit - 1 : unit * grid[0] : unit], size, grid[1:])
    head = fit_head(codes(run.model, source.normalize(source.read(few)), grid), truth, run.device)
    past = run.task.settings.past
    steps = min(HORIZONS, grid[0] - past)
    scores = head(predicted(run, run.model, source.normalize(clips), steps))
    return {"clips": clips, "scores": scores, "past": past, "unit": unit, "things": told.positions.shape[2]}


def plot_detections(place: Canvas, e: Mapping[str, Any]) -> Figure:
    """Draw of each clip the frames that are not seen, and the cells where predicted codes say that things are."""
    steps, past, unit = e["scores"].shape[1], e["past"], e["unit"]
    titles = ["last seen", *(f"{k + 1} ahead" for k in range(steps))]
    figure, axes = sheet(len(e["clips"]), titles)
    for clip, scores, panels in zip(e["clips"], e["scores"], axes, strict=True):
        height, width = clip.shape[2] / scores.shape[1], clip.shape[3] / scores.shape[2]
        for k, panel in enumerate(panels):
            place.draw.show(panel, clip[:, unit * (past + k) - 1], BLUE if k == 0 else None)
            if not k:
                continue
            for cell in np.argsort(-scores[k - 1].reshape(-1))[: e["things"]]:
                row, column = divmod(int(cell), scores.shape[2])
                look: dict[str, Any] = {"fill": False, "edgecolor": VERMILION, "linewidth": 1.8}
                panel.add_patch(Rectangle((column * width, row * height), width, height, **look))
    return figure


def plot_horizons(found: Mapping[str, Any]) -> Figure:
    """Draw average precision over the horizon, of the codes and of what one knows without them."""
    figure = new_figure(4.0)
    axes = figure.subplots()
    steps = np.arange(1, len(found["ap"]["jepa"]) + 1)
    for row, (color, line, marker) in LOOKS.items():
        if row in found["ap"]:
            axes.plot(steps, found["ap"][row], line, color=color, marker=marker, label=ROWS[row])
    axes.axhline(found["share"], color=GRAY, linewidth=1, linestyle=":", label="guessing")
    describe(axes, "Finding things in predicted codes", x="frames ahead", y="average precision")
    axes.set_ylim(0, 1.02)
    axes.set_xticks(steps)
    legend(axes, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
