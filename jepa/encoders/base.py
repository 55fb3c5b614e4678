"""What encoders share: pooling for probes, and hiding what is not kept from those that see whole examples."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Flags, Grid, Keep
from jepa.errors import ConfigError
from jepa.masks.gaps import present
from jepa.parts import chosen
from jepa.text import by_x


def gather(x: mt.Tensor, index: NDArray[np.int64]) -> mt.Tensor:
    """Return the tokens at the places of each context: (n, N, d), index (n, e, K) -> (n e, K, d).

    >>> gather(mt.arange(6.0).reshape(1, 6, 1), np.array([[[4, 0], [5, 5]]]))[:, :, 0]
    Tensor float32 (2, 2): [[4. 0.] [5. 5.]]
    """
    n, count, dim = x.shape
    if index.ndim != 3 or len(index) != n:
        raise ValueError(f"places are indices (n, e, K) for n={n} examples; got {index.shape}")
    if index.size and not 0 <= index.min() <= index.max() < count:
        raise ValueError(f"places are 0 to {count - 1}; got {index.min()} to {index.max()}")
    rows = (index + np.arange(n)[:, None, None] * count).reshape(-1)
    found = mt.index_select(x.reshape(n * count, dim), 0, mt.Tensor(rows, device=x.device))
    return found.reshape(n * index.shape[1], index.shape[2], dim)


def levelled(x: mt.Tensor, there: Flags) -> mt.Tensor:
    """Return tokens of which those that are not there are the mean of the others, so that they change no mean.

    x (n, N, d), there (n, N) -> (n, N, d). Where nothing is there, all are 0.

    >>> levelled(mt.arange(3.0).reshape(1, 3, 1), np.array([[True, False, True]]))[0, :, 0]
    Tensor float32 (3,): [0. 1. 2.]
    """
    if there.all():
        return x
    weight = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    mean = (x * mt.Tensor(weight.astype(np.float32)[:, :, None], device=x.device)).sum(axis=1, keepdims=True)
    found: mt.Tensor = mt.where(mt.Tensor(there[:, :, None], device=x.device), x, mean)
    return found


def hide(x: mt.Tensor, grid: Grid, keep: Keep, side: int | tuple[int, ...] | None = None) -> mt.Tensor:
    """Return examples of which only the kept places are left; all else is 0, the mean of normalized ones.

    Here, in what the encoder sees, and not in what it makes of it: a convolution would have carried what is hidden to
    its neighbors. x (n, c, *lengths), cut into `grid` places along its axes, of `side` entries each (a number for all
    axes, or one of each), the last with what is left over (None: of equal shares) -> (n e, c, *lengths).

    >>> hide(mt.ones((1, 1, 2, 4)), (1, 2), Keep(np.array([[[1]]])))[0, 0]
    Tensor float32 (2, 4): [[0. 0. 1. 1.] [0. 0. 1. 1.]]
    """
    n, contexts, _ = keep.index.shape
    lengths, count = x.shape[2:], int(np.prod(grid))
    seen = np.zeros((n * contexts, count), bool)
    valid = np.ones(keep.index.shape, bool) if keep.valid is None else keep.valid
    row, entry = np.nonzero(valid.reshape(n * contexts, -1))
    seen[row, keep.index.reshape(n * contexts, -1)[row, entry]] = True
    mask = seen.reshape(-1, *grid)
    sides = side if isinstance(side, tuple) else (side,) * len(grid)
    for axis, (length, places, own) in enumerate(zip(lengths, grid, sides, strict=True), start=1):
        entries = np.arange(length)
        place = entries * places // length if own is None else np.minimum(entries // own, places - 1)
        mask = mask.take(place, axis=axis)
    shown = mt.broadcast_to(x[:, None], (n, contexts, *x.shape[1:])).reshape(n * contexts, *x.shape[1:])
    return shown * mt.Tensor(mask[:, None], device=x.device).astype(x.dtype)


def mean_of(tokens: mt.Tensor, there: Flags | None) -> mt.Tensor:
    """Return the mean of the tokens (n, K, d) that are there, (n, K), others being zeros; None: all are."""
    if there is None:
        return tokens.mean(axis=1)
    share = (1 / np.maximum(there.sum(axis=1), 1)).astype(np.float32)
    return tokens.sum(axis=1) * mt.Tensor(share[:, None], device=tokens.device)


def has_gaps(x: mt.Tensor) -> bool:
    """Whether there is NaN in examples. An exported file takes examples without: nothing there is decided by values."""
    values = x.data
    return bool((values != values).any())


def without_gaps(x: mt.Tensor) -> mt.Tensor:
    """Return examples with 0 in place of NaN, the mean of normalized ones."""
    return mt.where(mt.isnan(x), 0.0, x) if has_gaps(x) else x


def among(tokens: mt.Tensor, there: Flags | None) -> mt.Tensor:
    """Return tokens (n, K, d) with zeros for those that are not there, (n, K); None: all are."""
    return tokens if there is None else tokens * mt.Tensor(there[:, :, None], device=tokens.device)


class Encoder(mt.nn.Layer):
    """Base of the encoders: a subclass sets `shape`, `dim` and `grid`, and defines `tokens` (see `jepa.contracts`)."""

    shape: tuple[int, ...] = ()
    """of the examples that it was made for; (): of any"""
    dim: int
    grid: Grid
    pools: tuple[str, ...] = ("mean", "max")
    """the ways of `pooled`"""
    gaps: bool = False
    """whether it takes examples with gaps (NaN: nothing is there): a place without anything has a token of zeros, which
    no other looks at and no mean counts; or the mean of the others (`levelled`), which changes no mean"""
    symbols: int | None = None
    """of how many tokens it has a vector; None: it takes measurements"""
    several: ClassVar[bool] = False
    """whether an example is several arrays by name; its grid is their joint one then (`jepa.contracts.Joint`)"""
    framewise: ClassVar[bool] = False
    """whether a token depends on one frame alone, an entry along the first axis behind the channels"""
    class_token: bool = False
    """whether the first token of `attention_maps` is a class token, which has no place"""

    @property
    def sides(self) -> Mapping[str, "Encoder"]:
        """The encoders of several arrays, by name; {}: of one."""
        return {}

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        """Return the grid of examples of a shape; raise ConfigError for a shape that this encoder cannot take."""
        return self.grid

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        raise NotImplementedError

    def there(self, x: mt.Tensor, keep: Keep | None = None) -> Flags | None:
        """Return which of `tokens` have anything behind them, (n e, K); None: there are no gaps in the examples."""
        if not self.gaps or not has_gaps(x):
            return None
        flags = present(x.numpy(), self.grid_of(x.shape[1:]))
        if keep is None:
            return flags
        kept: Flags = np.take_along_axis(flags[:, None], keep.index.reshape(len(flags), 1, -1), axis=2)
        return kept.reshape(-1, keep.index.shape[2])

    def pooled(self, x: mt.Tensor, pool: str = "mean") -> mt.Tensor:
        """Return one vector of an example, the mean of its tokens or their largest numbers: (n, *shape) -> (n, dim)."""
        self.check_pool(pool)
        tokens, there = self.tokens(x), self.there(x)
        if pool == "max":
            if there is not None:
                tokens = tokens + mt.Tensor(np.where(there, 0, -1e9)[:, :, None].astype(np.float32), device=x.device)
            return tokens.max(axis=1)
        return mean_of(tokens, there)

    def check_pool(self, pool: str) -> None:
        """Raise ValueError for a pooling that this encoder does not have."""
        if pool not in self.pools:
            raise ValueError(f"pool={pool!r}: {type(self).__name__} has {', '.join(self.pools)}")

    def depths(self) -> list[list[mt.Tensor]]:
        """Return the parameters layer by layer, from the input on: what layer-wise learning rates go by.

        A layer begins with each numbered part that has a matrix, such as ``blocks.0``; what has no number, or vectors
        alone, belongs to the layer before it.
        """
        parts: dict[str, list[mt.Tensor]] = {"": []}
        for name, p in self.named_parameters():
            found = re.match(r".*?\.\d+(?=\.|$)", name)
            parts.setdefault(found[0] if found else next(reversed(parts)), []).append(p)
        layers: list[list[mt.Tensor]] = []
        for part in parts.values():
            if layers and all(p.ndim <= 1 for p in part):
                layers[-1] += part
            elif part:
                layers.append(part)
        return layers

    def attention_maps(self, x: mt.Tensor) -> list[mt.Tensor]:
        """Return how each token looks at each other in each block, (n, heads, tokens, tokens); [] if none looks."""
        return []

    def forward(self, x: mt.Tensor) -> Any:
        """Return the tokens of all places, (n, N, dim)."""
        return self.tokens(x)


class WholeEncoder(Encoder):
    """Base of those that see the whole example: what is not kept is blanked before they look (`hide`).

    A subclass defines `whole`. Batch norm in it has the statistics of blanked examples, too.
    """

    stride: int | None = None
    """entries from one place to the next along each axis; None: equal shares"""

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens of all places: (n, c, *lengths) -> (n, N, dim)."""
        raise NotImplementedError

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        """Return the tokens of the places that are kept, from examples in which all others are blank."""
        there, x = self.there(x, keep), without_gaps(x) if self.gaps else x
        if keep is None:
            return among(self.whole(x), there)
        y = self.whole(hide(x, self.grid_of(x.shape[1:]), keep, self.stride))  # (n e, N, dim)
        return among(gather(y, keep.index.reshape(-1, 1, keep.index.shape[2])), there)


class ImageEncoder(WholeEncoder):
    """Base of the convolutional ones: each place of their last feature map is a token, in raster order.

    A subclass sets `dim` and `stride` (pixels from one place to the next), takes `grid` from `grid_of`, and defines
    `feature_map`. Images of other sizes than it was made for have other grids.

    >>> class Stripes(ImageEncoder):
    ...     dim, stride, grid = 3, 2, (2, 4)
    ...     def feature_map(self, x):
    ...         return x[:, :, ::2, ::2]
    >>> encoder, x = Stripes(), mt.ones((5, 3, 4, 8))
    >>> encoder.grid_of((3, 4, 8)), encoder.tokens(x).shape, encoder.pooled(x).shape
    ((2, 4), (5, 8, 3), (5, 3))
    """

    stride: int

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        """Return the last feature map: (n, channels, h, w) -> (n, dim, rows, columns)."""
        raise NotImplementedError

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        """Return the grid of images of a shape; raise ConfigError for what is no image, or smaller than one place.

        What is left over at an end is not seen.
        """
        if len(shape) == 3 and min(shape[1:]) >= self.stride:
            return shape[1] // self.stride, shape[2] // self.stride
        kind = chosen("encoder", self).kind
        if len(shape) != 3:
            raise ConfigError(
                f"encoder={kind} takes images (channels, height, width); an example is {shape}: see vit, mlp, "
                "or take another source"
            )
        raise ConfigError(
            f"one place of encoder={kind} has {self.stride} x {self.stride} pixels, the image only {by_x(shape[1:])}: "
            "take larger images, or an encoder that halves them less often"
        )

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return one token for each place: (n, channels, h, w) -> (n, rows · columns, dim)."""
        y = self.feature_map(x)
        return y.reshape(*y.shape[:2], -1).swapaxes(1, 2)
