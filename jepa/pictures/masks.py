"""Masks over the patches of examples: what is seen, what is to be predicted, and how often each patch is either."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.canvas import Canvas
from jepa.pictures.style import BLUE, GRAY, TARGETS, WIDEST, WIDTH, new_figure, note, over_grid, rows

Flags = NDArray[np.bool_]


def plot_masks(canvas: Canvas, images: NDArray[Any], contexts: Flags, targets: Flags) -> Figure:
    """Draw one row an example: with its targets outlined, what each context keeps of it, and each target.

    images (m, *shape): the first m of n examples. contexts (E, n, N), targets (M, n, N): which patches each keeps.
    Below, the share of all n examples in which each patch is in a context, and in which it is in some target.
    """
    names = [*_names("context", len(contexts)), *_names("target", len(targets) * (not canvas.wide))]
    colors = [BLUE] * len(contexts) + list(TARGETS[: len(targets)])
    columns = 1 + len(names)
    side = min(WIDTH / columns, WIDEST * (2.2 if canvas.wide else 1)) * canvas.ratio  # inches; high images, high figure
    heights = [len(images) * (side + (0.4 if canvas.wide else 0.24)) + 0.4, 1.6 if len(canvas.grid) == 1 else 2.9]
    figure = new_figure(sum(heights))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    for n, (first, *others) in enumerate(rows(above, len(images), ("targets outlined", *names))):
        canvas.show(first, images[n])
        kept_by = [*contexts[:, n], *targets[:, n]]
        for k in reversed(range(len(contexts), len(kept_by))):  # the first one last, on top
            canvas.draw.mark(first, canvas.samples(kept_by[k]), colors[k])
        if len(targets) > 1:
            _number(canvas, first, targets[:, n])
        for axes, color, kept in zip(others, colors, kept_by, strict=False):
            samples = canvas.samples(kept)
            canvas.show(axes, images[n], color, kept=samples)
            canvas.draw.mark(axes, samples, color)
            note(axes, f"{np.count_nonzero(kept)} of {kept.size} patches")
    for axes, name, maps in zip(below.subplots(1, 2), ("a context", "a target"), (contexts, targets), strict=True):
        title = f"How often each patch is in {name}, {maps.shape[1]:,} examples"
        _draw_coverage(axes, coverage(maps).reshape(canvas.grid), title)
    return figure


def coverage(maps: Flags) -> NDArray[np.float64]:
    """Return the share of examples in which each patch is in some mask, (N,), of maps (M, n, N).

    >>> coverage(np.array([[[True, False], [True, False]], [[True, False], [False, True]]]))
    array([1. , 0.5])
    """
    return np.asarray(maps.any(axis=0).mean(axis=0))


def _names(name: str, count: int) -> list[str]:
    return [f"{name} {k + 1}" for k in range(count)] if count > 1 else [name] * count


def _number(canvas: Canvas, axes: Axes, targets: Flags) -> None:
    """Write the number of each target in its first patch; targets that begin in one patch share a place."""
    numbers: dict[int, list[int]] = {}
    for k, kept in enumerate(targets):
        if kept.any():
            numbers.setdefault(int(np.argmax(kept)), []).append(k)
    for patch, found in numbers.items():
        place = canvas.samples(np.arange(targets.shape[1]) == patch)
        canvas.draw.write(axes, place, ", ".join(str(k + 1) for k in found), TARGETS[found[0]])


def _draw_coverage(axes: Axes, share: NDArray[np.float64], title: str) -> None:
    picture = over_grid(axes, share, share.ndim, cmap="viridis", vmin=0, vmax=max(float(share.max()), 1e-9))
    axes.set_title(title, fontsize=10)
    mean, least, most = 100 * share.mean(), 100 * share.min(), 100 * share.max()
    axes.set_xlabel(f"mean {mean:.0f} %, least {least:.0f} %, most {most:.0f} %", fontsize=9, color=GRAY)
    assert axes.figure is not None
    bar = axes.figure.colorbar(picture, ax=axes, format=lambda value, _: f"{100 * value:.0f} %")
    bar.ax.tick_params(labelsize=8)
