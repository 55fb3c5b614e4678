"""Pictures of examples of two arrays: one array, what belongs to it, and what is found for it among all examples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.evaluation.retrieval import alike, answers, distinct
from jepa.health import unit
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.style import BLUE, GREEN, VERMILION, drawing, sheet
from jepa.pictures.views import some
from jepa.runs.run import Run

Floats = NDArray[np.float32]
DRAWN = 5  # examples of which each has a row
NEAREST = 4  # that are shown of what is found
FOUND = 512  # held-out examples that are looked through, at most


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model finds among held-out examples.

    - `drawn`: the two arrays of all that are looked through, by name, as the source has them;
    - `same` (2, n): equal numbers say that an array is the same (`jepa.evaluation.retrieval.alike`);
    - `found`: by way (array that predicts, array that is predicted) the nearest targets of the first examples, (m, k);
    - `prediction`, `target_embedding` (count, d), of the first way.
    """
    source = run.source("val")
    drawn: Any = source.read(some(source, FOUND))
    told = answers(run, run.model, source.normalize(drawn))
    found, same = {}, np.stack([alike(part) for part in drawn.values()])
    for way, (prediction, target) in told.items():
        once = distinct(same[list(drawn).index(way[1])])
        cosines = unit(prediction[:DRAWN]) @ unit(target[once]).T
        found[way] = once[np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]]
    prediction, target = next(iter(told.values()))
    return {
        **{"drawn": drawn, "same": same, "found": found},
        **{"prediction": prediction[:count], "target_embedding": target[:count]},
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    sides: Any = run.source("val")
    draw = {name: drawing(side) for name, side in sides.sides.items()}
    drawn = {
        f"retrieval-{a}-{b}": plot_found((draw[a], draw[b]), (e["drawn"][a], e["drawn"][b]), places, e["same"])
        for (a, b), places in e["found"].items()
    }
    return drawn | {"similarity": plot_similarity(e["prediction"], e["target_embedding"])}


def plot_found(draw: tuple[Any, Any], arrays: tuple[Floats, Floats], found: Any, same: Any) -> Figure:
    """Draw one row an example: the array that predicts, what belongs to it, and what is found, nearest first.

    draw: the modules that draw the two arrays; found (m, k): the places of what is found, of the first m examples. What
    is found has a green frame where it belongs to the example, an orange one where it does not.
    """
    names = ["asked with", "belongs to it", *(f"found: number {k + 1}" for k in range(found.shape[1]))]
    ratio = max(module.ratio(x.shape[1:]) for module, x in zip(draw, arrays, strict=True))
    figure, axes = sheet(len(found), names, ratio)
    for n, row in enumerate(axes):
        draw[0].show(row[0], arrays[0][n], BLUE)
        draw[1].show(row[1], arrays[1][n], BLUE)
        for axis, k in zip(row[2:], found[n], strict=True):
            right = bool((same[:, k] == same[:, n]).any())
            draw[1].show(axis, arrays[1][k], GREEN if right else VERMILION)
    return figure
