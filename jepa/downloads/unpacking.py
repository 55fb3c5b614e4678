"""Unpacking an archive that nobody vouches for: no file outside, no link, no more bytes than such a set can have."""

import gzip
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from jepa.errors import DataError
from jepa.text import shown

MOST_FILES = 500_000
TIMES, LEAST = 30, 1 << 28  # an archive may grow to so many times its bytes, or to 256 MB
PIECE = 1 << 20
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile),
    *(NotImplementedError, RuntimeError),  # of zipfile: a method that it does not have, a password
)


class Member(NamedTuple):
    """A file in an archive."""

    path: PurePosixPath
    stream: IO[bytes]


def unpacked(archive: Path, to: Path) -> Path:
    """Write all files of a `.tar.gz`, `.tgz`, `.zip`, or the one of a `.gz`, below a folder, which is returned.

    Raises DataError, for archives that are damaged or none; that have links, devices, two files of one name, or paths
    that lead outside; and for more files or bytes than a data set of this size has.
    """
    left, seen = max(TIMES * archive.stat().st_size, LEAST), set[str]()
    try:
        for number, member in enumerate(_members(archive)):
            path = to.joinpath(*member.path.parts)
            if number >= MOST_FILES:
                raise DataError(f"{shown(archive)} is refused: it has more than {MOST_FILES:,} files")
            if str(member.path).lower() in seen:
                raise DataError(f"{shown(archive)} is refused: it has {shown(str(member.path))} twice")
            seen.add(str(member.path).lower())
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                while piece := member.stream.read(PIECE):
                    if (left := left - len(piece)) < 0:
                        raise DataError(
                            f"{shown(archive)} is refused: unpacked it has far more bytes than its size tells"
                        )
                    file.write(piece)
    except DAMAGED as error:
        raise DataError(f"{shown(archive)} is damaged, or no archive: {error}{_page(archive)}") from error
    return to


def _members(archive: Path) -> Iterator[Member]:
    """Yield the files of an archive."""
    name = archive.name.lower()
    if name.endswith((".tar.gz", ".tgz", ".tar")):
        with tarfile.open(archive, "r|*") as tar:
            for entry in tar:
                if entry.isdir():
                    continue
                if not entry.isfile():
                    raise DataError(f"{shown(archive)} is refused: {shown(entry.name)} in it is a link or a device")
                stream = tar.extractfile(entry)
                assert stream is not None, "a file has content"
                yield Member(_inside(entry.name, archive), stream)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if info.is_dir():
                    continue
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise DataError(f"{shown(archive)} is refused: {shown(info.filename)} in it is a link or a device")
                with packed.open(info) as stream:
                    yield Member(_inside(info.filename, archive), stream)
    else:
        with gzip.open(archive) as content:
            yield Member(PurePosixPath(archive.name.removesuffix(".gz")), cast(IO[bytes], content))


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Return the path of an entry, below the folder that it is unpacked to; raise DataError for any other."""
    path = PurePosixPath(name.replace("\\", "/"))
    odd = path.is_absolute() or not path.parts or ".." in path.parts or ":" in name or re.search("[\0-\x1f]", name)
    if odd or any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in path.parts) or len(path.parts) > 32:
        raise DataError(f"{shown(archive)} is refused: {shown(name)} in it leads outside, or is no name of a file")
    return path


def _page(archive: Path) -> str:
    """Say so if an archive is a page for people."""
    with open(archive, "rb") as file:
        start = file.read(200).lstrip().lower()
    return " (it is a page of HTML, as a login or an error page)" if start.startswith((b"<!doctype", b"<html")) else ""


def moved(file: Path, to: Path) -> None:
    """Move a file that was unpacked to where it belongs, whose folder is made."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, to)
