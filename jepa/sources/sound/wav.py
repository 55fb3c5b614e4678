"""Reading a .wav file: RIFF chunks, PCM of 8, 16, 24 and 32 bits, floats of 32 and 64, any number of channels.

`wave` of the standard library knows neither floats nor what is wrong with a file. The format: Microsoft & IBM 1991,
"Multimedia Programming Interface and Data Specifications 1.0", chapter 3.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.text import printable

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 80: "MPEG", 85: "MP3"}
"""what some other numbers of formats stand for"""


class Clip(NamedTuple):
    """The sound in a file."""

    samples: NDArray[np.float32]
    """(channels, samples), full scale is 1"""
    rate: int
    """samples in a second"""
    kind: str
    """how they are stored: 16-bit, 32-bit float"""


def read_wav(path: Path) -> Clip:
    """Return the sound in a .wav file.

    Whole numbers of b bits are divided by 2^(b - 1), so that full scale is 1; 8 bits are unsigned, around 128. A file
    that ends before its header says has what is there. Raises DataError, with the reason alone, for what is no sound
    that can be read: another kind of file, a damaged header, another codec, no samples, samples that are NaN.
    """
    data = path.read_bytes()
    if len(data) < 12 or data[:4] not in (b"RIFF", b"RIFX", b"RF64") or data[8:12] != b"WAVE":
        begins = repr(printable(data[:12].decode("ascii", "replace")))
        raise DataError("it is empty" if not data else f"it is no .wav file: it begins with {begins}")
    if data[:4] != b"RIFF":
        raise DataError(f"it is of the kind {data[:4].decode()}, and only RIFF is read: convert it")
    chunks = _chunks(data)
    if b"fmt " not in chunks or b"data" not in chunks:
        lacks = "no header (chunk 'fmt ')" if b"fmt " not in chunks else "no samples (chunk 'data')"
        raise DataError(f"it is damaged: it has {lacks}")
    channels, rate, bits, kind = _header(chunks[b"fmt "])
    width, body = channels * bits // 8, chunks[b"data"]
    if len(body) < width:
        raise DataError("it has no samples: its length is zero")
    x = _numbers(body[: len(body) // width * width], bits, kind).reshape(-1, channels).T
    if not np.isfinite(x).all():
        raise DataError("it has samples that are NaN or infinite")
    return Clip(np.ascontiguousarray(x, np.float32), rate, f"{bits}-bit{' float' if kind == FLOAT else ''}")


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the first chunk of each name; each begins at an even place."""
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        found.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


def _header(chunk: bytes) -> tuple[int, int, int, int]:
    """Return channels, rate, bits and format; DataError for what is not read."""
    if len(chunk) < 16:
        raise DataError(f"it is damaged: its header has {len(chunk)} bytes, and needs 16")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == EXTENSIBLE and len(chunk) >= 26:
        kind = int.from_bytes(chunk[24:26], "little")  # where the GUID of the real format begins
    if kind not in (PCM, FLOAT):
        known = f" ({CODECS[kind]})" if kind in CODECS else ""
        raise DataError(f"its codec is not read, number {kind}{known}: save it as PCM")
    if not channels or not rate or block != channels * bits // 8:
        said = f"{channels} channels, {rate} samples in a second, {block} bytes for {bits} bits of each channel"
        raise DataError(f"its header cannot be right: {said}")
    if bits not in ((8, 16, 24, 32) if kind == PCM else (32, 64)):
        raise DataError(f"it has {bits} bits in a sample: PCM of 8, 16, 24 and 32 is read, and floats of 32 and 64")
    return channels, rate, bits, kind


def _numbers(data: bytes, bits: int, kind: int) -> NDArray[Any]:
    """Return samples, full scale 1, of little-endian bytes."""
    if kind == FLOAT:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the upper three bytes of 32 bits
        return wide.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(data, f"<i{bits // 8}") / 2.0 ** (bits - 1)
