"""Texts and labels as they lie in files: a folder of .txt, or rows of a .csv, .tsv or .jsonl."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jepa.errors import DataError
from jepa.sources.folders import list_files
from jepa.sources.images.listing import VAL
from jepa.sources.tables.delimited import MISSING, read_rows
from jepa.text import did_you_mean, listed, printable, shortened, shown

TABLES = (".csv", ".tsv", ".jsonl")
TEXT = ("text", "sentence", "review", "content", "document")
LABEL = ("label", "class", "sentiment", "category", "language", "target")


class Entry(NamedTuple):
    """A text as it was found; `reason` says why there is none."""

    name: str
    text: str
    label: str | None
    part: str | None
    reason: str = ""


class Columns(NamedTuple):
    """The settings of columns: None stands for the first known name that is there."""

    text: str | None
    label: str | None

    def found(self, names: list[str], path: Path) -> tuple[str, str | None]:
        """Return the columns of texts and of labels; DataError for one that is not there."""
        chosen = []
        for role, wanted, known in (("text", self.text, TEXT), ("label", self.label, LABEL)):
            found = next((n for n in names if n == wanted or (wanted is None and n.lower() in known)), None)
            if found is None and (wanted is not None or role == "text"):
                asked = f"no column {shown(wanted)}" if wanted else "no column that is called text"
                near = did_you_mean(wanted or "text", names)
                raise DataError(f"{shown(path)} has {asked}, but {listed(names)}: set source.{role}.{near}")
            chosen.append(found)
        return str(chosen[0]), chosen[1]


def read(path: Path, columns: Columns, val: Path | None) -> tuple[list[Entry], list[str]]:
    """Return the texts of a folder or file, and remarks; `val`: the file of those that are held out.

    A folder has .txt files, in folders that are called as their classes, below train/ and val/ or not; or tables of
    which one is called train, and one val, valid, validation or test (or ends with it, NAME_train.jsonl).
    """
    tables = tables_in(path) if path.is_dir() else {}
    if path.is_dir() and not tables:
        listing = list_files(path, (".txt",), "texts")
        return [_file(f.path, path, f.label, f.part) for f in listing.files], listing.remarks
    files = [*tables.items()] or [(None if val is None else "train", path)]
    files += [("val", val)] if val is not None and "val" not in tables else []
    return [entry for part, file in files for entry in _rows(file, columns, part)], []


def tables_in(folder: Path) -> dict[str | None, Path]:
    """Return the tables of the parts that lie directly in a folder; {} unless there is one called train."""
    found = {path.stem.lower().rpartition("_")[2]: path for path in sorted(folder.glob("*")) if is_table(path)}
    val = next((found[name] for name in VAL if name in found), None)
    return {"train": found["train"], **({"val": val} if val else {})} if "train" in found else {}


def is_table(path: Path) -> bool:
    """Whether a file is called like a table."""
    return path.suffix.lower() in TABLES and path.is_file()


def has_texts(path: Path) -> bool:
    """Whether the first line of a table names a column of texts."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline(1 << 16)
    except (OSError, UnicodeDecodeError):
        return False
    return any(f'"{name}"' in first or name in _cells(first) for name in TEXT)


def _cells(line: str) -> list[str]:
    for delimiter in ";\t|":
        line = line.replace(delimiter, ",")
    return [cell.strip().lower() for cell in line.split(",")]


def _file(path: Path, root: Path, label: str | None, part: str | None) -> Entry:
    name = path.relative_to(root).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return Entry(name, "", label, part, f"it is no UTF-8 text ({_line(path)}): {error.reason}")
    except OSError as error:
        return Entry(name, "", label, part, str(error.strerror))
    return Entry(name, text, label, part, "" if text.strip() else "it is empty")


def _line(path: Path) -> str:
    """Say in which line the first bytes are that are no UTF-8."""
    data = path.read_bytes()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"line {data.count(bytes([10]), 0, error.start) + 1}"
    return "a line that has changed meanwhile"


def _rows(path: Path, columns: Columns, part: str | None) -> Iterator[Entry]:
    """Yield the texts of a table, in its order."""
    if not path.is_file():
        raise DataError(f"{shown(path)} is not there" if not path.exists() else f"{shown(path)} is no file of texts")
    try:
        rows = _lines(path, columns) if path.suffix.lower() == ".jsonl" else _delimited(path, columns)
        for line, text, label, reason in rows:
            why = reason or ("" if text.strip() else "its text is empty")
            yield Entry(f"{path.name}:{line}", text, label, part, why)
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is no UTF-8 text ({_line(path)}): save it as UTF-8") from error


Row = tuple[int, str, str | None, str]


def _delimited(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield line, text, label and what is wrong of each row of a .csv or .tsv."""
    _ = path.read_text(encoding="utf-8-sig")  # a byte that is no text is said with its line
    rows = read_rows(path, skip=True)
    text, label = columns.found(rows.header, path)
    texts, labels = rows.column(text), None if label is None else rows.column(label)
    for k, line in enumerate(rows.lines):
        named = None if labels is None or labels[k].lower() in MISSING else labels[k]
        yield line, texts[k], named, ""
    for reason in rows.bad:
        yield int(reason.split()[1]), "", None, reason


def _lines(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield line, text, label and what is wrong of each object of a .jsonl."""
    named: tuple[str, str | None] | None = None
    kinds: set[type] = set()
    for line, content in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not content.strip():
            continue
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            yield line, "", None, f"it is no JSON: {shortened(printable(str(error)), 100)}"
            continue
        if not isinstance(found, dict):
            yield line, "", None, f"it is no object with a text and a label, but {_kind(found)}"
            continue
        named = named or columns.found(list(found), path)
        text, label = found.get(named[0]), found.get(named[1]) if named[1] else None
        kinds |= {type(label)} - {type(None)}
        yield line, text if isinstance(text, str) else "", _class(label), _wrong(named[0], text, label, kinds)
    if named is None and not kinds:
        raise DataError(f"{shown(path)} has no texts: it is empty, or no line of it is an object")


def _class(label: Any) -> str | None:
    return None if label is None else str(label)


def _wrong(column: str, text: Any, label: Any, kinds: set[type]) -> str:
    """Say what is wrong with the values of a line."""
    if text is None:
        return f"it has no {shown(column)}"
    if not isinstance(text, str):
        return f"its {shown(column)} is {_kind(text)}, and no text"
    if isinstance(label, list | dict | float) or len(kinds) > 1:
        return (
            f"its label is {_kind(label)}, and others are {listed(sorted({_named(k) for k in kinds} - {_kind(label)}))}"
        )
    return ""


def _kind(value: Any) -> str:
    return _named(type(value))


def _named(kind: type) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}
    return names.get(kind, "an object" if kind is dict else "null")
