"""Pictures of a masked model: masks and what is predicted behind them, attention, features as colours, neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jepa.visualisation.projection import pca
from jepa.visualisation.style import BLUE, GREEN, VERMILION, new_figure, show_image

__all__ = ["plot_attention", "plot_features", "plot_neighbours", "plot_predictions"]

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
    figure, axes = _rows(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], images[n])
        _show(row[1], _faded(images[n], seen[n], grid), BLUE)
        for axis, decoded, colour in ((row[2], decoded_target, GREEN), (row[3], decoded_prediction, VERMILION)):
            where = _pixels(hidden[n], grid, images.shape[2:])
            shown = np.where(where, decoded[n], _faded(images[n], seen[n], grid))
            error = 100 * float(np.abs(decoded[n] - images[n])[:, where].mean()) if where.any() else 0.0
            _show(axis, shown, colour)
            axis.set_xlabel(f"error {error:.1f} %", fontsize=9)
    return figure


def plot_attention(
    images: Array, attention: Array, rollout: Array, grid: tuple[int, int], *, class_token: bool = False
) -> Figure:
    """Where the patch in the middle of each image looks, head by head, and where all that is in it comes from.

    Parameters
    ----------
    images : float array (n, C, H, W) in [0, 1]
    attention : float array (n, heads, N, N)
        Of the last block.
    rollout : float array (n, N, N)
        Through all blocks (`jepa.evaluation.attention.rollout`).
    grid : (rows, columns)
    class_token : bool
        The first token is no patch; it is the one that is asked, then.
    """
    heads, first = attention.shape[1], int(class_token)
    query = 0 if class_token else grid[0] // 2 * grid[1] + grid[1] // 2
    asked = "the class token" if class_token else "the marked patch"
    titles = (f"{asked}\nis asked", *(f"head {h + 1}" for h in range(heads)), "rollout")
    figure, axes = _rows(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], images[n])
        height, width = images.shape[2] / grid[0], images.shape[3] / grid[1]
        if not class_token:
            corner = query % grid[1] * width, query // grid[1] * height
            row[0].add_patch(Rectangle(corner, width, height, fill=False, edgecolor=VERMILION, linewidth=2))
        for axis, weights in zip(row[1:], [*attention[n, :, query, first:], rollout[n, query, first:]], strict=True):
            axis.imshow(weights.reshape(grid), cmap="viridis", vmin=0, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(f"highest {100 * weights.max():.0f} %", fontsize=8)
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
    titles = ("image (not seen: the\nfaded patches)", *(f"nearest {k + 1}" for k in range(neighbours.shape[1])))
    figure, axes = _rows(len(images), titles)
    for n, row in enumerate(axes):
        _show(row[0], _faded(images[n], ~hidden[n], grid), BLUE)
        for k, axis in enumerate(row[1:]):
            _show(axis, neighbours[n, k], VERMILION)
            axis.set_xlabel(f"cosine {cosines[n, k]:.2f}", fontsize=9)
    return figure


def _rows(count: int, titles: tuple[str, ...]) -> tuple[Figure, NDArray[Any]]:
    side = min(9.0 / len(titles), 2.0)
    figure = new_figure(count * (side + 0.25) + 0.5, width=max(side * len(titles), 6.0))
    axes = figure.subplots(count, len(titles), squeeze=False)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.reshape(-1):
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def _show(axis: Axes, image: Array, colour: str | None = None) -> None:
    show_image(axis, image, axis.get_title(), colour=colour)


def _pixels(patches: Array, grid: tuple[int, int], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) belong to the patches (N,)."""
    flags = patches.reshape(grid).astype(bool)
    return flags.repeat(size[0] // grid[0], axis=0).repeat(size[1] // grid[1], axis=1)


def _faded(image: Array, kept: Array, grid: tuple[int, int]) -> Array:
    """Return an image whose other patches have gone to white."""
    return np.where(_pixels(kept, grid, image.shape[1:]), image, (1 - FADED) * image + FADED)
