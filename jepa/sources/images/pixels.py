"""Rows of decoded images: in memory while they are few, else in files that are mapped, and only ever added to.

A row has the bytes of one square, (channels, side, side) of uint8; a square of 16 bits, float32, takes four.
"""

import mmap
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 4 << 20  # bytes that are written at once
TOUCHED = 64 << 20  # bytes that are read before the pages of a file are let go
LET_GO = None if sys.platform == "win32" else mmap.MADV_DONTNEED
Rows = NDArray[np.uint8]


class Memory:
    """Squares that are held."""

    def __init__(self) -> None:
        self.squares: list[NDArray[Any]] = []
        self.size = 0

    def add(self, square: NDArray[Any]) -> int:
        """Keep a square; return its row."""
        self.squares.append(square)
        self.size += square.nbytes
        return len(self.squares) - 1

    def read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Put the bytes of rows of uint8 into out, (n, channels, side, side)."""
        for k, row in enumerate(rows.tolist()):
            out[k] = self.squares[row]

    def deep(self, row: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return a square of float32."""
        return self.squares[row]


class Mapped:
    """The rows of a file. What was read of it does not stay in the memory of the process, but in the system's."""

    def __init__(self, path: Path, width: int) -> None:
        self.path, self.width, self._touched = path, width, 0
        with open(path, "rb") as file:
            self.rows = os.fstat(file.fileno()).st_size // width
            self._map = mmap.mmap(file.fileno(), self.rows * width, access=mmap.ACCESS_READ)
        self._data: Rows = np.frombuffer(self._map, np.uint8).reshape(self.rows, width)

    def read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Put the bytes of rows of uint8 into out, (n, channels, side, side)."""
        np.take(self._data, rows, axis=0, out=out.reshape(len(rows), self.width), mode="clip")
        self._touched += out.nbytes
        if self._touched > TOUCHED and LET_GO is not None:
            self._touched = 0
            self._map.madvise(LET_GO)  # they are read only: what is needed again is there again

    def deep(self, row: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return a square of float32."""
        return self._data[row : row + 4].reshape(-1).view(np.float32).reshape(shape).copy()


class Growing:
    """A new file of rows, whole up to what `flush` has written."""

    def __init__(self, folder: Path, width: int) -> None:
        self.path = folder / f"pixels-{secrets.token_hex(8)}"
        self.width, self.rows, self.whole = width, 0, 0
        self.pending: list[tuple[int, NDArray[Any]]] = []
        self._size = 0
        self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115

    def add(self, number: int, square: NDArray[Any]) -> int:
        """Take a square, of the image `number`; return its row."""
        row = self.rows
        self.pending.append((number, square))
        self.rows += square.nbytes // self.width
        self._size += square.nbytes
        if self._size >= BLOCK:
            self.flush()
        return row

    def flush(self) -> None:
        """Write what is pending; after an OSError it is pending still."""
        data = memoryview(b"".join(np.ascontiguousarray(square).tobytes() for _, square in self.pending))
        self._file.seek(self.whole * self.width)
        while data:
            data = data[self._file.write(data) :]
        self.pending, self._size, self.whole = [], 0, self.rows

    def safe(self) -> None:
        """Write what is pending, and wait until the disk has all."""
        self.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; without rows it is taken away."""
        self._file.close()
        if not self.whole:
            self.path.unlink(missing_ok=True)
