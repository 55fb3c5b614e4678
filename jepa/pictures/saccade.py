"""Pictures of saccades: where the two views lie in the image, and the second one as seen from the first."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures import image
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.style import BLUE, VERMILION, sheet
from jepa.pictures.views import answered, loader, some
from jepa.runs.run import Run
from jepa.transforms.pose import moved

Array = NDArray[Any]
DRAWN = 5  # examples of which each has a row


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out images.

    - `drawn`: the batch, its source images and where its views lie (`jepa.tasks.saccade.Drawn`);
    - `prediction`, `target_embedding` (n, d): of the second view.
    """
    run.model.eval()
    batches = loader(run, "val")
    x, generators = batches.inputs(some(batches.source, count))
    drawn = batches.task.at(1.0).draw(x, generators)  # type: ignore[attr-defined]
    (prediction,), (target,) = answered(run, batches.normalized(drawn.batch))
    return {"drawn": drawn, "prediction": prediction[:, 0], "target_embedding": target[:, 0]}


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    return {
        "saccades": plot_saccades(e["drawn"]),
        "similarity": plot_similarity(e["prediction"], e["target_embedding"]),
    }


def plot_saccades(drawn: Any) -> Figure:
    """Draw one row an image: it with the outlines of both views, the first with that of the second, the second."""
    batch, (down, across) = drawn.batch, drawn.sides
    seen, true, told = batch.seen[:DRAWN], batch.true[:DRAWN, 0], batch.asked.pose[:DRAWN]
    height, width = seen.shape[2:]
    titles = "image", "first view, seen by\nthe context encoder", "second view, to be\npredicted"
    figure, axes = sheet(len(seen), titles)
    for n, (whole, first, second) in enumerate(axes):
        image.show(whole, drawn.images[n])
        high, wide = drawn.images.shape[2:]
        for poses, color, line in zip(drawn.poses, (BLUE, VERMILION), ("--", "-"), strict=True):
            corners = moved(poses[n : n + 1], _corners(across, down))[0] + [wide / 2, high / 2]
            _outline(whole, corners, color, line)
        whole.set(xlim=(0, wide), ylim=(high, 0))
        image.show(first, seen[n], BLUE)
        pose = told[n : n + 1] * [1, min(height, width), min(height, width)]
        corners = moved(pose, _corners(width, height))[0] + [width / 2, height / 2]
        _outline(first, corners, VERMILION, "-")
        arrow = {"arrowstyle": "->", "color": VERMILION, "linewidth": 1.6}
        first.annotate("", corners[:4].mean(axis=0), (width / 2, height / 2), arrowprops=arrow)
        first.set(xlim=(-0.5 * width, 1.5 * width), ylim=(1.5 * height, -0.5 * height))
        first.set_xlabel(in_words(told[n]), fontsize=8)
        image.show(second, true[n], VERMILION)
    return figure


def in_words(pose: NDArray[Any]) -> str:
    """Say a pose (3,) in words.

    >>> in_words(np.array([np.pi / 6, -0.25, 0.1]))
    'told: turned by +30°, 25 % left, 10 % down'
    """
    angle, x, y = math.degrees(pose[0]), round(100 * float(pose[1])), round(100 * float(pose[2]))
    sides = [f"{abs(x)} % {'right' if x > 0 else 'left'}", f"{abs(y)} % {'down' if y > 0 else 'up'}"]
    return f"told: turned by {angle:+.0f}°, {', '.join(sides)}"


def _corners(width: float, height: float) -> Array:
    """Return the corners of a window from its center, and the first again: (1, 5, 2)."""
    x, y = width / 2, height / 2
    return np.array([[[-x, -y], [x, -y], [x, y], [-x, y], [-x, -y]]])


def _outline(axes: Axes, corners: Array, color: str, line: str) -> None:
    """Draw the edge of a window with white under it, and a mark where its top is."""
    for ink, width, style in (("white", 3.4, "-"), (color, 1.8, line)):
        axes.plot(*corners.T, style, color=ink, linewidth=width)
    axes.plot(*corners[:2].mean(axis=0), marker="o", color=color, markeredgecolor="white", markersize=5)
