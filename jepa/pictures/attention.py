"""Where an encoder looks: head by head, block by block, and through all blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.canvas import Canvas
from jepa.pictures.style import VERMILION, new_figure, note, over_grid

__all__ = ["plot_attention", "plot_blocks", "rollout"]

Array = NDArray[Any]


def rollout(maps: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return attention from each token back to the input: A_L ... A_1, A_l = (mean over heads + 1) / 2.

    The residual stream carries half of each token on as it is, the other half is what attention mixes in. maps: of
    each block, from first to last, (n, heads, N, N); row i is what token i looks at. Row i of what is returned,
    (n, N, N): the share of each input token in token i of the last block; rows sum to 1. See Abnar & Zuidema 2020,
    "Quantifying Attention Flow in Transformers", section 3, eq. 1.

    >>> rollout([np.full((1, 2, 2, 2), 0.5)]).tolist()
    [[[0.75, 0.25], [0.25, 0.75]]]
    """
    total: NDArray[np.float64] | None = None
    for attention in maps:
        mixed = (np.asarray(attention, np.float64).mean(axis=1) + np.eye(attention.shape[-1])) / 2  # (n, N, N)
        mixed /= mixed.sum(axis=-1, keepdims=True)
        total = mixed if total is None else mixed @ total
    if total is None:
        raise ValueError("rollout needs the attention of one block at least")
    return total


def plot_attention(canvas: Canvas, images: Array, attention: Array, through: Array) -> Figure:
    """Draw where the patch in the middle of each example looks, head by head, and where all that is in it comes from.

    images (n, *shape); attention (n, heads, T, T), of the last block; through (n, T, T), through all blocks
    (`rollout`). T is N, or N + 1 with a class token before the patches: it is the one that is asked, then.
    """
    first, query = _query(canvas, attention)
    figure, axes = canvas.sheet(
        len(images), (_asked(first), *(f"head {h + 1}" for h in range(attention.shape[1])), "rollout")
    )
    for n, row in enumerate(axes):
        _show_query(canvas, row[0], images[n], first)
        for axis, weights in zip(row[1:], [*attention[n, :, query, first:], through[n, query, first:]], strict=True):
            _show_weights(canvas, axis, weights)
    return figure


def plot_blocks(canvas: Canvas, image: Array, attention: Array) -> Figure:
    """Draw where the same token of one example looks, a row for each block and a column for each head.

    image (*shape); attention (blocks, heads, T, T).
    """
    blocks, heads = attention.shape[:2]
    first, query = _query(canvas, attention)
    side = min(6.8 / heads, 1.4)  # inches of a panel
    across = heads * (side + 0.15) + 0.3
    height = side * (0.3 if len(canvas.grid) == 1 else 1.0)
    figure = new_figure(max(blocks * (height + 0.24) + 0.5, 2.6), width=2.0 + across)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[2.0, across])[0]
    asked = left.subplots()
    asked.set_title(_asked(first), fontsize=10)
    _show_query(canvas, asked, image, first)
    for k, row in enumerate(right.subplots(blocks, heads, squeeze=False)):
        row[0].set_ylabel(f"block {k + 1}", fontsize=9)
        for h, axis in enumerate(row):
            _show_weights(canvas, axis, attention[k, h, query, first:])
            if k == 0:
                axis.set_title(f"head {h + 1}", fontsize=9)
    return figure


def _query(canvas: Canvas, attention: Array) -> tuple[int, int]:
    """Return how many tokens come before the patches, and the token that is asked: the first, or that in the middle."""
    first = attention.shape[-1] - int(np.prod(canvas.grid))
    return first, 0 if first else _middle(canvas)


def _middle(canvas: Canvas) -> int:
    return int(np.ravel_multi_index(tuple(length // 2 for length in canvas.grid), canvas.grid))


def _asked(first: int) -> str:
    return f"{'the class token' if first else 'the marked patch'}\nis asked"


def _show_query(canvas: Canvas, axis: Axes, image: Array, first: int) -> None:
    """Draw an example with a frame around the patch that is asked."""
    canvas.show(axis, image)
    if not first:
        place = np.arange(int(np.prod(canvas.grid))) == _middle(canvas)
        canvas.draw.mark(axis, canvas.samples(place), VERMILION)


def _show_weights(canvas: Canvas, axis: Axes, weights: Array) -> None:
    """Draw how much each patch gets, from nothing to the highest share of this panel, which stands below it."""
    over_grid(axis, weights.reshape(canvas.grid), len(canvas.grid), cmap="viridis", vmin=0)
    note(axis, f"highest {100 * weights.max():.0f} %")
