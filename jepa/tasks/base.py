"""What tasks share: settings that move, the augmentation, and examples in small stacks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Batch, Flags, Generators, Grid, Keep
from jepa.errors import ConfigError, DataError
from jepa.parts import chosen
from jepa.transforms.augment import Augment, Nothing
from jepa.transforms.base import Transform

CHUNK = 32  # examples that go through the changes together: few enough to stay in the processor's cache
Array = NDArray[np.float32]


class MeanTokens:
    """What questions about whole parts share: one set of targets, each the mean token of a part."""

    __slots__ = ()
    level_weights: ClassVar[tuple[float, ...]] = ()

    @property
    def valid(self) -> list[None]:
        """Nothing is padding."""
        return [None]

    @property
    def whole(self) -> bool:
        """Each token is a view of its own."""
        return True

    @property
    def single(self) -> bool:
        """Views are looked at one after the other."""
        return False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each set, how many targets an example has."""
        raise NotImplementedError

    def repeated(self, y: mt.Tensor) -> list[mt.Tensor]:
        """Return what is predicted from each view alike for each of its targets: (n, V, d) -> S of (n, k, d)."""
        return [y if k == 1 else mt.broadcast_to(y, (len(y), k, y.shape[2])) for k in self.sizes]

    def context(self, tokens: mt.Tensor, keep: Keep | None) -> tuple[mt.Tensor, Flags | None]:
        """Return the mean of the context's tokens: (n, N, d) -> (n, 1, d)."""
        return tokens.mean(axis=1, keepdims=True), None

    def of(self, tokens: mt.Tensor) -> list[mt.Tensor]:
        """Return the mean token of each part: (n, v, N, d) -> one set (n, v, d)."""
        return [tokens.mean(axis=2)]


class Task:
    """Base of the tasks: a subclass has `Settings`, says what class of `Asked` it `asks`, and defines `ask`.

    It says also whether it asks for tokens of single `places`, and whether its questions have `poses`. A setting NAME
    with a NAME_end moves linearly from the one to the other in the course of training (a curriculum).
    """

    Settings: ClassVar[Any]
    asks: ClassVar[type]
    places: ClassVar[bool] = False
    several: ClassVar[bool] = False
    """whether it can be asked of examples of several arrays by name, too"""
    poses: ClassVar[bool] = False
    forecasts: ClassVar[bool] = False
    gaps: ClassVar[bool] = False
    """whether it makes gaps (NaN) in examples that have none"""
    acts: ClassVar[bool] = False
    """whether `ask` is given {"frames": examples, "actions": (n, T - 1, a)}, which takes a source that has actions"""
    apart: ClassVar[bool] = False
    """what it asks of an example does not hang on the others of its batch, or it draws for these too
    (`Generators.part`): then each of several processes reads its part of a batch alone"""
    measures: ClassVar[tuple[str, ...]] = ()
    """further evaluations of it, by name (`jepa.evaluation.measures`)"""
    pictures: ClassVar[str] = "jepa.pictures.views"
    """the module that draws its questions and their answers"""

    def __init__(self, augment: Augment | None = None, settings: Any = None, /, **changes: Any) -> None:
        self.settings = replace(settings or self.Settings(), **changes)
        self.augment = augment or Nothing()
        self.whole, self.part = self.augment.whole(), self.augment.part()

    @property
    def resizes(self) -> bool:
        """Whether it resizes parts of examples, so that they have other numbers than these had."""
        return False

    def check(self, shape: Any, grid: Grid) -> None:
        if isinstance(shape, Mapping) and not self.augment.several:
            raise ConfigError(
                f"augment={chosen('augment', self.augment).kind} changes one array, and an example of the source has "
                f"several ({', '.join(shape)}): take augment=none"
            )
        self.augment.check(shape)

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        return {}

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        raise NotImplementedError

    def at(self, progress: float) -> Self:
        now = {name: _between(start, end, progress) for name, start, end in self._moving()}
        if not now:
            return self
        return type(self)(self.augment, self.settings, **now, **{f"{name}_end": None for name in now})

    def values(self, progress: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, start, end in self._moving():
            now = _between(start, end, progress)
            found |= {f"{name}_min": now[0], f"{name}_max": now[1]} if isinstance(now, tuple) else {name: now}
        return found

    def _moving(self) -> Iterator[tuple[str, Any, Any]]:
        for field in fields(self.settings):
            if field.name.endswith("_end") and (end := getattr(self.settings, field.name)) is not None:
                name = field.name.removesuffix("_end")
                yield name, getattr(self.settings, name), end

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.augment}, {self.settings})"


def _between(start: Any, end: Any, progress: float) -> Any:
    """Return the number, or the numbers of a range, on the way from start to end."""
    t = min(max(progress, 0.0), 1.0)
    if isinstance(start, tuple):
        return tuple(_between(a, b, t) for a, b in zip(start, end, strict=True))
    now = (1 - t) * start + t * end
    return round(now) if isinstance(start, int) else now


def generators(count: int, seed: int = 0) -> Generators:
    """Return generators for `count` examples, to ask a task once.

    >>> len(generators(3).examples)
    3
    """
    each = [np.random.default_rng([seed, 0, i]) for i in range(count)]
    return Generators(each, np.random.default_rng([seed, 0, count, 0]))


def chunked(f: Callable[[Array, list[np.random.Generator]], tuple[Any, ...]], x: Array, each: list[Any]) -> list[Any]:
    """Return what f makes of examples and their generators, a small stack at a time, joined along the first axis."""
    parts = [f(x[k : k + CHUNK], each[k : k + CHUNK]) for k in range(0, len(x), CHUNK)]
    return [np.concatenate(side) for side in zip(*parts, strict=True)]


def kept_shape(transform: Transform, x: Array, draws: Sequence[Any]) -> Array:
    """Return the changed examples (n, *shape); DataError unless they have the shape that they had."""
    y = transform.apply(x, draws)
    if y.shape != x.shape:
        raise DataError(f"{transform!r} must keep the shape of an example; it made {y.shape[1:]} of {x.shape[1:]}")
    return y.astype(np.float32, copy=False)
