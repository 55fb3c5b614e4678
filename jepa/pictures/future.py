"""Pictures of the task of the future: where the parts lie in the series, and which is predicted for which."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.embedding import plot_similarity
from jepa.pictures.line import mark, show, write
from jepa.pictures.style import BLUE, TARGETS, sheet
from jepa.pictures.views import DRAWN, answered, asked, loader, some
from jepa.runs.run import Run

BAR = 0.06  # height of the bar of a later part, as a share of the panel's
Floats = NDArray[np.float32]


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out examples.

    - `series` (n, c, t), as they are, and `starts` (n, 1 + v), where the part that is seen and the later ones begin, in
      samples; `length`, samples of a part;
    - `prediction`, `target_embedding` (n, d): of the first later part.
    """
    run.model.eval()
    batches = loader(run, "val")
    task: Any = batches.task.at(1.0)
    indices = some(batches.source, count)
    series, generators = batches.inputs(indices)
    starts = task.starts(series, generators.examples)
    _, batch = asked(batches, indices)
    predictions, targets = answered(run, batch)
    return {
        "series": series,
        "starts": starts,
        "length": task.length(series.shape[2]),
        "prediction": predictions[0][:, 0],
        "target_embedding": targets[0][:, 0],
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    return {
        "future": plot_future(e["series"][:DRAWN], e["starts"][:DRAWN], e["length"]),
        "similarity": plot_similarity(e["prediction"], e["target_embedding"]),
    }


def plot_future(series: Floats, starts: NDArray[np.int64], length: int) -> Figure:
    """Draw each series (n, c, t) with the part that is seen and the later ones, which begin at starts (n, 1 + v)."""
    figure, axes = sheet(len(series), ("seen, and to be predicted from it",), 0.3)
    for row, x, begins in zip(axes, series, starts, strict=True):
        show(row[0], x)
        flags = np.zeros(x.shape[1], bool)
        flags[begins[0] : begins[0] + length] = True
        mark(row[0], flags, BLUE)
        write(row[0], flags, "seen", BLUE)
        for k, begin in enumerate(begins[1:].tolist()):  # bars above one another: parts may overlap
            top, color = 0.97 - BAR * k, TARGETS[k % len(TARGETS)]
            row[0].axvspan(begin - 0.5, begin + length - 0.5, top - 0.8 * BAR, top, color=color, linewidth=0)
            row[0].text(
                begin + length - 0.3, top - 0.4 * BAR, str(k + 1), color=color, va="center", fontsize=7,
                transform=row[0].get_xaxis_transform(),
            )  # fmt: skip
    return figure
