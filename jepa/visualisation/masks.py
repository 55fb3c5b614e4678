"""Masks over the patches of images: what is seen, what is to be predicted, and how often each patch is either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.visualisation.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    new_figure,
    show_image,
)

__all__ = ["coverage", "outline", "plot_masks"]

_TARGETS = (VERMILION, ORANGE, GREEN, PURPLE, SKY)
_FAINT, _GROUND = 0.12, 0.8  # how much is left of a patch that does not count, on what grey: bright images stay clear
_WIDEST = 2.0  # inches of a picture
_LABEL = 0.24  # inches below a picture, for its number of patches


class _Masks(Protocol):
    @property
    def context(self) -> Sequence[NDArray[Any]]: ...
    @property
    def target(self) -> Sequence[NDArray[Any]]: ...
    @property
    def context_valid(self) -> Sequence[NDArray[Any]] | None: ...
    @property
    def target_valid(self) -> Sequence[NDArray[Any]] | None: ...


def plot_masks(
    images: NDArray[Any], masks: _Masks, grid: tuple[int, int], *, rows: int = 4, show_coverage: bool = False
) -> Figure:
    """One row an image: the image with its targets outlined, what each context keeps of it, and each target.

    Parameters
    ----------
    images : float array (B, C, H, W) in [0, 1]
        The images that the masks were drawn for, or the first of them.
    masks : `jepa.masks.Masks`
        Contexts and targets of a batch; padding is not shown.
    grid : (rows, columns)
        Patches of an image.
    rows : int
        Images that are shown, at most.
    show_coverage : bool
        Add a last row: the share of all images of the batch, also those not shown, in which each patch is in the
        context, and in which it is in some target.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If there are more images than masks, or a mask names a patch that is not on the grid.
    """
    contexts = _maps(masks.context, masks.context_valid, grid)  # (E, B, rows, columns)
    targets = _maps(masks.target, masks.target_valid, grid)  # (M, B, rows, columns)
    if len(images) > contexts.shape[1]:
        raise DataError(f"there are {len(images)} images and masks for {contexts.shape[1]}: give the masks of all")
    shown = min(rows, len(images))
    names = [*_names("context", len(contexts)), *_names("target", len(targets))]
    colours = [BLUE] * len(contexts) + [_TARGETS[k % 5] for k in range(len(targets))]
    columns = 1 + len(names)
    side = min(WIDTH / columns, _WIDEST) * images.shape[2] / images.shape[3]  # inches; high images, high figure
    heights = [shown * (side + _LABEL) + 0.3] + [2.9] * show_coverage
    figure = new_figure(sum(heights), width=WIDTH if show_coverage else min(WIDTH, _WIDEST * columns))
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    panels = parts[0].subplots(shown, columns, squeeze=False)
    for n in range(shown):
        kept_by = [*contexts[:, n], *targets[:, n]]
        show_image(panels[n, 0], images[n], "targets outlined" if n == 0 else "")
        for k in reversed(range(len(contexts), len(kept_by))):  # the first one last, on top
            _draw_outline(panels[n, 0], kept_by[k], images.shape[2:], colours[k])
        if len(targets) > 1:
            _number(panels[n, 0], targets[:, n], images.shape[2:])
        for k, (name, colour, kept) in enumerate(zip(names, colours, kept_by, strict=True)):
            axes = panels[n, 1 + k]
            show_image(axes, _faded(images[n], kept), name if n == 0 else "", colour=colour)
            _draw_outline(axes, kept, images.shape[2:], colour)
            axes.set_xlabel(f"{np.count_nonzero(kept)} of {kept.size} patches", fontsize=8, color=GREY, labelpad=3)
    if show_coverage:
        for axes, name, maps in zip(
            parts[1].subplots(1, 2), ("a context", "a target"), (contexts, targets), strict=True
        ):
            _draw_coverage(axes, coverage(maps), f"How often each patch is in {name}, {maps.shape[1]:,} images")
    return figure


def coverage(maps: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of images in which each patch is in some mask, (rows, columns), of maps (M, B, rows, columns).

    >>> coverage(np.array([[[[True, False]], [[True, False]]], [[[True, False]], [[False, True]]]]))
    array([[1. , 0.5]])
    """
    return np.asarray(maps.any(axis=0).mean(axis=0))


def outline(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the edges (S, 2, 2) between patches that are kept and others, each from (x, y) to (x, y), in patches.

    >>> outline(np.array([[True]])).tolist()
    [[[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]]
    """
    padded = np.pad(kept, 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])  # horizontal ones: above row y, along column x
    flat = np.stack([np.stack([x, y], -1), np.stack([x + 1, y], -1)], 1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])  # upright ones: left of column x, along row y
    upright = np.stack([np.stack([x, y], -1), np.stack([x, y + 1], -1)], 1)
    return np.concatenate([flat, upright]).astype(np.float64)


def _names(name: str, count: int) -> list[str]:
    return [f"{name} {k + 1}" for k in range(count)] if count > 1 else [name]


def _maps(
    masks: Sequence[NDArray[Any]], valid: Sequence[NDArray[Any]] | None, grid: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which patches each mask keeps, (M, B, rows, columns)."""
    maps = np.zeros((len(masks), len(masks[0]), grid[0] * grid[1]), bool)
    for k, mask in enumerate(masks):
        image, place = np.nonzero(np.ones(mask.shape, bool) if valid is None else valid[k])
        patch = mask[image, place]
        if len(patch) and not 0 <= patch.min() <= patch.max() < maps.shape[2]:
            raise DataError(f"a mask names patch {patch.max()}, and a grid of {grid[0]} x {grid[1]} has none such")
        maps[k, image, patch] = True
    return maps.reshape(*maps.shape[:2], *grid)


def _faded(image: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """An image (C, H, W) whose patches are almost grey, except those that are kept."""
    height, width = image.shape[1:]
    rows = np.arange(height) * kept.shape[0] // height  # the patch that a pixel lies in
    columns = np.arange(width) * kept.shape[1] // width
    return np.where(kept[rows][:, columns], image, _FAINT * image + (1 - _FAINT) * _GROUND)


def _draw_outline(axes: Axes, kept: NDArray[np.bool_], size: tuple[int, ...], colour: str) -> None:
    """The edge of the patches that are kept, with white under it, so that it shows on every ground."""
    edges = list(outline(kept) * _patch(kept, size))
    for ink, line in (("white", 3.4), (colour, 1.8)):
        axes.add_collection(LineCollection(edges, colors=ink, linewidths=line, capstyle="round", clip_on=False))


def _number(axes: Axes, targets: NDArray[np.bool_], size: tuple[int, ...]) -> None:
    """The number of each target in its first patch; targets that begin in one patch share a place."""
    numbers: dict[int, list[int]] = {}
    for k, kept in enumerate(targets):
        if kept.any():
            numbers.setdefault(int(np.argmax(kept)), []).append(k)
    for patch, found in numbers.items():
        row, column = divmod(patch, targets.shape[2])
        x, y = (np.array([column, row]) + 0.5) * _patch(targets[0], size)
        box = {"facecolor": _TARGETS[found[0] % 5], "edgecolor": "white", "pad": 1.0, "linewidth": 0.6}
        text = ", ".join(str(k + 1) for k in found)
        axes.text(float(x), float(y), text, fontsize=7, color="white", ha="center", va="center", bbox=box)


def _patch(kept: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.float64]:
    """Width and height of a patch, in pixels."""
    return np.array([size[1] / kept.shape[1], size[0] / kept.shape[0]])


def _draw_coverage(axes: Axes, share: NDArray[np.float64], title: str) -> None:
    picture = axes.imshow(share, cmap="viridis", vmin=0, vmax=max(float(share.max()), 1e-9), interpolation="nearest")
    axes.set_title(title, fontsize=10)
    mean, least, most = 100 * share.mean(), 100 * share.min(), 100 * share.max()
    axes.set_xlabel(f"mean {mean:.0f} %, least {least:.0f} %, most {most:.0f} %", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    assert axes.figure is not None
    bar = axes.figure.colorbar(picture, ax=axes, format=lambda value, _: f"{100 * value:.0f} %")
    bar.ax.tick_params(labelsize=8)
