"""Where a vision transformer looks: head by head, block by block, and through all blocks."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jepa.visualisation.style import VERMILION, new_figure, panels, show_image

__all__ = ["plot_attention", "plot_attention_blocks"]

Array = NDArray[Any]


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
    first, query = int(class_token), _query(grid, class_token)
    titles = (_asked(class_token), *(f"head {h + 1}" for h in range(attention.shape[1])), "rollout")
    figure, axes = panels(len(images), titles)
    for n, row in enumerate(axes):
        _show_query(row[0], images[n], grid, class_token)
        for axis, weights in zip(row[1:], [*attention[n, :, query, first:], rollout[n, query, first:]], strict=True):
            _show_weights(axis, weights, grid)
    return figure


def plot_attention_blocks(
    image: Array, attention: Array, grid: tuple[int, int], *, class_token: bool = False
) -> Figure:
    """Where the patch in the middle of one image looks, a row for each block and a column for each head.

    Parameters
    ----------
    image : float array (C, H, W) in [0, 1]
    attention : float array (blocks, heads, N, N)
    grid : (rows, columns)
    class_token : bool
        The first token is no patch; it is the one that is asked, then.
    """
    blocks, heads = attention.shape[:2]
    first, query = int(class_token), _query(grid, class_token)
    side = min(6.8 / heads, 1.4)  # inches of a panel
    across = heads * (side + 0.15) + 0.3
    figure = new_figure(max(blocks * (side + 0.24) + 0.5, 2.6), width=2.0 + across)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[2.0, across])[0]
    _show_query(left.subplots(), image, grid, class_token, _asked(class_token))
    axes = right.subplots(blocks, heads, squeeze=False)
    for k, row in enumerate(axes):
        row[0].set_ylabel(f"block {k + 1}", fontsize=9)
        for h, axis in enumerate(row):
            _show_weights(axis, attention[k, h, query, first:], grid)
            if k == 0:
                axis.set_title(f"head {h + 1}", fontsize=9)
    return figure


def _query(grid: tuple[int, int], class_token: bool) -> int:
    """Return the token that is asked: the class token, or the patch in the middle."""
    return 0 if class_token else grid[0] // 2 * grid[1] + grid[1] // 2


def _asked(class_token: bool) -> str:
    return f"{'the class token' if class_token else 'the marked patch'}\nis asked"


def _show_query(axis: Axes, image: Array, grid: tuple[int, int], class_token: bool, title: str = "") -> None:
    """Draw an image with a frame around the patch that is asked."""
    show_image(axis, image, title or axis.get_title())
    if not class_token:
        height, width = image.shape[1] / grid[0], image.shape[2] / grid[1]
        corner = grid[1] // 2 * width, grid[0] // 2 * height
        axis.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=3.4))
        axis.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=VERMILION, linewidth=2))


def _show_weights(axis: Axes, weights: Array, grid: tuple[int, int]) -> None:
    """Draw how much each patch gets, from nothing to the highest share of this panel, which stands below it."""
    axis.imshow(weights.reshape(grid), cmap="viridis", vmin=0, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel(f"highest {100 * weights.max():.0f} %", fontsize=8)
