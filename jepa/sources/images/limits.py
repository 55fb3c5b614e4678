"""What an image file may ask for. A small file can ask for much: pixels, scans, blocks of text; it is refused before.

Every check looks at bytes or at a header, never at pixels, in a time that the size of the file bounds.
"""

import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from PIL import Image

FILE = 200_000_000  # bytes of a file
LARGE = 10_000_000  # bytes of a file that waits until no other such file is being read
PIXELS = 90_000_000  # pixels that are decoded; a JPEG, which can be decoded at an eighth of its size, may have more
SIDE = 100_000  # pixels of a side: each row costs time, however short it is
MEMORY = 750_000_000  # bytes that decoding may take
SCANS = 100  # passes over the pixels of a JPEG; ten are usual
WORK = 1_500_000_000  # scans times pixels of a JPEG
PIECES = 100_000  # chunks of a PNG, segments of a JPEG, strips or tiles of a TIFF
TEXTS = 1_000  # chunks of a PNG that are not pixels
METADATA = 12_000_000  # bytes of a JPEG's segments that are not pixels
COMMENTS = 1_000_000  # bytes before the first picture of a GIF
HEADER = 10_000  # bytes in which width and height of a PPM stand
ANIMATED = 20_000  # pictures of an animation
BLOCKS = 2_000_000  # of a GIF
SLOW = 3_000_000  # values that Pillow decodes in Python: plain PPM, BMP with run lengths

COSTS = {"WEBP": 16, "AVIF": 20, "HEIF": 20, "JPEG2000": 24, "GIF": 8}  # bytes for a pixel; 4, Pillow's own, for others
FEWER = {"JPEG2000": 6_000_000}  # pixels of a format that takes longer
SEGMENT = re.compile(rb"\xff+([^\xff])", re.DOTALL)
AFTER_PIXELS = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)  # 00 and restarts belong to the pixels
SIZES = re.compile(rb"P.(?:(?:\s|#[^\r\n]*[\r\n])+[-+.0-9]{1,10}){2}")  # between spaces and comments
BARE = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers without a length
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers that say the size
_large = threading.Lock()
_taken = 0
_freed = threading.Condition()


class Excessive(Exception):
    """A file asks for too much; the text says for what, as a clause."""


def check_content(data: bytes) -> int:
    """Return the scans of a JPEG, 1 for the others; raise Excessive, or ValueError for a wrong checksum of pixels."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        return _check_jpeg(data)
    elif data.startswith(b"GIF8"):
        _check_gif(data)
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _check_tiff(data)
    elif data.startswith(b"P") and len(data) > HEADER and not SIZES.match(data[:HEADER]):
        raise Excessive(f"it says no width and height in its first {HEADER:,} bytes")
    return 1


def check_size(image: Image.Image, full: tuple[int, int], scans: int) -> int:
    """Return about how many bytes it takes to decode an image whose header was read; raise Excessive if too many.

    `full`: (width, height) in the file, of which `image.size` may be a part.
    """
    width, height = image.size
    pixels, said = width * height, f"{full[0]} x {full[1]} pixels"
    most = FEWER.get(image.format or "", PIXELS)
    if pixels > most:
        raise Excessive(f"it has {said}, and at most {most // 10**6} million are read")
    if max(full) > SIDE:
        raise Excessive(f"it has {said}, and no side may be longer than {SIDE:,}")
    tiles = getattr(image, "tile", None)
    if tiles and tiles[0][0] in Image.DECODERS and pixels * len(image.getbands()) > SLOW:
        raise Excessive(f"its {said} are stored in a way that takes too long to read ({tiles[0][0]})")
    needed = _memory(image, full, scans)
    if needed > MEMORY:
        at_most = f"and at most {MEMORY / 1e9:.2f} GB are allowed"
        raise Excessive(f"it would take {needed / 1e9:.2f} GB to read its {said}, {at_most}")
    return needed


def frames(image: Any, data: bytes) -> int:
    """Return how many pictures an animation has, 1 of a still image; raise Excessive for too many."""
    count = _frames_of_gif(data) if data.startswith(b"GIF8") else int(getattr(image, "n_frames", 1))
    if count > ANIMATED:
        raise Excessive(f"it has more than {ANIMATED:,} pictures")
    return max(count, 1)


def check_frames(image: Image.Image, count: int) -> None:
    """Raise Excessive if it takes too long to decode the first pictures of an animation, so many of them."""
    if count > 1 and count * image.width * image.height > WORK:
        said = f"{count:,} pictures of {image.width} x {image.height} pixels"
        raise Excessive(f"{said} would have to be decoded, and at most {WORK / 1e9:.1f} billion pixels are")


@contextmanager
def room(size: int) -> Iterator[None]:
    """Wait until so many bytes are left of MEMORY, which all threads share, and take them."""
    global _taken
    size = min(size, MEMORY)
    with _freed:
        _freed.wait_for(lambda: _taken + size <= MEMORY)
        _taken += size
    try:
        yield
    finally:
        with _freed:
            _taken -= size
            _freed.notify_all()


@contextmanager
def alone(size: int) -> Iterator[None]:
    """Wait, if a file of so many bytes is large, until no other large one is in memory."""
    with _large if size > LARGE else nullcontext():
        yield


def _memory(image: Any, full: tuple[int, int], scans: int) -> int:
    width, height = image.size
    needed: int = width * height * COSTS.get(image.format or "", 4) + 2 * len(image.fp.getvalue())
    if scans > 1:  # all coefficients are kept until the last scan has been read
        needed += 2 * full[0] * full[1] * len(image.getbands())
    tags: Any = getattr(image, "tag_v2", None)
    return needed if tags is None else needed + _piece_of_tiff(image, tags)


def _piece_of_tiff(image: Any, tags: Any) -> int:
    """Return the bytes of the strip or tile in which a TIFF is decoded; refuse a JPEG of many scans in it."""
    bits = max(tags.get(258, (1,)))
    rows, columns = min(tags.get(278, image.height), image.height), image.width
    if 322 in tags:
        rows, columns = tags[323], tags[322]
    places = tags.get(324, tags.get(273, ()))
    if image.info.get("compression") in ("jpeg", "tiff_jpeg"):
        found = image.fp.getvalue().count(b"\xff\xda")
        if found > SCANS + 4 * len(places):
            raise Excessive(f"it is a TIFF of JPEG pieces with {found:,} scans")
    return int(rows * columns * len(image.getbands()) * max(bits, 8) // 8)


def _check_png(data: bytes) -> None:
    at, pieces, texts = 8, 0, 0
    view = memoryview(data)
    width, height = (int.from_bytes(data[k : k + 4], "big") for k in (16, 20))  # of the header, which comes first
    if len(data) >= 24 and not (width and height):
        raise ValueError(f"its header says {width} x {height} pixels")
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return
        if kind == b"IDAT" and end <= len(data):
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise ValueError("the checksum of its pixels is wrong")
        texts += kind not in (b"IDAT", b"fdAT", b"fcTL")
        pieces += 1
        if pieces > PIECES or texts > TEXTS:
            raise Excessive(f"it has more than {TEXTS if texts > TEXTS else PIECES:,} chunks")
        at = end


def _check_jpeg(data: bytes) -> int:
    at, pieces, metadata, scans, pixels = 2, 0, 0, 0, 0
    while found := (AFTER_PIXELS if scans else SEGMENT).search(data, at):
        code = found[1][0]
        pieces += 1 if scans else found.end() - at - 1  # Pillow goes byte by byte to the first scan
        at = found.end()
        if pieces > PIECES:
            raise Excessive(f"it has more than {PIECES:,} segments")
        if code == 0xD9:  # the end; another picture may follow
            break
        if code in BARE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if code == 0xDA:
            scans += 1
            if scans == 1 and (most := 1 + data.count(b"\xff\xda", at)) <= SCANS and most * pixels <= WORK:
                return most  # found quickly, and seldom more than there are
        elif code in FRAMES:
            pixels = int.from_bytes(data[at + 3 : at + 5], "big") * int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            metadata += length
        at += max(length, 2)
        if scans > SCANS or (scans > 1 and scans * pixels > WORK):
            raise Excessive(f"its pixels come in {scans} scans or more, each of {pixels / 1e6:.0f} million pixels")
        if metadata > METADATA:
            raise Excessive(f"it has more than {METADATA // 10**6} MB that are not pixels")
    return scans


def _check_gif(data: bytes) -> None:
    at = 13 + ((6 << (data[10] & 7)) if data[10:11] and data[10] & 128 else 0)
    while at < len(data) and data[at] not in b",;":  # a picture, or the end
        if data[at] == 0x21:  # an extension: blocks, each with its length, until an empty one
            at += 2
            while at < len(data) and data[at] and at < COMMENTS:
                at += data[at] + 1
        at += 1
        if at > COMMENTS:
            raise Excessive(f"it has more than {COMMENTS // 10**6} MB before its first picture")


def _frames_of_gif(data: bytes) -> int:
    """Count the pictures without decoding one: what lies between them are blocks, each with its length."""
    at, count, blocks = 13 + ((6 << (data[10] & 7)) if data[10:11] and data[10] & 128 else 0), 0, 0
    while at < len(data) and data[at] in b",!" and count <= ANIMATED:
        if data[at] == 0x2C:
            if at + 10 > len(data):
                break
            count += 1
            at += 11 + ((6 << (data[at + 9] & 7)) if data[at + 9] & 128 else 0)
        else:
            at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
            blocks += 1
            if blocks > BLOCKS:
                raise Excessive(f"it comes in more than {BLOCKS:,} blocks")
        at += 1
    return count


def _check_tiff(data: bytes) -> None:
    """Look through the directory of the first picture for how many strips or tiles it has."""
    big = 43 in data[2:4]  # with numbers of 8 bytes

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if data.startswith(b"I") else "big")

    start = number(8, 8) if big else number(4, 4)
    count, at, size = (number(start, 8), start + 8, 20) if big else (number(start, 2), start + 2, 12)
    for entry in range(at, at + size * min(count, PIECES), size):
        if number(entry, 2) in (273, 324) and (pieces := number(entry + 4, 8 if big else 4)) > PIECES:
            raise Excessive(f"it comes in {pieces:,} strips or tiles, and at most {PIECES:,} are read")
