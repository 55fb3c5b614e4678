"""The headers of a .tar, one after the other: ustar, with the long names of GNU and POSIX (pax).

The standard library's reader takes ten times as long, keeps all members, and believes how long a header says it is.
Formats: POSIX.1-2001, pax interchange format; GNU tar manual, "Basic Tar Format".
"""

import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from jepa.sources.images.members import Damaged

BLOCK = 512
LONGEST = 1 << 20  # bytes of a header behind a header
REGULAR, LINKS, FOLDER, SPARSE = b"0\0007", b"12", b"5", b"S"
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL = b"L", b"K", b"xX", b"g"
RECORD = re.compile(rb"(\d{1,10}) ([^=\n]{1,100})=")


class Header(NamedTuple):
    """A member."""

    name: str
    offset: int
    """where its bytes begin"""
    size: int
    odd: str
    """what is odd about it, as a clause: "are links"; empty for a regular file"""
    folder: bool


def headers(file: IO[bytes], end: int) -> Iterator[Header]:
    """Yield the members of a .tar of `end` bytes; the bytes of the last one may not be there.

    Raises Damaged where it ends too early, or no header is where one was due.
    """
    place, more = 0, dict[bytes, bytes]()
    while place < end:
        file.seek(place)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise Damaged("it is cut short")
        if not block.strip(b"\0"):
            return
        name, size, kind = _fields(block)
        size = _number(more[b"size"], 10) if b"size" in more else size
        taken = -(-size // BLOCK) * BLOCK
        if kind in LONG_NAME + LONG_LINK + EXTENDED + GLOBAL:
            if size > LONGEST:
                raise Damaged(f"a header takes more than {LONGEST >> 20} MB")
            if kind not in LONG_LINK + GLOBAL:
                text = file.read(size)
                more |= {b"path": text.rstrip(b"\0")} if kind in LONG_NAME else _records(text)
            place += BLOCK + taken
            continue
        sparse = kind in SPARSE or any(key.startswith(b"GNU.sparse") for key in more)
        odd = "are links" if kind in LINKS else "are no regular files" if kind not in REGULAR or sparse else ""
        name = more.get(b"path", name)
        yield Header(
            name.decode("utf-8", "surrogateescape"), place + BLOCK, size, odd, kind in FOLDER or name[-1:] == b"/"
        )
        place, more = place + BLOCK + (0 if kind in LINKS + FOLDER else taken), {}
    raise Damaged("it has no end mark")


def _fields(block: bytes) -> tuple[bytes, int, bytes]:
    """Return name, size and type of a header; raise Damaged for what is none."""
    if sum(block[:148]) + sum(block[156:]) + 8 * 32 != _number(block[148:156]):
        raise Damaged("it is damaged")
    name, _, _ = block[:100].partition(b"\0")
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return name, _number(block[124:136]), block[156:157]


def _number(field: bytes, base: int = 8) -> int:
    """Return a number: octal digits, in an extended header decimal ones, or bytes behind a bit that says so."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-9]*", digits):
        raise Damaged("it is damaged")
    try:
        return int(digits or b"0", base)
    except ValueError as error:
        raise Damaged("it is damaged") from error


def _records(text: bytes) -> dict[bytes, bytes]:
    """Return what an extended header says: LENGTH KEY=VALUE, line by line."""
    found, place = {}, 0
    while record := RECORD.match(text, place):
        end = place + int(record[1])
        if not record.end() < end <= len(text):
            break
        found[record[2]] = text[record.end() : end - 1]
        place = end
    return found
