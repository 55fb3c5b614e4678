"""Two sources at once, paired row by row: an image and its caption, two sensors, a series and a table."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.nested import choice_of, words_of
from jepa.config.settings import Settings, setting
from jepa.contracts import Index
from jepa.errors import ConfigError, DataError
from jepa.parts import chosen, made
from jepa.sources.base import PARTS, Source, of_part, of_whole

SIDES = "first", "second"


@dataclass(frozen=True)
class PairSettings(Settings):
    """Of two sources at once."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "paired", "encoder": "pair"}
    first: str | None = setting(None)
    """first source, as on the command line: its kind or its path, then its settings, NAME=VALUE; it says which examples
    are held out, and what they are called"""
    second: str | None = setting(None)
    """second source, with as many examples, of which number k belongs to number k of the first"""

    def problems(self) -> Iterator[str]:
        for name in SIDES:
            if (words := getattr(self, name)) is not None:
                try:
                    choice_of("source", words, name)
                except ConfigError as error:
                    yield str(error)


class Rows(NamedTuple):
    """Which examples are in a part."""

    names: list[str]
    labels: NDArray[np.int64] | None
    rows: NDArray[np.int64]


class Pair(Source):
    """Examples of two sources, {"first": (n, *shape), "second": (n, *shape')}, paired row by row.

    The first source says which examples are held out, and names them; what the second measures or counts, it takes
    from the examples to learn from. Labels are the first one's, or the second's where it has none.

    Raises DataError for sources of different lengths, ConfigError where one is not said.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "a.npy", np.zeros((20, 3, 50))), np.save(folder / "b.npy", np.ones((20, 2, 8)))
    (None, None)
    >>> pair = Pair(first=f"array path={folder}/a.npy", second=f"{folder}/b.npy")
    >>> pair.shape, len(pair.split("val")), pair.split("val").read([0, 1])["second"].shape
    ({'first': (3, 50), 'second': (2, 8)}, 2, (2, 2, 8))
    """

    Settings: ClassVar[Any] = PairSettings
    pictures = "jepa.pictures.paired"
    raw_title = "raw input of both"
    learned = ()

    def __init__(self, place: Any = None, /, **changes: Any) -> None:
        super().__init__(place, **changes)
        self._check()

    def _check(self) -> None:
        """Raise ConfigError where a source is not said."""
        for name in SIDES:
            if getattr(self.settings, name) is None:
                kind = chosen("source", self).kind
                raise ConfigError(f"source={kind} needs source.{name}=KIND or source.{name}=PATH, then its settings")

    @of_whole
    def sides(self) -> Mapping[str, Any]:
        """Both sources, as they are for all parts; the second divided as the first."""
        first, second = (self._made(name) for name in SIDES)
        if len(first) != len(second):
            raise DataError(
                f"source.first has {len(first)} examples and source.second {len(second)}: example k of the one belongs "
                "to example k of the other, so that both need as many"
            )
        row = {name: k for k, name in enumerate(first.names)}
        parts = np.full(len(first), "neither")
        for part in PARTS:
            parts[[row[name] for name in first.split(part).names]] = part
        return {"first": first, "second": second.divided(parts)}

    def _made(self, name: str) -> Source:
        found: Source = made(choice_of("source", getattr(self.settings, name), f"source.{name}"), "source")
        if found.sides:
            raise ConfigError(f"source.{name} is a pair itself: take a source of one array")
        return found

    @property
    def _labeled(self) -> Any:
        """The source that has the labels."""
        first, second = self.sides.values()
        return first if first.labels is not None else second

    def at(self, path: Any) -> Source:
        found = super().at(path)
        for name, side in found.sides.items():
            for learned in side.learned:
                side.__dict__[learned] = getattr(self.sides[name], learned)
        return found

    @of_part
    def content(self) -> Rows:
        """The rows of the part."""
        first, labels = self.sides["first"], self._labeled.labels
        row = {name: k for k, name in enumerate(first.names)}
        names = first.names if self.part is None else first.split(self.part).names
        rows = np.array([row[name] for name in names], np.int64)
        return Rows(list(names), None if labels is None else labels[rows], rows)

    @property
    def shape(self) -> dict[str, Any]:
        """Of one example, by name."""
        return {name: side.shape for name, side in self.sides.items()}

    @property
    def gaps(self) -> bool:
        return any(side.gaps for side in self.sides.values())

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return list(self._labeled.classes)

    def read(self, indices: Sequence[int] | Index) -> dict[str, NDArray[np.float32]]:
        rows = self.content.rows[np.asarray(indices, dtype=np.int64)]
        return {name: np.asarray(side.read(rows)) for name, side in self.sides.items()}

    def normalize(self, x: Any) -> Any:
        return {name: side.normalize(x[name]) for name, side in self.sides.items()}

    def raw(self, x: Any) -> Any:
        return np.concatenate([side.raw(x[name]) for name, side in self.sides.items()], axis=1)

    @property
    def remarks(self) -> list[str]:
        return [f"{name}: {text}" for name, side in self.sides.items() for text in side.remarks]

    @property
    def skipped(self) -> str:
        return "; ".join(f"{name}: {side.skipped}" for name, side in self.sides.items() if side.skipped)

    @property
    def where(self) -> str:
        return " and ".join(side.where for side in self.sides.values())

    @property
    def missing(self) -> str:
        return next(filter(None, (self._made(name).missing for name in SIDES)), "")

    def located(self) -> Any:
        return replace(self.settings, **{name: _located(self._made(name)) for name in SIDES})

    def stored(self, folder: str | Path) -> Source:
        kept = {name: side.stored(folder) for name, side in self.sides.items()}
        if all(kept[name] is side for name, side in self.sides.items()):
            return self
        return type(self)(replace(self.settings, **{name: _located(side) for name, side in kept.items()}))

    def fingerprint(self) -> str:
        sides = "\n".join(side.fingerprint() for side in self.sides.values())
        names = "\0".join(() if self.part is None else self.names)
        return hashlib.blake2b(f"{sides}\n{names}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _located(source: Source) -> str:
    """Return the text that opens a source again from any working directory."""
    return words_of(chosen("source", source)._replace(settings=source.located()))
