"""What is in a .tar or a .zip: where the bytes of each image lie, and the small files beside them. Nothing is unpacked.

An archive comes from elsewhere. Its names are names and no paths: none is opened. What is odd about a member (a link,
an absolute name, a name twice, encryption, far fewer bytes than it says to hold) leaves it out, and is counted.
"""

import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from jepa.errors import DataError
from jepa.sources.images.formats import suffixes
from jepa.sources.images.listing import ending_of, is_system
from jepa.sources.images.members import Damaged, Member
from jepa.sources.images.tar import headers
from jepa.text import shown

MOST = 128 << 20  # bytes of a table of contents, or of one entry of it
NOTE = 1 << 20  # bytes of a small file beside an image
SHRUNK, LARGE = 200, 10_000_000  # a member of more bytes that takes less than one part in so many is no image
NOTES = (".cls", ".json")
ABSOLUTE = re.compile(r"^([/\\]|[A-Za-z]:)")


class Contents(NamedTuple):
    """What an archive holds."""

    images: list[Member]
    notes: dict[str, bytes]
    """the small files beside them, by name"""
    others: Counter[str]
    """what is no image, by the ends of names"""
    odd: Counter[str]
    """members that are left out, by what is odd about them"""
    broken: str
    """where the archive ends too early, as a clause; empty if it is whole"""

    @classmethod
    def nothing(cls) -> "Contents":
        """Return what there is at first."""
        return cls([], {}, Counter(), Counter(), "")


class Bounded:
    """A file that is not read in larger pieces than a table of contents has."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        """Read bytes, at most MOST."""
        left = os.fstat(self.file.fileno()).st_size - self.file.tell()
        if min(left, size if size >= 0 else left) > MOST:
            raise Damaged(f"its table of contents takes more than {MOST >> 20} MB")
        return self.file.read(size)

    def seekable(self) -> bool:
        """Whether it can be gone about in."""
        return True


def contents(path: Path) -> Contents:
    """Return what is in an archive; raise DataError for one that is none, or is compressed as a whole."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(4)
            if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")):
                raise DataError(
                    f"{shown(path)} is compressed as a whole: no image of it can be read without all before it. "
                    "Unpack it once (gunzip, bunzip2, unxz, unzstd), and name the .tar"
                )
            file.seek(0)
            return READERS[path.suffix.lower()](path, file)
    except (zipfile.BadZipFile, Damaged, ValueError, EOFError, NotImplementedError) as error:
        what = str(error).rstrip(".") or type(error).__name__
        raise DataError(f"{shown(path)} is no whole archive ({what}): copy or make it anew, or remove it") from error
    except OSError as error:
        raise DataError(f"cannot read the archive {shown(path)}: {error.strerror or error}") from error


def _tar(path: Path, file: IO[bytes]) -> Contents:
    found, seen, last = Contents.nothing(), _Seen(), ""
    end = os.fstat(file.fileno()).st_size
    try:
        for header in headers(file, end):
            if header.offset + header.size > end and not header.odd:
                return found._replace(broken=f"it is cut short in {shown(header.name)}")
            last = header.name
            if not header.folder:
                member = Member(str(path), header.name, "stored", header.offset, header.size, header.size)
                seen.take(found, member, header.odd, file)
    except Damaged as error:
        if not last:
            raise
        return found._replace(broken=f"{error} behind {shown(last)}")
    return found


def _zip(path: Path, file: IO[bytes]) -> Contents:
    found, seen, end = Contents.nothing(), _Seen(), os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(Bounded(file)) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            how = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}.get(info.compress_type, "")
            odd = "" if how else "are packed in a way that is not read here"
            if stat.S_ISLNK(info.external_attr >> 16):
                odd = "are links"
            elif info.flag_bits & 1:
                odd = "are encrypted"
            elif info.file_size > LARGE and info.file_size > SHRUNK * info.compress_size:
                odd = "say that they hold far more than they take"
            start = -1 if odd or not 0 <= info.header_offset < end else _data(file, info)
            odd = odd or ("are damaged" if start < 0 else "")
            name = info.filename if "/" in info.filename else info.filename.replace("\\", "/")
            sizes = info.file_size, info.compress_size, info.CRC
            seen.take(found, Member(str(path), name, how, start, *sizes), odd, file)
    return found


def _data(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member of a .zip begin, behind its own header; -1 if there is none."""
    file.seek(info.header_offset)
    head = file.read(30)
    if len(head) < 30 or not head.startswith(b"PK\3\4"):
        return -1
    return info.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")


class _Seen:
    """Takes members one by one, and leaves out what is odd."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._images = tuple(suffixes())

    def take(self, found: Contents, member: Member, odd: str, archive: IO[bytes]) -> None:
        """Take one; `odd` says what is wrong with it already."""
        parts = tidy(member.name)
        outside = not parts or ".." in parts or "\0" in member.name or bool(ABSOLUTE.match(member.name))
        if not outside and any(map(is_system, parts)):
            return
        ending = os.path.splitext(member.name)[1].lower()
        image, note = member.name.lower().endswith(self._images), ending in NOTES
        if not (image or note or odd):
            found.others[ending_of(member.name)] += 1
            return
        name = "/".join(parts)
        if outside:
            odd = "have names that lead outside"
        elif name in self._names:
            odd = odd or "have the name of another one"
        elif note and max(member.size, member.taken) > NOTE:
            odd = odd or f"are notes of more than {NOTE >> 20} MB"
        self._names.add(name)
        if odd:
            found.odd[odd] += 1
        elif note:
            try:
                found.notes[name] = member.read(archive)
            except Damaged:
                found.odd["are damaged"] += 1
        else:
            found.images.append(member._replace(name=name))


def tidy(name: str) -> list[str]:
    """Return the parts of a member's name.

    >>> tidy("./cat//1.png")
    ['cat', '1.png']
    """
    return [part for part in name.split("/") if part not in ("", ".")]


READERS: dict[str, Callable[[Path, IO[bytes]], Contents]] = {".tar": _tar, ".zip": _zip}


def notes_of(contents: Contents) -> Iterator[tuple[Member, dict[str, bytes]]]:
    """Yield each image with the small files beside it, by the ends of their names.

    As in WebDataset, what stands before the first dot of a file's name is what they have in common.
    """
    for member in contents.images:
        folder, slash, file = member.name.rpartition("/")
        stem = folder + slash + file.partition(".")[0]
        yield member, {end: contents.notes[stem + end] for end in NOTES if stem + end in contents.notes}
