"""Files of named arrays: safetensors with JSON metadata, written whole or not at all. No pickle.

Other tools read them too. Two things are added in the file's own text metadata: ours as JSON, and a checksum, since the
format itself does not notice a changed byte.
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from minitensor.backend import is_array, plain, to_numpy
from minitensor.errors import DamagedFileError
from minitensor.tensor import Tensor

__all__ = ["load", "save"]

Arrays = dict[str, np.ndarray]
_ONLY = "only numbers can be saved"
_WIDEST = {"V": 2}  # bytes of a number: bfloat16 is of kind V; others have 8, as there is no float128 in the format


def _checked(name: object) -> str:
    """Return a name that the format can hold, or say why it cannot."""
    if not isinstance(name, str):
        raise TypeError(f"save: names are text; got {name!r} of type {type(name).__name__}: use str({name!r})")
    if name == "__metadata__":
        raise ValueError("save: '__metadata__' is where a safetensors file keeps its texts: use another name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"save: the name {name!r} is no text that UTF-8 can hold: use another name") from None
    return name


def _host(name: str, value: Any) -> np.ndarray:
    """Return a value as a NumPy array in C order: safetensors writes other layouts wrongly, without a word."""
    data = value.data if isinstance(value, Tensor) else value
    data = plain(data) if isinstance(data, np.ma.MaskedArray) else data  # refuses masked entries
    try:
        array = np.asarray(to_numpy(data) if is_array(data) else data, order="C")
    except ValueError as error:  # lists of several lengths
        raise TypeError(f"save: {name!r} is no array: {error}") from None
    if array.dtype.kind not in "biufV" or array.dtype.itemsize > _WIDEST.get(array.dtype.kind, 8):
        advice = {"c": "save its .real and .imag", "f": "use .astype('float64')"}
        raise TypeError(
            f"save: {name!r} is a {type(value).__name__} of dtype {array.dtype}: {advice.get(array.dtype.kind, _ONLY)}"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _checksum(arrays: Arrays, text: str) -> str:
    crc = zlib.crc32(text.encode())
    for name in sorted(arrays):
        x = arrays[name]
        crc = zlib.crc32(f"{name} {x.dtype} {x.shape}".encode(), crc)
        crc = zlib.crc32(x.reshape(-1).view(np.uint8).data, crc)
    return f"{crc:08x}"


def _ordered(content: bytes) -> tuple[bytes, memoryview]:
    """Return the head of a safetensors file with its texts in order, and the rest: the writer shuffles them."""
    start = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:start])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text, memoryview(content)[start:]


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: dict[str, str] | None = None) -> None:
    """Write named Tensors, arrays or numbers, and anything that JSON can hold, to a safetensors file.

    Whole or not at all: it is written beside its place, to a new file whose name cannot be guessed, flushed to the disk
    and renamed. If the process dies, what was there before stays. Who may read the file is for the umask to say. The
    same content makes the same bytes. JSON turns number keys into text and tuples into lists.
    Raises TypeError for what is no number, OSError with `path` if it cannot be written, as on a full disk.
    Differs from NumPy: several arrays by name, no allow_pickle. Differs from PyTorch: safetensors, not pickle; metadata
    beside the arrays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model.safetensors", {"x": Tensor([1.0, 2.0])}, {"epoch": 3})
    ...     load(f"{folder}/model.safetensors")
    ({'x': array([1., 2.], dtype=float32)}, {'epoch': 3})
    """
    path = Path(path)
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save takes a dict of names and Tensors; got a {type(tensors).__name__}")
    arrays = {_checked(name): _host(name, value) for name, value in tensors.items()}
    text = json.dumps(metadata or {})
    content = serialize(arrays, {"metadata": text, "crc32": _checksum(arrays, text)})
    beside = path.with_name(f".{path.name[:50]}.{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:
        file = open(beside, "xb")  # noqa: SIM115  ("x": new, through no link)
        try:
            with file:
                file.writelines(_ordered(content))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if os.name == "posix":  # the rename itself, too, has to reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of a safetensors file (of another tool's: its text metadata).

    Raises FileNotFoundError, or DamagedFileError if the file is cut short, changed, or something else.
    Differs from NumPy: safetensors, so no mmap_mode, allow_pickle, fix_imports, encoding and max_header_size. Differs
    from PyTorch: arrays, not the objects that were saved.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/x.safetensors", {"x": [1, 2]}, {"epoch": 3})
    ...     load(f"{folder}/x.safetensors")
    ({'x': array([1, 2])}, {'epoch': 3})
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            texts: dict[str, str] = file.metadata() or {}
            arrays: Arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, OSError, TypeError, OverflowError) as error:
        raise DamagedFileError(f"{path} is damaged, or is no safetensors file: {error}") from error
    if not texts.keys() & {"crc32", "metadata"}:
        return arrays, dict(texts)
    if texts.get("crc32") != _checksum(arrays, texts.get("metadata", "")):
        raise DamagedFileError(f"{path} is damaged: its content does not match its checksum")
    try:
        return arrays, json.loads(texts["metadata"])
    except (KeyError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} is damaged: its metadata are no JSON") from error
