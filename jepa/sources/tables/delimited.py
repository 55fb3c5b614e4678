"""A text file of rows and columns (.csv): header, delimiter, cells; and what kind of values a column has."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.text import did_you_mean, listed, printable, shortened, shown

DELIMITERS = ",;\t|"
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""what stands for a missing value, whatever its case"""


class Rows(NamedTuple):
    """The cells of a file."""

    header: list[str]
    cells: list[list[str]]
    """of each row, one for each column"""
    lines: list[int]
    """of each row, the line of the file that it begins on, counted from 1"""
    bad: list[str]
    """a sentence for each row that is left out"""
    comma: bool = False
    """whether a comma may stand before the decimals of a number, as cells are not separated by commas"""

    def column(self, name: str) -> list[str]:
        """Return the cells of a column, without blanks around them; DataError for one that there is not."""
        if name not in self.header:
            columns = f"{did_you_mean(name, self.header)} Columns: {listed(self.header)}"
            raise DataError(f"there is no column {shown(name)}.{columns}")
        k = self.header.index(name)
        return [row[k].strip() for row in self.cells]


class Column(NamedTuple):
    """The values of a column: numbers, or words by their place in a list."""

    name: str
    values: NDArray[np.float64]
    """(N,): a number, or a position in `words`; NaN: it is missing"""
    words: list[str] | None
    """the different words, sorted; None: it has numbers"""


def read_rows(path: Path, skip: bool = False) -> Rows:
    """Return the header and the cells of a file of UTF-8 text.

    The delimiter is the one of comma, semicolon, tab and bar that the header has most of. Rows without any character
    are passed over. skip: a row with more or fewer cells than the header is left out, and said; else it raises
    DataError, as do an empty file, a name that two columns have, and what is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is no UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {error.strerror}") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found = Rows([], [], [], [], comma=delimiter == ";")
    try:
        before = 0
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                _add(found, cells, line, path, skip)
    except csv.Error as error:
        raise DataError(f"{shown(path)} is no table of text, line {reader.line_num}: {error}") from error
    if not found.cells:
        rest = " but a header" if found.header else ": it needs a line with the names of the columns, and rows"
        raise DataError(f"{shown(path)} has nothing in it{rest}")
    return found


def _add(found: Rows, cells: list[str], line: int, path: Path, skip: bool) -> None:
    """Take the header, or a row."""
    if not found.header:
        found.header.extend(cell.strip() for cell in cells)
        for name in found.header:
            if found.header.count(name) > 1 or not name:
                what = f"two columns {shown(name)}" if name else "a column without a name"
                raise DataError(f"{shown(path)} has {what}: each needs a name of its own in the first line")
        return
    if len(cells) != len(found.header):
        why = f"line {line} has {len(cells)} cells, and the header {len(found.header)}"
        if not skip:
            raise DataError(f"{shown(path)}: {why}: correct it, or set source.on_error=skip to leave such rows out")
        found.bad.append(why)
        return
    found.cells.append(cells)
    found.lines.append(line)


def missing(cells: Sequence[str]) -> NDArray[np.bool_]:
    """Return which cells say that a value is missing.

    >>> missing(["1", "", "NaN", "?", "no"]).tolist()
    [False, True, True, True, False]
    """
    return np.array([cell.lower() in MISSING for cell in cells], bool)


def number(cell: str, comma: bool = False) -> float:
    """Return the finite number that a cell says, with a point (or a comma) before its decimals; NaN if it says none.

    >>> number("1.5"), number("-2,5", comma=True), number("1e3"), number("inf"), number("abc")
    (1.5, -2.5, 1000.0, nan, nan)
    """
    try:
        value = math.nan if "_" in cell else float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def column(name: str, cells: Sequence[str], *, words: bool = False, comma: bool = False) -> tuple[Column, list[int]]:
    """Return a column's values, and its rows whose value is of another kind than most.

    Numbers where most values are numbers, else words; `words`: whatever they look like.

    >>> found, odd = column("size", ["1", "2", "", "big"])
    >>> found.values.tolist(), found.words, odd
    ([1.0, 2.0, nan, nan], None, [3])
    """
    there = ~missing(cells)
    numbers = np.array([number(cell, comma) if here else math.nan for cell, here in zip(cells, there, strict=True)])
    counts = np.isfinite(numbers)
    if not words and 2 * counts.sum() >= there.sum():
        return Column(name, numbers, None), np.flatnonzero(there & ~counts).tolist()
    kinds = sorted({cell for cell, here in zip(cells, there, strict=True) if here})
    place = {word: k for k, word in enumerate(kinds)}
    values = np.array([place[cell] if here else math.nan for cell, here in zip(cells, there, strict=True)])
    return Column(name, values, kinds), [] if words else np.flatnonzero(counts).tolist()


def odd_one(found: Column, cell: str, line: int) -> str:
    """Say which value of a column is of another kind than the others."""
    most, other = ("words", "a number") if found.words is not None else ("numbers", "no number")
    return f"line {line} has {shortened(printable(cell), 40)!r} in the column {shown(found.name)}, {other} among {most}"
