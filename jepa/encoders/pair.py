"""Encoders of two arrays, each with an encoder of its own: apart, or with tokens that look at those of the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

import minitensor as mt
from jepa.config.nested import choice_of
from jepa.config.settings import DEPTH, WIDTH, Rule, Settings, between, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.encoders.base import Encoder, among, gather, mean_of
from jepa.encoders.block import EPS, Block, initialize
from jepa.errors import ConfigError
from jepa.parts import made
from jepa.several import Joint, joint

PART: Rule = (lambda v: v.strip() != "" and "\0" not in v), "must name a kind of encoder"


@dataclass(frozen=True)
class PairSettings(Settings):
    """Of two encoders."""

    first: str = setting("cnn", PART)
    """encoder of the first array, as on the command line: its kind, then its settings, NAME=VALUE"""
    second: str = setting("mlp width=128", PART)
    """encoder of the second array"""
    dim: int | None = setting(None, between(2, 16_384))
    """numbers in a token, which a linear map makes of each encoder's; null: both encoders have the same number"""

    def problems(self) -> Iterator[str]:
        for name in ("first", "second"):
            try:
                choice_of("encoder", getattr(self, name), name)
            except ConfigError as error:
                yield str(error)


class Pair(Encoder):
    """Two encoders side by side: the tokens of the first array, and behind them those of the second.

        t = [W₁ encoder₁(x₁) + b₁; W₂ encoder₂(x₂) + b₂]

    Its grid has the places of both in one row, so that to keep the places of one array is to see that array alone: an
    array of which no place is kept is not encoded. W and b are there where `dim` is set.

    shape: of each array, by name, in the order first, second. pools: "mean", the mean of the two arrays' mean tokens,
    (n, dim); "sides", both side by side, (n, 2 dim). Raises ConfigError for encoders that do not take their array, and
    for tokens of different sizes.

    >>> shape = {"image": (3, 8, 8), "row": (1, 6)}
    >>> encoder = Pair(shape, first="cnn widths=[8,16]", second="columns dim=32 heads=4", dim=24)
    >>> x = {"image": mt.ones((5, 3, 8, 8)), "row": mt.ones((5, 1, 6))}
    >>> encoder.grid, encoder.tokens(x).shape, encoder.pooled(x, "sides").shape
    ((22,), (5, 22, 24), (5, 48))
    """

    Settings: ClassVar[Any] = PairSettings
    several = True
    gaps = True  # as far as its encoders do
    pools = ("mean", "sides")

    def __init__(self, shape: Mapping[str, Any], settings: Any = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or self.Settings(), **changes)
        if len(shape) != 2:
            raise ConfigError(
                f"encoder=pair takes examples of two arrays, and the source's have {len(shape)}: take two"
            )
        self.shape: Any = dict(shape)
        one, other = shape.values()
        self.first, self.second = _made(s.first, one, "first"), _made(s.second, other, "second")
        sizes = [side.dim for side in self.sides.values()]
        if s.dim is None and len(set(sizes)) > 1:
            raise ConfigError(
                f"encoder.first and encoder.second have tokens of {sizes[0]} and {sizes[1]} numbers: set encoder.dim, "
                "and a linear map brings both to it, or the source's two encoders to one size"
            )
        self.dim = sizes[0] if s.dim is None else s.dim
        self.heads = mt.nn.LayerList([] if s.dim is None else [mt.nn.Linear(size, s.dim) for size in sizes])
        self.grid: Joint = joint({name: side.grid for name, side in self.sides.items()})

    @property
    def sides(self) -> Mapping[str, Encoder]:
        return dict(zip(self.shape, (self.first, self.second), strict=True))

    def grid_of(self, shape: Any) -> Grid:
        return joint({name: side.grid_of(shape[name]) for name, side in self.sides.items()})

    def there(self, x: Any, keep: Keep | None = None) -> Flags | None:
        """Return which of `tokens` have anything behind them, and are no padding, (n e, K); None: all."""
        flags = {name: side.there(x[name]) for name, side in self.sides.items()}
        gaps = any(flag is not None for flag in flags.values())
        if not gaps and (keep is None or keep.valid is None):
            return None
        n, (every,) = len(next(iter(x.values()))), self.grid
        found = np.ones((n, every), bool)
        for name, where in self.grid.places.items():
            found[:, where] = True if flags[name] is None else flags[name]
        if keep is None:
            return found
        kept: Flags = np.take_along_axis(found[:, None], keep.index, axis=2)
        return (kept if keep.valid is None else kept & keep.valid).reshape(-1, keep.index.shape[2])

    def tokens(self, x: Any, keep: Keep | None = None) -> mt.Tensor:
        return among(self._all(x, keep), self.there(x, keep))

    def _all(self, x: Any, keep: Keep | None) -> mt.Tensor:
        """Return the tokens that are kept, whatever stands at a gap or padding, (n e, K, dim)."""
        if keep is None:
            return mt.concatenate([self._side(k, x, None) for k in range(2)], axis=1)
        n, contexts, size = keep.index.shape
        valid = np.ones(keep.index.shape, bool) if keep.valid is None else keep.valid
        found = [self._kept(x, keep.index[:, c], valid[:, c]) for c in range(contexts)]  # of (n, K, dim)
        y: mt.Tensor = found[0] if contexts == 1 else mt.stack(found, axis=1).reshape(n * contexts, size, self.dim)
        return y

    def _side(self, k: int, x: Mapping[str, Any], keep: Keep | None) -> mt.Tensor:
        """Return the tokens of one array, (n, K, dim)."""
        name = list(self.shape)[k]
        y = self.sides[name].tokens(x[name], keep)
        return self.heads[k](y) if len(self.heads) else y

    def _kept(self, x: Mapping[str, Any], index: Index, valid: Flags) -> mt.Tensor:
        """Return the tokens of the places that one context keeps, (n, K) -> (n, K, dim)."""
        made, place, before = list[mt.Tensor](), np.zeros(index.shape, np.int64), 0
        for k, where in enumerate(self.grid.places.values()):
            mine = valid & (where.start <= index) & (index < where.stop)  # (n, K)
            counts = mine.sum(axis=1)
            if counts.max() == 0:
                continue
            if counts.min() == where.stop - where.start:  # the whole array
                made.append(self._side(k, x, None))
                own = index - where.start
            else:
                made.append(self._side(k, x, _own(index - where.start, mine)))
                own = np.cumsum(mine, axis=1) - 1
            place[mine] = (before + own)[mine]
            before += made[-1].shape[1]
        return gather(mt.concatenate(made, axis=1) if len(made) > 1 else made[0], place[:, None])

    def alone(self, x: Any, name: str) -> mt.Tensor:
        """Return the mean token of one array, of which nothing else is seen: (n, *shape) by name -> (n, dim)."""
        where = self.grid.places[name]
        keep = Keep(np.tile(np.arange(where.start, where.stop), (len(x[name]), 1, 1)))
        return mean_of(self.tokens(x, keep), self.there(x, keep))

    def pooled(self, x: Any, pool: str = "mean") -> mt.Tensor:
        """Return one vector of an example: by name (n, *shape) -> (n, dim), or (n, 2 dim) with "sides"."""
        self.check_pool(pool)
        y, there = self.tokens(x), self.there(x)
        means = [mean_of(y[:, at], None if there is None else there[:, at]) for at in self.grid.places.values()]
        return mt.concatenate(means, axis=1) if pool == "sides" else (means[0] + means[1]) / 2


def _made(words: str, shape: Any, name: str) -> Any:
    """Return the encoder that a text names for an array's shape."""
    try:
        return made(choice_of("encoder", words, f"encoder.{name}"), "encoder", shape)
    except ConfigError as error:
        raise ConfigError(f"encoder.{name}={words} for the {name} array of the source: {error}") from error


def _own(index: Index, mine: Flags) -> Keep:
    """Return which places of an array each example keeps, those that are its own first: (n, K) -> (n, 1, k)."""
    order = np.argsort(~mine, axis=1, kind="stable")[:, : int(mine.sum(axis=1).max())]
    valid = np.take_along_axis(mine, order, axis=1)
    kept = np.where(valid, np.take_along_axis(index, order, axis=1), 0)
    valid[:, 0] |= ~valid.any(axis=1)  # of none, one that nobody asks for
    return Keep(kept[:, None], None if valid.all() else valid[:, None])


@dataclass(frozen=True)
class CrossModalSettings(PairSettings):
    """Of two encoders whose tokens look at each other."""

    depth: int = setting(2, DEPTH)
    """blocks of attention from each array to the other"""
    attention: int = setting(4, WIDTH)
    """heads of that attention; divide the numbers in a token"""
    mlp_ratio: float = setting(2.0, between(0.01, 64))
    """hidden units of a block's MLP, in units of a token's numbers"""


class CrossModal(Pair):
    """Two encoders, and behind them blocks in which the tokens of each array look at those of the other.

        t = [encoder₁(x₁); encoder₂(x₂)];   t ← t + attention(norm₁(t));   t ← t + MLP(norm₂(t));   y = norm(t)

    In each block a token looks at all tokens of the other array and at itself, at none of its own array's others, which
    its own encoder has mixed already: cross-attention both ways, with one set of weights (Lu et al. 2019, ViLBERT, with
    a set for each way). What is not kept, or a gap, is not looked at; an array that is alone looks at itself.

    >>> shape = {"image": (3, 8, 8), "row": (1, 6)}
    >>> encoder = CrossModal(shape, first="cnn widths=[8,16]", second="columns dim=16 heads=4", depth=1)
    >>> encoder.tokens({"image": mt.ones((5, 3, 8, 8)), "row": mt.ones((5, 1, 6))}).shape
    (5, 22, 16)
    """

    Settings = CrossModalSettings

    def __init__(self, shape: Mapping[str, Any], settings: Any = None, /, **changes: Any) -> None:
        super().__init__(shape, settings, **changes)
        s = self.settings
        if self.dim % s.attention:
            raise ConfigError(
                f"encoder.attention={s.attention} must divide the {self.dim} numbers of a token: each head gets its "
                "share; set encoder.dim, or other heads"
            )
        self.blocks = mt.nn.LayerList([Block(self.dim, s.attention, s.mlp_ratio) for _ in range(s.depth)])
        self.norm = mt.nn.LayerNorm(self.dim, EPS)
        initialize(self.blocks, self.blocks)

    def tokens(self, x: Any, keep: Keep | None = None) -> mt.Tensor:
        t, there = self._all(x, keep), self.there(x, keep)
        rows, count, _ = t.shape
        index = np.arange(count)[None] if keep is None else keep.index.reshape(rows, count)
        second = index >= list(self.grid.places.values())[1].start
        other = second[:, :, None] != second[:, None]  # (rows or 1, K, K)
        looks = other if there is None else other & there[:, None]
        mask = mt.Tensor(np.broadcast_to(looks | np.eye(count, dtype=bool), (rows, count, count)), device=t.device)
        for block in self.blocks:
            t = block(t, mask)
        return among(self.norm(t), there)
