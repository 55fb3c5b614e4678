"""Where the bytes of an image lie: in a file of their own, or somewhere in an archive, and how they are had from there.

What an archive says of itself is not believed: no more is read, and made of it, than was said when it was listed.
"""

import os
import zlib
from collections.abc import Callable
from typing import NamedTuple

from jepa.text import shown


class Damaged(Exception):
    """What an archive holds is not what it said; the text says so, as a clause."""


class Member(NamedTuple):
    """A file in an archive. Its text is the path that it would have if the archive were a folder."""

    archive: str
    name: str
    """its name in the archive, or the number of its row"""
    how: str
    """one of READERS"""
    offset: int
    """where its bytes begin in the archive; its row in a table"""
    size: int
    """bytes of the image"""
    taken: int = 0
    """bytes that it takes in the archive"""
    check: int = -1
    """CRC-32 of the image; -1: none is known"""
    column: str = ""
    """of a table: the column that holds the images"""

    def __str__(self) -> str:
        return f"{self.archive}{os.sep}{self.name}"

    def read(self) -> bytes:
        """Return the bytes of the image; raise Damaged, or OSError where the archive cannot be read."""
        return READERS[self.how](self)


File = str | Member
"""a path, or a member of an archive"""


def _taken(member: Member) -> bytes:
    with open(member.archive, "rb", buffering=0) as file:
        file.seek(member.offset)
        data = file.read(member.taken)
    if len(data) < member.taken:
        raise Damaged(f"{shown(member.archive)} is cut short, or has changed since it was listed")
    return data


def _checked(member: Member, data: bytes) -> bytes:
    if len(data) != member.size:
        raise Damaged(f"it says that it has {member.size:,} bytes, and has {'more' if data else 'none'}")
    if member.check >= 0 and zlib.crc32(data) != member.check:
        raise Damaged("its checksum is wrong")
    return data


def _stored(member: Member) -> bytes:
    return _checked(member, _taken(member))


def _deflated(member: Member) -> bytes:
    try:
        return _checked(member, zlib.decompressobj(-15).decompress(_taken(member), member.size + 1))
    except zlib.error as error:
        raise Damaged(f"it cannot be unpacked ({error})") from error


def _row(member: Member) -> bytes:
    from jepa.sources.images.parquet import row

    return row(member.archive, member.column, member.offset)


READERS: dict[str, Callable[[Member], bytes]] = {"stored": _stored, "deflated": _deflated, "row": _row}
