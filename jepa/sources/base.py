"""What sources share: settings, a held-out part, and the numbers that bring examples to what a network likes to see."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import TIMES, Settings, between, each, setting
from jepa.errors import ConfigError, DataError
from jepa.parts import chosen, kind_of, load
from jepa.text import shown

Scale = tuple[NDArray[np.float64], NDArray[np.float64]]
"""mean and deviation, of each channel or one for all"""
PARTS = ("train", "val")
T = TypeVar("T")


@dataclass(frozen=True)
class SourceSettings(Settings):
    """Of every source."""

    validation: float = setting(0.1, (lambda v: 0 < v < 1, "must lie between 0 and 1, both excluded"))
    """share of the examples held out, where there are no parts train and val already"""
    limit: int | None = setting(None, TIMES)
    """take at most so many examples of each part, each class in its share; null: all"""
    mean: tuple[float, ...] | None = setting(None, each(between(-1e30, 1e30), 16_384))
    """a network sees (x - mean) / std: of each channel, or one number for all; null: of the examples to learn from"""
    std: tuple[float, ...] | None = setting(None, each(between(1e-30, 1e30), 16_384))
    """the same: the deviation"""


class of_part(cached_property[T]):
    """A property that is computed once for each part of a source, and once for the whole."""


class of_whole(cached_property[T]):
    """A property that is computed once for all parts of a source: a part has it from the whole."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        whole = instance if instance is None else instance._parts[None]
        return super().__get__(instance, owner) if instance is whole else getattr(whole, str(self.attrname))


class Source:
    """Base of the sources (`jepa.contracts.Source`).

    Made from settings alone, by one argument that is settings or the file or folder that the setting `place` names;
    nothing is opened before it is asked for. A subclass defines `shape`, `classes`, `read`, `fingerprint` and what is
    below: `scale`, and `content`, which is made anew for each part (`of_part`).
    """

    shape: Any
    classes: Any
    scale: Any
    """mean and deviation, of each channel or one for all"""
    content: Any
    """what is read of the part, with `names` and `labels` of its examples"""
    Settings: ClassVar[Any] = SourceSettings
    place: ClassVar[str] = ""
    """the setting that says where the examples lie"""
    taken: ClassVar[str] = ""
    """what `takes` takes, in words, such as: a folder of images"""
    pictures: str = "jepa.pictures.line"
    """the module that draws an example; or a class of it, MODULE:CLASS, that is made of the source"""
    gaps: Any = False
    """whether NaN stands in some example: nothing is there"""
    symbols: Any = None
    """an example's numbers are tokens, names for so many things, and no measurements; None: they are measurements"""
    actions: Any = None
    """(N, T - 1, a) float32, of the part: action t leads from frame t to frame t + 1; None: there are none"""
    world: Any = None
    """the world that the examples are trajectories of (`jepa.worlds`); None: there is none to act in"""
    raw_title: ClassVar[str] = "raw input"
    """what `raw` is called in tables"""
    learned: ClassVar[tuple[str, ...]] = ("scale",)
    """what is measured on the examples to learn from, which another place of the kind is read with"""
    own: ClassVar[tuple[str, ...]] = ()
    """settings that say what is where in its own place, which another one is not read with"""
    handling: ClassVar[tuple[str, ...]] = ()
    """settings that decide how fast examples come, and not which"""
    methods: ClassVar[tuple[str, ...]] = ()
    """simple methods for this kind of examples, that stand beside the probes (`jepa.evaluation.methods`)"""
    measures: ClassVar[tuple[str, ...]] = ()
    """further evaluations of it (`jepa.evaluation.measures`)"""
    makes: ClassVar[bool] = False
    """whether `write(out, seed)` makes the examples: `python -m jepa data make`"""
    part: str | None = None
    """"train" or "val"; None: everything"""

    def __init__(self, place: Any = None, /, **changes: Any) -> None:
        if isinstance(place, str | os.PathLike):
            changes[self.place], place = os.fspath(place), None
        self.settings = replace(place or self.Settings(), **changes)
        if self.place and getattr(self.settings, self.place) is None:
            self._without_place()
        self._parts: dict[str | None, Any] = {None: self}

    def _without_place(self) -> None:
        kind, owner = chosen("source", self).kind, type(self).__name__
        raise ConfigError(f"source={kind} needs source.{self.place}=PATH; in Python, {owner}(path)")

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Whether an existing path is taken for this kind of source, where no kind is said."""
        return False

    @property
    def remarks(self) -> list[str]:
        """Sentences on what is left out, and what is taken for something."""
        return []

    @property
    def skipped(self) -> str:
        """A sentence on the examples of the part that cannot be read; empty if all can."""
        return ""

    @property
    def kept(self) -> str:
        """A sentence on what of the examples is kept where; empty if nobody needs to know."""
        return ""

    @property
    def sides(self) -> Mapping[str, Any]:
        """The sources of an example's arrays, by name; {}: they are of one."""
        return {}

    @property
    def path(self) -> Path:
        """Where the examples lie."""
        return Path(getattr(self.settings, self.place))

    @property
    def where(self) -> str:
        """What says which examples they are, from any working directory."""
        return str(self.path.resolve()) if self.place else ""

    @property
    def missing(self) -> str:
        """The path at which the examples should be and are not; empty if they are there, or can be made."""
        return "" if not self.place or self.path.exists() else str(self.path)

    def located(self) -> Any:
        """Return the settings with whole paths, which hold from any working directory."""
        return replace(self.settings, **({self.place: str(self.path.absolute())} if self.place else {}))

    def stored(self, folder: str | Path) -> "Source":
        """Return a source of the same examples that settings alone can open again; `folder` is for what it needs."""
        return self

    def at(self, path: str | os.PathLike[str]) -> "Source":
        """Return the source of another place, read and normalized as this one."""
        own, path = type(self), Path(path)
        cls = own if path.exists() and own.takes(path) else load("source", kind_of(path))
        names = {f.name for f in fields(cls.Settings)} & {f.name for f in fields(self.settings)} - {cls.place, *cls.own}
        found: Source = cls(path, **{name: getattr(self.settings, name) for name in names})
        for name in {*self.learned} & {*found.learned}:
            found.__dict__[name] = getattr(self, name)
        if found.shape != self.shape:
            raise DataError(f"{shown(path)} has examples of {found.shape}, and {self.shape} are wanted")
        return found

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(N,): positions in `classes`, -1 where an example has none; None: there are no labels."""
        labels: NDArray[np.int64] | None = self.content.labels
        return labels

    @property
    def names(self) -> list[str]:
        """What each example is called: its file, or the number of its row."""
        names: list[str] = self.content.names
        return names

    def __len__(self) -> int:
        return len(self.content.names)

    def split(self, part: str) -> Self:
        """Return the examples to learn from ("train") or those held out ("val")."""
        if part not in PARTS:
            raise DataError(f"there is no part {part!r} of a source: it is one of {', '.join(map(repr, PARTS))}")
        if part not in self._parts:
            found = self._parts[part] = copy(self._parts[None])
            found.part = part
            own = {n for kind in type(found).__mro__ for n, value in vars(kind).items() if isinstance(value, of_part)}
            for name in own & vars(found).keys():
                del found.__dict__[name]
        value: Self = self._parts[part]
        return value

    def normalize(self, x: Any) -> Any:
        """Return examples (..., *shape), or parts of them, as a network sees them: (x - mean) / std."""
        return scaled(x, self.scale, len(self.shape))

    def raw(self, x: Any) -> Any:
        """Return what is read of normalized examples where nothing encodes them: (n, *shape) -> (n, d)."""
        return np.nan_to_num(x.reshape(len(x), -1))

    @classmethod
    def inspect(cls, path: Path) -> "Report":
        """Return what there is at a path."""
        return Report(cls(path))

    def divided(self, parts: NDArray[np.str_]) -> Self:
        """Return a source that learns what it learns from the examples of the part "train", (N,), and no others."""
        return self

    def __repr__(self) -> str:
        what = f"{len(self)} examples" + (f" of {len(self.classes)} classes" if self.labels is not None else "")
        name = ", ".join([*([shown(self.path.name)] if self.place else []), *([self.part] if self.part else [])])
        return f"{type(self).__name__}({name}{': ' * bool(name)}{what}, {self.shape})"


class Report:
    """What `python -m jepa data inspect` says of a source: how many examples there are, of which classes and parts."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Yield what is said, line by line."""
        whole, parts = self.source, dict[str, Source]()
        for part in PARTS:
            with suppress(DataError):  # too few to be parted
                parts |= {part: found} if len(found := whole.split(part)) else {}
        parts = parts if len(parts) == len(PARTS) else {"all": whole}
        classes = f"{len(whole.classes)} classes" if whole.labels is not None else "no labels"
        yield f"{shown(whole.path)}: {len(whole)} examples of {whole.shape}, {classes}"
        yield ", ".join(f"{part}: {len(found)}" for part, found in parts.items())
        for k, name in enumerate(whole.classes if whole.labels is not None else ()):
            counts = (f"{part} {int(np.sum(found.labels == k))}" for part, found in parts.items())
            yield f"  {shown(name)}: {', '.join(counts)}"
        if whole.gaps:
            yield "some examples have gaps (padding, missing values)"
        yield from filter(None, [*whole.remarks, whole.skipped])

    @property
    def bad(self) -> list[str]:
        """A line for each example that cannot be read."""
        return []

    def list_bad(self) -> str:
        """Return those lines as a text."""
        return "".join(f"{line}\n" for line in self.bad)


def as_floats(x: NDArray[Any], rows: Any) -> NDArray[np.float32]:
    """Return rows of (n, c, *lengths) as float32, new; bytes of images in [0, 1]."""
    if x.dtype == np.uint8 and x.ndim > 3:
        y: NDArray[np.float32] = np.divide(np.asarray(x[rows]), 255, dtype=np.float32)
        return y
    with np.errstate(over="ignore"):  # it is infinite then, and refused
        return np.array(x[rows], dtype=np.float32, subok=False)


def scaled(x: NDArray[np.float32], scale: Scale, rank: int) -> NDArray[np.float32]:
    """Return (x - mean) / std, channels on the axis `-rank`.

    >>> scaled(np.float32([[0, 0.5, 1]]), (np.array([0.5]), np.array([0.5])), 2)
    array([[-1.,  0.,  1.]], dtype=float32)
    """
    mean, std = (v.reshape(-1, *[1] * (rank - 1)) for v in scale)  # (c or 1, 1, ...)
    y: NDArray[np.float32] = x * (1 / std).astype(np.float32)
    y -= (mean / std).astype(np.float32)
    return y


def spread(keys: NDArray[Any], labels: NDArray[Any] | None) -> NDArray[np.int64]:
    """Return an order of examples in which every beginning has each class in its share, as nearly as it can.

    Example number r of a class of n has the rank (r + 1/2) / n; the order is by rank. Within a class examples are
    numbered by their keys, (N,) of anything that sorts.

    >>> spread(np.arange(6), np.array([0, 0, 0, 0, 1, 1]))
    array([0, 4, 1, 2, 5, 3])
    """
    rank = np.empty(len(keys))
    labels = np.zeros(len(keys), np.int64) if labels is None else labels
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        rank[mine[np.argsort(keys[mine], kind="stable")]] = (np.arange(len(mine)) + 0.5) / len(mine)
    return np.lexsort((keys, rank))


def held_out(order: NDArray[np.int64], part: str, share: float) -> NDArray[np.int64]:
    """Return which examples are in a part, ascending: a share is held out, at least one, those that come first."""
    count = max(1, round(share * len(order)))
    return np.sort(order[:count] if part == "val" else order[count:])
