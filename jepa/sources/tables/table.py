"""A table as a source: one file of rows and columns, of numbers and words, some of which may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, between, setting
from jepa.contracts import Index
from jepa.errors import ConfigError, DataError
from jepa.sources.base import Report, Scale, SourceSettings, of_whole
from jepa.sources.examples import Held
from jepa.sources.memory import InMemory
from jepa.sources.tables.delimited import Column, Rows, column, odd_one, read_rows
from jepa.sources.tables.layout import Layout
from jepa.sources.tables.samples import SAMPLES, write_sample
from jepa.text import listed, shown

LABELS = "label", "class", "target", "y"


@dataclass(frozen=True)
class TableSettings(SourceSettings):
    """Of a table."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "masked"}
    needs: ClassVar[Mapping[str, str]] = {"encoder": "columns"}
    path: str | None = setting(None, PATH)
    """a .csv file: names of the columns in the first line, then a row an example; null: what `dataset` names"""
    dataset: Literal["wine", "breast-cancer", "digits"] | None = setting(None)
    """a table of scikit-learn's, written to data/NAME.csv first; null: none, `path` says which"""
    label: str | None = setting(None)
    """column of the classes; null: the one called label, class, target or y, if there is one"""
    leave_out: str | None = setting(None)
    """columns that are not looked at, with commas between; null: none"""
    categorical: str | None = setting(None)
    """columns whose values are names even where they look like numbers, with commas between; null: none"""
    categories: int = setting(15, between(1, 4096))
    """words of a column that are told apart, its most frequent ones; all others count as one"""
    split_column: str | None = setting(None)
    """column that says train or val (test) of each row; null: a share of each class is held out"""
    val: str | None = setting(None, PATH)
    """another file with the same columns, whose rows are held out; null: none"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what a row with too many cells, or a word among numbers, does: stop, or be left out and listed"""

    def problems(self) -> Iterator[str]:
        if self.val is not None and self.split_column is not None:
            yield f"val={self.val}: with split_column={self.split_column} there are two splits; take one of them"


class Table(InMemory):
    r"""Rows of numbers and words as examples (channels, columns), with NaN where a value is missing.

    A column of numbers has (v - mean) / std in its first channel, a column of words a 1 in the channel of its word. The
    words with a channel, most frequent first, means and deviations are those of the examples to learn from; a word that
    they do not have counts as another. An encoder of columns needs to be told no more: a linear map of a column's
    channels is value x vector for numbers, and an embedding for words.

    An empty cell, NA, N/A, NaN, null, None and ? are missing values. Raises DataError, naming line and column, for an
    empty file, rows of other lengths, a column with numbers and words, one that is always missing, columns that there
    are not, and one class alone.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = path.write_text("age,color,class\n" + "30,red,a\n?,blue,b\n50,red,a\n20,,b\n" * 3)
    >>> table = Table(path)
    >>> table.shape, table.classes, table.layout.words
    ((3, 2), ['a', 'b'], [None, ['red', 'blue']])
    >>> table.read([1]).tolist()
    [[[nan, 0.0], [nan, 1.0], [nan, 0.0]]]
    """

    Settings = TableSettings
    place = "path"
    pictures = "jepa.pictures.table"
    raw_title = "raw columns"
    learned = ("layout",)
    own = ("dataset", "val", "split_column")
    methods = ("boosting",)
    scale: Scale = (np.zeros(1), np.ones(1))  # what is read is standardized

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.suffix.lower() == ".csv" and path.is_file()

    def _without_place(self) -> None:
        if self.settings.dataset is None:
            raise ConfigError(
                f"source=table needs source.path=FILE.csv, or source.dataset, one of {', '.join(SAMPLES)}; in Python, "
                "Table(path)"
            )

    @property
    def path(self) -> Path:
        """Where the table lies; one of scikit-learn's is written anew where it is not."""
        given, name = self.settings.path, self.settings.dataset
        usual = Path("data") / f"{name}.csv"
        return usual if given is None or (name and not Path(given).exists()) else Path(given)

    @property
    def missing(self) -> str:
        return "" if self.settings.dataset else super().missing

    def located(self) -> TableSettings:
        found: TableSettings = super().located()
        return found if found.val is None else replace(found, val=str(Path(found.val).absolute()))

    @cached_property
    def rows(self) -> tuple[Rows, NDArray[np.str_] | None]:
        """The cells of the file, and of each row its part, if the files say it."""
        s, path, skip = self.settings, self.path, self.settings.on_error == "skip"
        if s.dataset is not None and not path.exists():
            write_sample(s.dataset, path)
        found = read_rows(path, skip)
        if s.split_column is not None:
            return found, _parts(self._of(found, s.split_column, "split_column"), s.split_column)
        if s.val is None:
            return found, None
        other = read_rows(Path(s.val), skip)
        if absent := [name for name in found.header if name not in other.header]:
            raise DataError(f"source.val={shown(s.val)} has no column {listed(absent)}, and {shown(path)} has")
        cells = list(map(list, zip(*(other.column(name) for name in found.header), strict=True)))
        parts = np.array(["train"] * len(found.cells) + ["val"] * len(cells))
        joined = Rows(found.header, found.cells + cells, found.lines + other.lines, found.bad + other.bad, found.comma)
        return joined, parts

    @contextmanager
    def _named(self, key: str = "") -> Iterator[None]:
        """Name the file, and what setting a column is named by, in an error."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{key}{': ' * bool(key)}{shown(self.path)}: {error}") from error

    def _of(self, found: Rows, name: str, key: str = "") -> list[str]:
        """Return the cells of a column, which a setting may name."""
        with self._named(f"source.{key}={name}" if key else ""):
            return found.column(name)

    @cached_property
    def columns(self) -> tuple[list[Column], list[int], list[str]]:
        """The columns that are looked at, the rows that are, and a sentence for each row that is left out."""
        s, (found, _), bad = self.settings, self.rows, dict[int, str]()
        asked = {key: _names(getattr(s, key)) for key in ("leave_out", "categorical")}
        for key, names in asked.items():
            for name in names:
                self._of(found, name, key)
        apart = {*asked["leave_out"], self.label, s.split_column}
        every = [name for name in found.header if name not in apart]
        if wanted := self.__dict__.get("layout"):  # another place is read as the examples to learn from were
            every = wanted.names
        kept, odd = [], list[int]()
        for name in every:
            cells = self._of(found, name)
            column_, strange = column(name, cells, words=name in asked["categorical"], comma=found.comma)
            for k in strange:
                bad.setdefault(k, odd_one(column_, cells[k], found.lines[k]))
            odd += strange
            kept.append(column_)
        if not kept:
            raise DataError(f"{shown(self.path)} has no column to learn from beside {listed(filter(None, apart))}")
        if odd and s.on_error == "raise":
            raise DataError(
                f"{shown(self.path)}: {bad[min(odd)]}: correct it, leave it empty, name the column in "
                "source.categorical or source.leave_out, or set source.on_error=skip to leave such rows out"
            )
        return kept, [k for k in range(len(found.cells)) if k not in bad], [*found.bad, *bad.values()]

    @cached_property
    def label(self) -> str | None:
        """The column of the classes."""
        named, header = self.settings.label, self.rows[0].header
        if named is None:
            out = _names(self.settings.leave_out)
            return next((name for name in header if name.lower() in LABELS and name not in out), None)
        if named not in header and "layout" in self.__dict__:  # rows without classes, to be embedded
            return None
        self._of(self.rows[0], named, "label")
        return str(named)

    @cached_property
    def held(self) -> Held:
        """All rows, numbers and positions of words, (N, columns)."""
        kept, rows, bad = self.columns
        found, parts = self.rows
        values = np.stack([c.values for c in kept], axis=1)[rows]
        remarks = [] if self.settings.label or not self.label else [f"the column {shown(self.label)} has the classes"]
        for c, own in zip(kept, values.T, strict=True):
            if c.words and len(c.words) > 0.9 * np.isfinite(own).sum() > 10:
                remarks.append(f"nearly each row has a word of its own in the column {shown(c.name)}: leave it out?")
        labels, classes = (None, list[str]()) if self.label is None else self._labels(found, rows)
        names = [str(found.lines[k]) for k in rows]
        return Held({"": values}, labels, classes, remarks, names, None if parts is None else parts[rows])

    def _labels(self, found: Rows, rows: list[int]) -> tuple[NDArray[np.int64] | None, list[str]]:
        cells = [found.column(str(self.label))[k] for k in rows]
        answers, odd = column("", cells, comma=found.comma)
        answers = column("", cells, words=True)[0] if odd else answers
        about = f"{shown(self.path)}: the column {shown(str(self.label))}, source.label,"
        if (answers.values % 1 > 0).any():
            raise DataError(f"{about} has numbers that are no classes, such as {cells[0]}: name another column")
        kinds = np.unique(answers.values[np.isfinite(answers.values)])
        labels = np.where(np.isfinite(answers.values), np.searchsorted(kinds, answers.values), -1).astype(np.int64)
        classes = [str(int(v)) if answers.words is None else answers.words[int(v)] for v in kinds]
        if len(classes) < 2:
            only = f"says {shown(classes[0])} in every row" if classes else "has no value"
            raise DataError(f"{about} {only}: classes are at least two; name another column, or leave this one out")
        return labels, classes

    @of_whole
    def layout(self) -> Layout:
        """What the examples to learn from say of the columns."""
        rows = self.held.arrays[""][self.split("train").content.rows]
        with self._named():
            return Layout.of(self.columns[0], rows, self.settings)

    @property
    def shape(self) -> tuple[int, int]:
        """Of one example: (channels, columns)."""
        return self.layout.shape

    def read(self, indices: Sequence[int] | Index) -> NDArray[np.float32]:
        rows = self.held.arrays[""][self.content.rows[np.asarray(indices, dtype=np.int64)]]
        with self._named():
            return self.layout.encoded(self._parts[None].columns[0], rows)

    @property
    def skipped(self) -> str:
        bad = self._parts[None].columns[2]
        return f"left out {len(bad):,} rows of {shown(self.path)}: {listed(bad)}" if bad else ""

    @classmethod
    def inspect(cls, path: Path) -> Report:
        return _Columns(cls(path, on_error="skip"))


class _Columns(Report):
    """What there is in each column, too."""

    def lines(self) -> Iterator[str]:
        yield from super().lines()
        table: Any = self.source
        values = table.held.arrays[""]
        for c, own in zip(table.columns[0], values.T, strict=True):
            there = own[np.isfinite(own)]
            numbers = f"numbers, {there.min():.4g} to {there.max():.4g}" if len(there) else "nothing"
            said = numbers if c.words is None else f"{len(c.words)} words: {listed(c.words, 5)}"
            gone = f", missing in {len(own) - len(there)} rows" if len(there) < len(own) else ""
            yield f"  column {shown(c.name)}: {said}{gone}"

    @property
    def bad(self) -> list[str]:
        table: Any = self.source
        found: list[str] = table.columns[2]
        return found


def _names(said: str | None) -> list[str]:
    return [] if said is None else [name.strip() for name in said.split(",")]


def _parts(cells: list[str], name: str) -> NDArray[np.str_]:
    """Return "train" or "val" of each row."""
    known = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "val"}
    for k, cell in enumerate(cells):
        if cell.lower() not in known:
            raise DataError(f"source.split_column={name}: row {k + 1} says {shown(cell)!r}: it must be train or val")
    return np.array([known[cell.lower()] for cell in cells])
