"""Pictures over the places of an encoder's grid: masks, predictions behind them, attention, features, neighbors."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.contracts import Flags, Grid, Source
from jepa.errors import DataError
from jepa.evaluation.patches import Starts, spread, starts
from jepa.pictures.embedding import pca
from jepa.pictures.style import (
    BLUE,
    GRAY,
    GREEN,
    TARGETS,
    VERMILION,
    WIDEST,
    WIDTH,
    drawing,
    new_figure,
    note,
    over_grid,
    rows,
    sheet,
)  # fmt: skip
from jepa.sources.base import Source as Examples

Array = NDArray[Any]


class Canvas(NamedTuple):
    """A source's module of pictures (see `jepa.pictures.image`), and a grid over its examples."""

    draw: Any
    """the module"""
    shape: tuple[int, ...]
    """of an example"""
    grid: Grid
    """places along each axis"""
    symbols: bool = False
    """whether its numbers are tokens, which are right or wrong"""

    @property
    def ratio(self) -> float:
        """Height of a picture over its width."""
        return float(self.draw.ratio(self.shape))

    @property
    def wide(self) -> bool:
        """Whether a picture is so much wider than high that few fit side by side."""
        return self.ratio < 0.45

    def at(self, group: int = 1) -> Starts:
        """Return where the places begin, or groups of so many along each axis."""
        return starts(self.shape[1:], self.grid, group)

    def samples(self, flags: Array) -> Flags:
        """Return which samples lie in the places that are flagged: (..., N) -> (..., *lengths)."""
        return spread(flags, self.at(), self.shape[1:])

    def compare(self, axes: Axes, x: Array, where: Flags, values: Array, kept: Flags | None, color: str) -> None:
        """Draw an example with other values where samples are flagged, and write how far off those are.

        The error is the mean of |value - sample|, in % of the range that pixels have, or that the example has; of
        tokens it is said how many are right.
        """
        self.draw.show(axes, x, color, kept=np.zeros_like(where) if kept is None else kept, instead=(where, values))
        if self.symbols:
            right = int(np.sum((np.rint(values) == x)[:, where]))
            return note(axes, f"{right} of {np.count_nonzero(where)} right")
        span = 1.0 if 0 <= x.min() and x.max() <= 1 else max(float(np.ptp(x)), 1e-12)
        error = float(np.abs(values - x)[:, where].mean()) / span if where.any() else 0.0
        note(axes, f"error {100 * error:.1f} %")


def canvas(source: Source, grid: Grid) -> Canvas:
    """Return the canvas of a source and an encoder's grid; DataError if that is over other axes than an example's."""
    if isinstance(source.shape, Mapping) or len(grid) != len(source.shape) - 1:
        raise DataError(
            f"examples of {source.shape} have other axes than the encoder's grid of {grid}: places cannot be drawn"
        )
    symbols = isinstance(source, Examples) and source.symbols is not None
    return Canvas(drawing(source), source.shape, grid, symbols)


def plot_masks(canvas: Canvas, images: Array, contexts: Flags, targets: Flags) -> Figure:
    """Draw one row an example: with its targets outlined, what each context keeps of it, and each target.

    images (m, *shape): the first m of n examples. contexts (E, n, N), targets (M, n, N): which patches each keeps.
    Below, the share of all n examples in which each patch is in a context, and in which it is in some target.
    """
    sides = ("context", len(contexts)), ("target", len(targets) * (not canvas.wide))
    names = [f"{name} {k + 1}" if count > 1 else name for name, count in sides for k in range(count)]
    colors = [BLUE] * len(contexts) + list(TARGETS[: len(targets)])
    side = min(WIDTH / (1 + len(names)), WIDEST * (2.2 if canvas.wide else 1)) * canvas.ratio  # inches
    heights = [len(images) * (side + (0.4 if canvas.wide else 0.24)) + 0.4, 1.6 if len(canvas.grid) == 1 else 2.9]
    figure = new_figure(sum(heights))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    for n, (first, *others) in enumerate(rows(above, len(images), ("targets outlined", *names))):
        canvas.draw.show(first, images[n])
        kept_by = [*contexts[:, n], *targets[:, n]]
        for k in reversed(range(len(contexts), len(kept_by))):  # the first one last, on top
            canvas.draw.mark(first, canvas.samples(kept_by[k]), colors[k])
        if len(targets) > 1:
            _number(canvas, first, targets[:, n])
        for axes, color, kept in zip(others, colors, kept_by, strict=False):
            samples = canvas.samples(kept)
            canvas.draw.show(axes, images[n], color, kept=samples)
            canvas.draw.mark(axes, samples, color)
            note(axes, f"{np.count_nonzero(kept)} of {kept.size} patches")
    for axes, name, maps in zip(below.subplots(1, 2), ("a context", "a target"), (contexts, targets), strict=True):
        axes.set_title(f"How often each patch is in {name}, {maps.shape[1]:,} examples", fontsize=10)
        _draw_coverage(axes, coverage(maps).reshape(canvas.grid))
    return figure


def coverage(maps: Flags) -> NDArray[np.float64]:
    """Return the share of examples in which each patch is in some mask, (N,), of maps (M, n, N).

    >>> coverage(np.array([[[True, False], [True, False]], [[True, False], [False, True]]]))
    array([1. , 0.5])
    """
    return np.asarray(maps.any(axis=0).mean(axis=0))


def _number(canvas: Canvas, axes: Axes, targets: Flags) -> None:
    """Write the number of each target in its first patch; targets that begin in one patch share a place."""
    numbers: dict[int, list[int]] = {}
    for k, kept in enumerate(targets):
        if kept.any():
            numbers.setdefault(int(np.argmax(kept)), []).append(k)
    for patch, found in numbers.items():
        place = canvas.samples(np.arange(targets.shape[1]) == patch)
        canvas.draw.write(axes, place, ", ".join(str(k + 1) for k in found), TARGETS[found[0]])


def _draw_coverage(axes: Axes, share: NDArray[np.float64]) -> None:
    picture = over_grid(axes, share, share.ndim, cmap="viridis", vmin=0, vmax=max(float(share.max()), 1e-9))
    mean, least, most = 100 * share.mean(), 100 * share.min(), 100 * share.max()
    axes.set_xlabel(f"mean {mean:.0f} %, least {least:.0f} %, most {most:.0f} %", fontsize=9, color=GRAY)
    assert axes.figure is not None
    bar = axes.figure.colorbar(picture, ax=axes, format=lambda value, _: f"{100 * value:.0f} %")
    bar.ax.tick_params(labelsize=8)


def plot_predictions(
    canvas: Canvas, images: Array, levels: Sequence[Mapping[str, Array]], seen: Array | None = None
) -> Figure:
    """Draw one row an example: as it is, what is seen of it, and what true and predicted tokens say of the rest.

    images (n, *shape). levels: of each, "name", such as "hidden"; "hidden" bool (n, *lengths), the samples that are
    predicted; "true" and "predicted" (n, *shape), decoded, which hold there alone. seen bool (n, N): the patches of the
    context; None: that is not drawn.
    """
    sides = ("true", " from\ntrue tokens", GREEN), ("predicted", "\npredicted", VERMILION)
    drawn = [(level, *side) for level in levels for side in sides]
    first = ("example",) if seen is None else ("example", "seen by the\ncontext encoder")
    titles = (*first, *(f"{level['name']} patches,{text}" for level, _, text, _ in drawn))
    figure, axes = sheet(len(images), titles, canvas.ratio)
    for n, row in enumerate(axes):
        kept = None if seen is None else canvas.samples(seen[n])
        canvas.draw.show(row[0], images[n])
        if kept is not None:
            canvas.draw.show(row[1], images[n], BLUE, kept=kept)
        for axis, (level, which, _, color) in zip(row[len(first) :], drawn, strict=True):
            canvas.compare(axis, images[n], level["hidden"][n], level[which][n], kept, color)
    return figure


def plot_features(canvas: Canvas, images: Array, tokens: Array) -> Figure:
    """Draw examples (n, *shape), and their tokens' (n, N, d) first three principal components as red, green and blue.

    The components are those of all tokens shown together, so that one color means one thing; each runs from its 2nd to
    its 98th percentile.
    """
    across = min(len(images), 3 if canvas.wide else 8)
    images, tokens, rank = images[: 2 * across], tokens[: 2 * across], len(canvas.grid)
    coordinates, explained = pca(tokens.reshape(-1, tokens.shape[2]), 3)
    low, high = np.percentile(coordinates, [2, 98], axis=0)
    colors = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1).reshape(-1, *canvas.grid, 3)
    heights = [1.0, 0.25 if rank == 1 else 1.0] * -(-len(images) // across)
    figure = new_figure(sum(heights) * WIDTH / across * canvas.ratio * 1.1 + 0.5)
    axes = figure.subplots(len(heights), across, squeeze=False, height_ratios=heights)
    for k in range(len(heights) // 2 * across):
        above, below = (axes[2 * (k // across) + i, k % across] for i in range(2))
        if k < len(images):
            canvas.draw.show(above, images[k])
            over_grid(below, colors[k], rank)
        else:
            above.axis("off")
            below.axis("off")
    red, green, blue = (f"{100 * value:.0f} %" for value in explained)
    text = f"tokens by their principal components: red {red} of the variance, green {green}, blue {blue}"
    figure.suptitle(text, fontsize=10)
    return figure


def plot_neighbors(canvas: Canvas, images: Array, hidden: Array, neighbors: Array, cosines: Array) -> Figure:
    """Draw the training examples whose hidden patches are nearest to the predicted ones: what these are taken for.

    images (n, *shape); hidden bool (n, N): the patches that are predicted; neighbors (n, k, *shape); cosines (n, k).
    """
    shown = range(min(neighbors.shape[1], 3 if canvas.wide else 5))
    titles = ("example (pale: the\npredicted patches)", *(f"nearest {k + 1}" for k in shown))
    figure, axes = sheet(len(images), titles, canvas.ratio)
    for n, row in enumerate(axes):
        canvas.draw.show(row[0], images[n], BLUE, kept=canvas.samples(~hidden[n]))
        for k, axis in zip(shown, row[1:], strict=True):
            canvas.draw.show(axis, neighbors[n, k], VERMILION)
            note(axis, f"cosine {cosines[n, k]:.2f}")
    return figure


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
    (`rollout`). T is N, or more with a class token (and registers) before the patches: it is asked, then.
    """
    asked, heads = _Looking(canvas, attention), range(attention.shape[1])
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
    asked, (blocks, heads) = _Looking(canvas, attention), attention.shape[:2]
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


class _Looking:
    """The token that is asked: the class token, if there is one, or the patch in the middle."""

    def __init__(self, canvas: Canvas, attention: Array) -> None:
        count = int(np.prod(canvas.grid))
        self.canvas, self.first = canvas, attention.shape[-1] - count  # tokens before the patches
        middle = int(np.ravel_multi_index(tuple(length // 2 for length in canvas.grid), canvas.grid))
        self.place, self.token = np.arange(count) == middle, 0 if self.first else middle
        self.name = f"{'the class token' if self.first else 'the marked patch'}\nis asked"

    def show(self, axis: Axes, image: Array) -> None:
        """Draw an example with a frame around the patch that is asked."""
        self.canvas.draw.show(axis, image)
        if not self.first:
            self.canvas.draw.mark(axis, self.canvas.samples(self.place), VERMILION)

    def show_weights(self, axis: Axes, attention: Array) -> None:
        """Draw how much each patch gets, from nothing to the highest share of this panel, which stands below it."""
        grid, weights = self.canvas.grid, attention[self.token, self.first :]
        over_grid(axis, weights.reshape(grid), len(grid), cmap="viridis", vmin=0)
        note(axis, f"highest {100 * weights.max():.0f} %")
