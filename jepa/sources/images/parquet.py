"""Images in a column of a Parquet file, as data sets are given out: bytes, or a struct with `bytes` (needs pyarrow)."""

import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jepa.errors import DataError
from jepa.sources.images.members import Damaged, Member
from jepa.text import listed, shown

STEP = 16  # rows that are read at once
SHRUNK, LARGE = 100, 1 << 30  # a group of more bytes that takes less than one part in so many is no column of images
LABELS = ("label", "labels", "cls", "class", "fine_label")


class Column(NamedTuple):
    """The images of a file, and their classes."""

    images: list[Member]
    labels: list[str | None]


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "reading .parquet needs pyarrow, which is not installed; run: pip install -e '.[parquet]'"
        ) from error
    return pyarrow


def column(path: Path, images: str | None, label: str | None) -> Column:
    """Return the rows of a file as images with their classes.

    images, label: the columns; None: the only one of bytes, and the first of LABELS. Raises DataError.
    """
    arrow = _arrow()
    try:
        with arrow.parquet.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
            leaf = _leaf(path, schema, images)
            _check(path, file.metadata, leaf)
            name = label or next((name for name in LABELS if name in schema.names), None)
            if name is not None and name not in schema.names:
                raise DataError(f"{shown(path)} has no column {shown(name)} (source.label): {listed(schema.names)}")
            values: list[str | None] = [None] * count if name is None else _values(path, file, name)
    except DataError:
        raise
    except Exception as error:  # of many types
        what = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{shown(path)} is no whole Parquet file ({shown(what)}): copy or make it anew") from error
    rows = [Member(str(path), f"{k:08d}", "row", k, 0, column=leaf) for k in range(count)]
    return Column(rows, values)


def _leaf(path: Path, schema: Any, images: str | None) -> str:
    """Return the column of bytes: NAME, or NAME.bytes of a struct."""
    types = _arrow().types
    kinds = (types.is_binary, types.is_large_binary)
    found: dict[str, str] = {}
    for field in schema:
        if any(kind(field.type) for kind in kinds):
            found[field.name] = field.name
        elif types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            found[field.name] = f"{field.name}.bytes"
    if images is not None and images not in found:
        raise DataError(
            f"{shown(path)} has no column of bytes {shown(images)} (source.images): {listed(found) or 'it has none'}"
        )
    if images is None and len(found) != 1:
        what = f"several columns of bytes: set source.images to one of {listed(found)}" if found else "no images"
        raise DataError(f"{shown(path)} has {what}{'' if found else f'; its columns are {listed(schema.names)}'}")
    return found[images] if images is not None else next(iter(found.values()))


def _check(path: Path, metadata: Any, leaf: str) -> None:
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for k in range(row_group.num_columns):
            chunk = row_group.column(k)
            size, taken = chunk.total_uncompressed_size, chunk.total_compressed_size
            if chunk.path_in_schema == leaf and size > LARGE and size > SHRUNK * taken:
                raise DataError(
                    f"{shown(path)} says that it holds {size / 1e9:.0f} GB in {taken / 1e6:.1f} MB: remove it"
                )


def _values(path: Path, file: Any, name: str) -> list[str | None]:
    """Return the class of each row; numbers get their names, where the file says them as Hugging Face does."""
    column = file.read(columns=[name]).column(name)
    kind = str(column.type)
    if not (kind.startswith(("int", "uint", "string", "large_string", "bool", "dictionary"))):
        raise DataError(f"{shown(path)}: the column {shown(name)} ({kind}) has no classes: set source.label to another")
    names = _names(file.schema_arrow.metadata or {}, name)
    return [None if v is None or v == -1 else names.get(v, str(v)) for v in column.to_pylist()]


def _names(metadata: Any, name: str) -> dict[Any, str]:
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][name]["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(k): str(v) for k, v in pairs}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


class _Rows:
    """The rows of a column, quick to be read one after the other: a file is compressed by groups of rows."""

    def __init__(self, path: str, leaf: str) -> None:
        self.file, self.leaf = _arrow().parquet.ParquetFile(path, pre_buffer=False), leaf
        groups = [self.file.metadata.row_group(k).num_rows for k in range(self.file.metadata.num_row_groups)]
        self.starts = np.cumsum([0, *groups])
        self.lock = threading.Lock()
        self.steps: Any = iter(())
        self.group, self.first = -1, 0
        self.rows: Any = ()

    def row(self, number: int) -> bytes | None:
        """Return the bytes of a row; None where there are none."""
        with self.lock:
            group = int(np.searchsorted(self.starts, number, side="right")) - 1
            if group != self.group or number < self.first:
                self.steps = self.file.iter_batches(STEP, row_groups=[group], columns=[self.leaf])
                self.group, self.first, self.rows = group, int(self.starts[group]), next(self.steps).column(0)
            while number >= self.first + len(self.rows):
                self.first += len(self.rows)
                self.rows = next(self.steps).column(0)
            value: Any = self.rows[number - self.first].as_py()
        found: bytes | None = value.get("bytes") if isinstance(value, dict) else value
        return found


@lru_cache(maxsize=8)
def _opened(path: str, leaf: str, changed: int) -> _Rows:
    return _Rows(path, leaf)


def row(path: str, leaf: str, number: int) -> bytes:
    """Return the bytes of an image; raise Damaged where there are none."""
    try:
        found = _opened(path, leaf, Path(path).stat().st_mtime_ns).row(number)
    except (DataError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise Damaged(f"{shown(path)} is damaged, or has changed since it was listed ({shown(what)})") from error
    if not found:
        raise Damaged("its row has no bytes")
    return found
