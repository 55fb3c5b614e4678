"""Pictures of a masked model: what is predicted behind its masks, features as colours, neighbours of a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.visualisation.projection import pca
from jepa.visualisation.style import BLUE, GREEN, VERMILION, new_figure, panels, show_image

__all__ = ["plot_features", "plot_levels", "plot_neighbours", "plot_predictions"]

Array = NDArray[Any]
FADED = 0.8  # how far towards white what is not seen goes


def plot_predictions(
    images: Array, seen: Array, hidden: Array, decoded_target: Array, decoded_prediction: Array, grid: tuple[int, int]
) -> Figure:
    """Each row is an image: as it is, what the context encoder sees, what true and predicted tokens say of the rest.

    Parameters
    ----------
    images, decoded_target, decoded_prediction : float arrays (n, C, H, W) in [0, 1]
        The last two hold at the hidden patches alone.
    seen, hidden : bool arrays (n, N)
        Which patches are the context, and which are targets.
    grid : (rows, columns)
    """
    titles = (
        "image",
        "seen by the\ncontext encoder",
        "hidden patches, from\ntrue tokens",
        "hidden patches,\npredicted",
    )
    figure, axes = panels(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], images[n])
        _show(row[1], _faded(images[n], seen[n], grid), BLUE)
        for axis, decoded, colour in ((row[2], decoded_target, GREEN), (row[3], decoded_prediction, VERMILION)):
            where = _pixels(hidden[n], grid, images.shape[2:])
            shown = np.where(where, decoded[n], _faded(images[n], seen[n], grid))
            _show(axis, shown, colour)
            _say_error(axis, decoded[n], images[n], where)
    return figure


def plot_levels(images: Array, levels: Sequence[Mapping[str, Array]]) -> Figure:
    """What true and predicted tokens say of hidden groups of patches: two columns for each coarser level of H-JEPA.

    Parameters
    ----------
    images : float array (n, C, H, W) in [0, 1]
    levels : sequence of mappings
        From 2 x 2 patches on: ``hidden`` bool (n, H, W), the pixels of the groups that are predicted; ``true`` and
        ``predicted`` float (n, C, H, W), which hold there alone.
    """
    sides = [2**level for level in range(1, len(levels) + 1)]
    titles = ("image", *(f"{k} x {k} patches,\n{which}" for k in sides for which in ("from true tokens", "predicted")))
    figure, axes = panels(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], images[n])
        shown = [(level, which) for level in levels for which in ("true", "predicted")]
        for axis, (level, which) in zip(row[1:], shown, strict=True):
            where, decoded = level["hidden"][n], level[which][n]
            _show(axis, np.where(where, decoded, _pale(images[n])), GREEN if which == "true" else VERMILION)
            _say_error(axis, decoded, images[n], where)
    return figure


def plot_features(images: Array, tokens: Array, grid: tuple[int, int]) -> Figure:
    """Images, and their tokens' first three principal components as red, green and blue.

    Parameters
    ----------
    images : float array (n, C, H, W) in [0, 1]
    tokens : float array (n, N, d)
        The components are those of all tokens shown together, so that one colour means one thing; each runs from its
        2nd to its 98th percentile.
    grid : (rows, columns)
    """
    n, count, d = tokens.shape
    coordinates, explained = pca(tokens.reshape(n * count, d), 3)
    low, high = np.percentile(coordinates, [2, 98], axis=0)
    colours = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1).reshape(n, *grid, 3)
    figure = new_figure(2.5 * -(-n // 8) + 0.5)
    rows = -(-n // 8)
    axes = figure.subplots(2 * rows, min(n, 8), squeeze=False)
    for axis in axes.reshape(-1):
        axis.axis("off")
    for k in range(n):
        above, below = axes[2 * (k // 8), k % 8], axes[2 * (k // 8) + 1, k % 8]
        above.axis("on")
        show_image(above, images[k])
        below.axis("on")
        show_image(below, colours[k].transpose(2, 0, 1))
    red, green, blue = (f"{100 * value:.0f} %" for value in explained)
    text = f"tokens by their principal components: red {red} of the variance, green {green}, blue {blue}"
    figure.suptitle(text, fontsize=10)
    return figure


def plot_neighbours(images: Array, hidden: Array, neighbours: Array, cosines: Array, grid: tuple[int, int]) -> Figure:
    """What a prediction is taken for: the training images whose hidden patches are nearest to the predicted ones.

    Parameters
    ----------
    images : float array (n, C, H, W) in [0, 1]
    hidden : bool array (n, N)
        The patches that are predicted.
    neighbours : float array (n, k, C, H, W) in [0, 1]
    cosines : float array (n, k)
    grid : (rows, columns)
    """
    titles = ("image (pale: the\npredicted patches)", *(f"nearest {k + 1}" for k in range(neighbours.shape[1])))
    figure, axes = panels(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], _faded(images[n], ~hidden[n], grid), BLUE)
        for k, axis in enumerate(row[1:]):
            _show(axis, neighbours[n, k], VERMILION)
            axis.set_xlabel(f"cosine {cosines[n, k]:.2f}", fontsize=9)
    return figure


def _show(axis: Axes, image: Array, colour: str | None = None) -> None:
    show_image(axis, image, axis.get_title(), colour=colour)


def _pixels(patches: Array, grid: tuple[int, int], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) belong to the patches (N,)."""
    flags = patches.reshape(grid).astype(bool)
    return flags.repeat(size[0] // grid[0], axis=0).repeat(size[1] // grid[1], axis=1)


def _faded(image: Array, kept: Array, grid: tuple[int, int]) -> Array:
    """Return an image whose other patches have gone to white."""
    return np.where(_pixels(kept, grid, image.shape[1:]), image, _pale(image))


def _pale(image: Array) -> Array:
    return (1 - FADED) * image + FADED


def _say_error(axis: Axes, decoded: Array, image: Array, where: Array) -> None:
    """Write below a picture (C, H, W) how far its pixels `where` (H, W) are off, in % of the range of the pixels."""
    error = 100 * float(np.abs(decoded - image)[:, where].mean()) if where.any() else 0.0
    axis.set_xlabel(f"error {error:.1f} %", fontsize=9)
