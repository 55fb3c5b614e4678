"""Where the bytes of an image lie: in a file of their own, or somewhere in an archive, and how they are had from there.

What an archive says of itself is not believed: no more is read, and made of it, than was said when it was listed.
"""

import os
import zlib
from collections.abc import Callable
from typing import IO, NamedTuple

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

    def read(self, archive: IO[bytes] | None = None) -> bytes:
        """Return the bytes of the image, of an open archive; raise Damaged, or OSError where it cannot be read."""
        if archive is not None:
            return READERS[self.how](self, archive)
        with open(self.archive, "rb", buffering=0) as file:
            return READERS[self.how](self, file)


File = str | Member
"""a path, or a member of an archive"""


def _taken(member: Member, archive: IO[bytes]) -> bytes:
    archive.seek(member.offset)
    data = archive.read(member.taken)
    if len(data) < member.taken:
        raise Damaged(f"{shown(member.archive)} is cut short, or has changed since it was listed")
    return data


def _checked(member: Member, data: bytes) -> bytes:
    if len(data) != member.size:
        has = "more" if len(data) > member.size else "fewer" if data else "none"
        raise Damaged(f"it says that it has {member.size:,} bytes, and has {has}")
    if member.check >= 0 and zlib.crc32(data) != member.check:
        raise Damaged("its checksum is wrong")
    return data


def _stored(member: Member, archive: IO[bytes]) -> bytes:
    return _checked(member, _taken(member, archive))


def _deflated(member: Member, archive: IO[bytes]) -> bytes:
    try:
        return _checked(member, zlib.decompressobj(-15).decompress(_taken(member, archive), member.size + 1))
    except zlib.error as error:
        raise Damaged(f"it cannot be unpacked ({error})") from error


def _row(member: Member, archive: IO[bytes]) -> bytes:
    from jepa.sources.images.parquet import row

    return row(member.archive, member.column, member.offset)


READERS: dict[str, Callable[[Member, IO[bytes]], bytes]] = {"stored": _stored, "deflated": _deflated, "row": _row}
