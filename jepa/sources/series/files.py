"""One file of series: .csv and .npy with one each, .tsv, .txt and .ts of the UCR and UEA archives with many."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.text import printable, shortened, shown

Floats = NDArray[np.float32]
MISSING = {"", "?", "nan", "na", "null"}
"""what stands for a missing value, in small letters"""
DELIMITERS = ",;\t"
ROWS, ALONE = (".tsv", ".ts", ".txt"), (".csv", ".npy")
"""suffixes of files with a series in each line, and of those that are a series each"""
UNLABELED = ("@classlabel", "@targetlabel")  # words of a .ts file that say what stands behind the last colon


class Recorded(NamedTuple):
    """One series as it was found."""

    name: str
    """its file, and the line in it"""
    values: Floats
    """(channels, samples); NaN: missing"""
    label: str | None
    """its class"""


class Failed(NamedTuple):
    """A series that cannot be read."""

    name: str
    reason: str


Found = Iterator[Recorded | Failed]


def alone(path: Path, name: str, label: str | None) -> Recorded | Failed:
    """Read a file that is one series: an .npy (channels, samples), or a .csv with a row of channels for each sample."""
    try:
        values = _array(path) if path.suffix.lower() == ".npy" else _table(path)
        return Recorded(name, checked(values), label)
    except (DataError, OSError, ValueError) as error:
        return Failed(name, str(error))


def rows(path: Path, name: str) -> Found:
    """Yield the series of a file that has one in each line; raise DataError for a file that has none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is no text in UTF-8, and no file of series: {error.reason}") from error
    read = _ts if path.suffix.lower() == ".ts" else _labels_first
    count = 0
    for number, found in read(path, lines):
        count += 1
        called = f"{name}:{number}"
        yield found(called) if callable(found) else Failed(called, found)
    if not count:
        raise DataError(f"{shown(path)} has no series: it is empty, or ends behind its heading")


def checked(values: NDArray[np.floating]) -> Floats:
    """Return a series as float32; raise DataError for what cannot be learned from."""
    if values.size == 0:
        raise DataError("it is empty")
    if np.isinf(values).any():
        raise DataError("it has infinite numbers: leave such samples empty, or fill them in")
    if np.isnan(values).all():
        raise DataError("it has nothing but missing values")
    if values.shape[1] < 2:
        raise DataError(f"it has one sample, and a series needs 2 at least ({values.shape[0]} channels)")
    with np.errstate(over="ignore"):
        x: Floats = values.astype(np.float32)
    if np.isinf(x).any():
        raise DataError("it has numbers beyond those of 32 bits: divide them")
    return x


def _array(path: Path) -> NDArray[np.floating]:
    try:
        x = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged file may bring about anything
        raise DataError(f"it cannot be read as an array of NumPy's: {error}") from error
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "biuf" or x.ndim not in (1, 2):
        what = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else "several arrays"
        raise DataError(f"it holds {what}: a series is an array of numbers, (samples,) or (channels, samples)")
    return np.atleast_2d(x).astype(np.float64)


def _table(path: Path) -> NDArray[np.floating]:
    """Read a .csv: a row for each sample, a column for each channel, below names of the channels or without them."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"it is no text in UTF-8: {error.reason}") from error
    first = text.partition("\n")[0]
    table = [row for row in csv.reader(text.splitlines(), delimiter=max(DELIMITERS, key=first.count)) if row]
    if not table:
        raise DataError("it is empty")
    heading = table[0] if not any(map(_is_number, table[0])) and not all(map(_is_missing, table[0])) else []
    for number, row in enumerate(table, 1):
        if len(row) != len(table[0]):
            raise DataError(f"row {number} has {len(row)} columns, and row 1 has {len(table[0])}")
    values = [[value_of(cell) for cell in row] for row in table[bool(heading) :]]
    for number, numbers in enumerate(values, 1 + bool(heading)):
        if None in numbers:
            k = numbers.index(None)
            column = f"column {k + 1}" + (f" ({_said(heading[k])})" if heading else "")
            raise DataError(f"{column} has {_said(table[number - 1][k])} in row {number}, and numbers are wanted")
    return np.array(values, np.float64).reshape(len(values), len(table[0])).T


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _is_number(cell: str) -> bool:
    return not _is_missing(cell) and value_of(cell) is not None


def value_of(cell: str) -> float | None:
    """Return a number, NaN for a missing one, None for what is neither."""
    if _is_missing(cell):
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _said(cell: str) -> str:
    return repr(shortened(printable(cell.strip()), 40))


Made = Callable[[str], Recorded | Failed] | str
"""what makes a series of its name, or why there is none"""


def _labels_first(path: Path, lines: list[str]) -> Iterator[tuple[int, Made]]:
    """Yield the lines of UCR's files: a class, then numbers, with tabs, spaces or commas between."""
    for number, line in enumerate(lines, 1):
        cells = line.split("\t") if "\t" in line else line.replace(",", " ").split()
        if line.strip():
            yield number, _one([cells[1:]], _class(cells[0]))


def _ts(path: Path, lines: list[str]) -> Iterator[tuple[int, Made]]:
    """Yield the lines of UEA's files: the channels with colons between, then the class; a heading says so."""
    labeled, data = False, False
    for number, line in enumerate(lines, 1):
        words = line.lower().split()
        if not words or words[0].startswith("#"):
            continue
        if not data:
            if words[:2] == ["@timestamps", "true"]:
                raise DataError(f"{shown(path)} has times beside its values, and values alone are read: resample it")
            labeled = labeled or (words[0] in UNLABELED and words[1:2] == ["true"])
            data = words[0] == "@data"
            if not words[0].startswith("@"):
                raise DataError(f"{shown(path)} has values in line {number} before a line @data: it is no .ts file")
            continue
        parts = line.split(":")
        channels, label = (parts[:-1], _class(parts[-1])) if labeled else (parts, None)
        yield number, _one([part.split(",") for part in channels], label)


def _one(channels: list[list[str]], label: str | None) -> Made:
    """Return what makes a series of its channels' cells; why there is none if a cell is no number."""
    values = [[value_of(cell) for cell in cells] for cells in channels]
    for k, row in enumerate(values):
        if None in row:
            at = row.index(None)
            return f"{_said(channels[k][at])} stands at sample {at + 1}, where a number is wanted"
    longest = max(map(len, values), default=0)
    x = np.full((len(values), longest), np.nan)
    for k, row in enumerate(values):
        x[k, : len(row)] = np.array(row, np.float64)

    def made(name: str) -> Recorded | Failed:
        try:
            return Recorded(name, checked(_trimmed(x)), label)
        except DataError as error:
            return Failed(name, str(error))

    return made


def _trimmed(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return a series without the end in which no channel has a value: UCR's files are filled up to one length."""
    there = np.flatnonzero(~np.isnan(x).all(axis=0))
    return x[:, : there[-1] + 1] if len(there) else x


def _class(cell: str) -> str | None:
    """Return the name of a class: a whole number however it is written, or a text."""
    number, text = value_of(cell), cell.strip()
    if _is_missing(cell):
        return None
    return str(int(number)) if number is not None and np.isfinite(number) and number == int(number) else text
