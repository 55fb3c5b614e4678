"""Where an encoder looks: head by head, block by block, and through all blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.canvas import Canvas
from jepa.pictures.style import VERMILION, new_figure, note, over_grid, rows, sheet

Array = NDArray[Any]


def rollout(maps: Sequence[Array]) -> NDArray[np.float64]:
    """Return attention from each token back to the input: A_L ... A_1, A_l = (mean over heads + 1) / 2.

    The residual stream carries half of each token on as it is, the other half is what attention mixes in. maps: of
    each block, from first to last, (n, heads, T, T); row i is what token i looks at. Row i of what is returned,
    (n, T, T): the share of each input token in token i of the last block; rows sum to 1. See Abnar & Zuidema 2020,
    "Quantifying Attention Flow in Transformers", section 3, eq. 1.

    >>> rollout([np.full((1, 2, 2, 2), 0.5)]).tolist()
    [[[0.75, 0.25], [0.25, 0.75]]]
    """
    if not maps:
        raise ValueError("rollout needs the attention of one block at least")
    total = np.eye(maps[0].shape[-1])
    for attention in maps:
        mixed = (np.asarray(attention, np.float64).mean(axis=1) + np.eye(attention.shape[-1])) / 2  # (n, T, T)
        total = mixed / mixed.sum(axis=-1, keepdims=True) @ total
    return total


def plot_attention(canvas: Canvas, images: Array, attention: Array, through: Array) -> Figure:
    """Draw where the patch in the middle of each example looks, head by head, and where all that is in it comes from.

    images (n, *shape); attention (n, heads, T, T), of the last block; through (n, T, T), through all blocks
    (`rollout`). T is N, or N + 1 with a class token before the patches: it is the one that is asked, then.
    """
    asked, heads = _Asked(canvas, attention), range(attention.shape[1])
    figure, axes = sheet(len(images), (asked.name, *(f"head {h + 1}" for h in heads), "rollout"), canvas.ratio)
    for n, row in enumerate(axes):
        asked.show(row[0], images[n])
        for axis, weights in zip(row[1:], [*attention[n], through[n]], strict=True):
            asked.show_weights(axis, weights)
    return figure


def plot_blocks(canvas: Canvas, image: Array, attention: Array) -> Figure:
    """Draw where the same token of one example looks, a row for each block and a column for each head.

    image (*shape); attention (blocks, heads, T, T).
    """
    asked, (blocks, heads) = _Asked(canvas, attention), attention.shape[:2]
    side = min(6.8 / heads, 1.4)  # inches of a panel
    across = heads * (side + 0.15) + 0.3
    height = side * (0.3 if len(canvas.grid) == 1 else 1.0)
    figure = new_figure(max(blocks * (height + 0.24) + 0.5, 2.6), width=2.0 + across)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[2.0, across])[0]
    asked.show(rows(left, 1, (asked.name,))[0, 0], image)
    for k, row in enumerate(rows(right, blocks, [f"head {h + 1}" for h in range(heads)])):
        row[0].set_ylabel(f"block {k + 1}", fontsize=9)
        for axis, weights in zip(row, attention[k], strict=True):
            asked.show_weights(axis, weights)
    return figure


class _Asked:
    """The token that is asked: the class token, if there is one, or the patch in the middle."""

    def __init__(self, canvas: Canvas, attention: Array) -> None:
        count = int(np.prod(canvas.grid))
        self.canvas, self.first = canvas, attention.shape[-1] - count  # tokens before the patches
        middle = int(np.ravel_multi_index(tuple(length // 2 for length in canvas.grid), canvas.grid))
        self.place, self.token = np.arange(count) == middle, 0 if self.first else middle
        self.name = f"{'the class token' if self.first else 'the marked patch'}\nis asked"

    def show(self, axis: Axes, image: Array) -> None:
        """Draw an example with a frame around the patch that is asked."""
        self.canvas.show(axis, image)
        if not self.first:
            self.canvas.draw.mark(axis, self.canvas.samples(self.place), VERMILION)

    def show_weights(self, axis: Axes, attention: Array) -> None:
        """Draw how much each patch gets, from nothing to the highest share of this panel, which stands below it."""
        grid, weights = self.canvas.grid, attention[self.token, self.first :]
        over_grid(axis, weights.reshape(grid), len(grid), cmap="viridis", vmin=0)
        note(axis, f"highest {100 * weights.max():.0f} %")
