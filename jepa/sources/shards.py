"""Images in archives as a source: .tar as WebDataset has it, .zip of a folder tree, .parquet with a column of them."""

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jepa.config.settings import setting
from jepa.errors import DataError
from jepa.sources.base import of_whole
from jepa.sources.folder import FolderSettings, ImageFolder
from jepa.sources.folders import has_mostly
from jepa.sources.images import archives
from jepa.sources.images.listing import VAL, Entry, Listing, counted, passed_over
from jepa.sources.images.members import Member
from jepa.text import listed, shown

ARCHIVES = (".tar", ".zip")
TABLES = (".parquet",)
COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
KEYS = ("cls", "label", "class")  # of a .json, if nothing is said
WILD, RANGE = set("*?[{"), re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST = 100_000  # shards of a range


@dataclass(frozen=True)
class ShardsSettings(FolderSettings):
    """Of images in archives."""

    label: str | None = setting(None)
    """key of the .json files, or column of a table, with the class; null: .cls, or one of cls, label, class"""
    images: str | None = setting(None)
    """column of a table that holds the images; null: the only one of bytes"""


class Found(NamedTuple):
    """An image in an archive."""

    member: Member
    inner: list[str]
    """the parts of its name"""
    said: str | None
    """its class, as a note or a column says"""
    part: str | None
    """train, or one of VAL, as the name of the archive says"""


class Shards(ImageFolder):
    """The images of archives, each brought to the same square size; nothing is unpacked.

    One file, a pattern (`train-*.tar`, `train-{000..146}.tar`), or a folder of them. A .tar may have NAME.cls or
    NAME.json beside NAME.jpg, the layout of WebDataset; without them, as in a .zip, folders are classes. A .parquet
    has a column of images and one of classes, as data sets of Hugging Face do. Archives whose names say train and val
    (or validation, test) are the parts, and so are folders train/ and val/ in them; otherwise a share is held out.

    Opening it raises DataError if no file matches, if one is damaged (left out with `on_error=skip`, what is whole of a
    .tar is read), or if there are no images. Links, names that lead outside, names that come twice and what says that
    it holds far more than it takes are left out and counted.

    >>> import io, tarfile, tempfile
    >>> from PIL import Image
    >>> path = tempfile.mkdtemp() + "/some.tar"
    >>> with tarfile.open(path, "w") as archive:
    ...     for k in range(20):
    ...         picture = io.BytesIO()
    ...         Image.new("RGB", (8, 8), (k, 0, 0)).save(picture, "png")
    ...         for name, data in ((f"{k:03}.png", picture.getvalue()), (f"{k:03}.cls", str(k % 2).encode())):
    ...             info = tarfile.TarInfo(name)
    ...             info.size = len(data)
    ...             archive.addfile(info, io.BytesIO(data))
    >>> Shards(path, size=8).split("train")
    Shards(some.tar, train: 18 examples of 2 classes, (3, 8, 8))
    """

    Settings = ShardsSettings
    taken = "a .tar, .zip or .parquet of images"
    own = ("label", "images")

    @classmethod
    def takes(cls, path: Path) -> bool:
        ends = path.name.lower().endswith((*ARCHIVES, *TABLES, *COMPRESSED))
        return ends and (path.is_file() or is_pattern(path)) or has_mostly(path, (*ARCHIVES, *TABLES))

    @classmethod
    def inspect(cls, path: Path) -> Any:
        from jepa.sources.images.inspect import inspect

        return inspect(path, cls(path, on_error="skip").listing)

    @property
    def missing(self) -> str:
        return "" if self.path.exists() or (is_pattern(self.path) and matching(self.path)) else str(self.path)

    @of_whole
    def listing(self) -> Listing:
        """The images of all archives."""
        paths = self._paths()
        root = Path(os.path.commonpath([path.parent for path in paths]))
        remarks: list[str] = []
        others: Counter[str] = Counter()
        found = [image for path in paths for image in self._images(root, path, others, remarks)]
        if not found:
            why = f"; left out: {'; '.join(remarks)}" if remarks else ""
            raise DataError(f"no images in {shown(self.path)}{why or ': ' + (counted(others) or 'it is empty')}")
        entries = list(_entries(found, remarks))
        if 0 < (bare := sum(entry.label is None for entry in entries)) < len(entries):
            remarks.append(f"{bare:,} of {len(entries):,} images have no class")
        return Listing(root, sorted(entries, key=_order), others, [], remarks + passed_over(others))

    @property
    def kept(self) -> str:
        slow = (
            "in a .parquet whole groups of rows are read for each image: a larger source.cache, or a .tar, is quicker"
        )
        grouped = self.decoded.loose and any(path.suffix.lower() in TABLES for path in self._paths())
        return f"{super().kept}; {slow}" if grouped else super().kept

    def _check(self, entries: list[Entry]) -> None:
        """Images without a class are counted in the remarks."""

    def _paths(self) -> list[Path]:
        path, ends = self.path, (*ARCHIVES, *TABLES)
        if path.is_dir():
            found = sorted(inner for inner in path.rglob("*") if inner.is_file() and inner.name.lower().endswith(ends))
        else:
            found = matching(path) if is_pattern(path) and not path.exists() else [path]
        if not found or not all(inner.is_file() for inner in found):
            lacking = next((inner for inner in found if not inner.is_file()), path)
            raise DataError(
                f"there is no archive {shown(lacking)}: source.root is a file, a folder of them or a pattern"
            )
        if wrong := [inner for inner in found if not inner.name.lower().endswith((*ends, *COMPRESSED))]:
            raise DataError(f"{shown(wrong[0])} is no archive that is read here: it would end in {', '.join(ends)}")
        return found

    def _images(self, root: Path, path: Path, others: Counter[str], remarks: list[str]) -> Iterator[Found]:
        """Yield the images of an archive."""
        part = _part(path.relative_to(root))
        try:
            if path.suffix.lower() in TABLES:
                yield from self._rows(path, part)
                return
            contents = archives.contents(path)
            if contents.broken and self.settings.on_error == "raise":
                raise DataError(f"{shown(path)} is not whole: {contents.broken}: copy it anew")
        except DataError as error:
            if self.settings.on_error == "raise":
                raise DataError(f"{error}; or set source.on_error=skip to read what is whole") from error
            remarks.append(str(error))
            return
        others.update(contents.others)
        remarks += [f"{shown(path)}: {contents.broken}"] * bool(contents.broken)
        remarks += [f"{shown(path)}: left out {count:,} that {odd}" for odd, count in contents.odd.items()]
        for member, notes in archives.notes_of(contents):
            yield Found(member, archives.tidy(member.name), self._said(member, notes), part)

    def _rows(self, path: Path, part: str | None) -> Iterator[Found]:
        from jepa.sources.images.parquet import column

        images, labels = column(path, self.settings.images, self.settings.label)
        for member, label in zip(images, labels, strict=True):
            yield Found(member, [member.name], label, part)

    def _said(self, member: Member, notes: dict[str, bytes]) -> str | None:
        """Return the class that the notes beside an image say."""
        key = self.settings.label
        if key is None and ".cls" in notes:
            return notes[".cls"].decode("utf-8", "replace").strip() or None
        if ".json" not in notes:
            return None
        try:
            facts = json.loads(notes[".json"])
        except (ValueError, RecursionError):
            facts = None
        facts = facts if isinstance(facts, dict) else {}
        value = facts.get(key) if key is not None else next((facts[name] for name in KEYS if name in facts), None)
        if isinstance(value, dict | list | float):
            raise DataError(
                f"{shown(str(member))}: its .json says {shown(json.dumps(value))} where a class is wanted: set "
                "source.label to a key with a text or a whole number"
            )
        return None if value is None else str(value)


def _entries(found: list[Found], remarks: list[str]) -> Iterator[Entry]:
    """Yield the images of the parts that are read, each with its class."""
    archives_have = _parts({image.part for image in found if image.part})
    if not archives_have:
        top = found[0].inner[0] if all(len(f.inner) > 1 and f.inner[0] == found[0].inner[0] for f in found) else None
        found = [f._replace(inner=f.inner[1:]) for f in found] if top is not None else found
        folders_have = _parts({image.inner[0] for image in found if len(image.inner) > 1})
        if folders_have:
            found = [f._replace(part=f.inner[0], inner=f.inner[1:]) if len(f.inner) > 1 else f for f in found]
        parts = folders_have
    else:
        parts = archives_have
    noted = any(image.said is not None for image in found)
    unused: Counter[str] = Counter()
    for image in found:
        if parts and image.part not in parts:
            unused[image.part or "others"] += 1
            continue
        label = image.said if noted else image.inner[0] if len(image.inner) > 1 else None
        yield Entry(image.member, label, parts.get(image.part or ""), len(image.inner))
    if unused:
        left = listed(f"{name} ({n:,} images)" for name, n in unused.items())
        remarks.append(f"only {' and '.join(parts)} are read, not {left}")


def _parts(names: set[str]) -> dict[str, str]:
    """Return which names mean train and val; nothing unless both are there."""
    lower = {name.lower(): name for name in names}
    val = next((lower[name] for name in VAL if name in lower), None)
    return {lower["train"]: "train", val: "val"} if "train" in lower and val is not None else {}


def _part(path: Path) -> str | None:
    """Return the part that the name of an archive says.

    >>> _part(Path("imagenet-train-000012.tar")), _part(Path("validation-00000-of-00002.parquet")), _part(Path("a.zip"))
    ('train', 'validation', None)
    """
    words = re.split("[^a-z]+", str(path.with_suffix("")).lower())
    return next((word for word in ("train", *VAL) if word in words), None)


def _order(entry: Entry) -> tuple[str, str, str]:
    return entry.split or "", entry.label or "", str(entry.file)


def is_pattern(path: Path) -> bool:
    """Whether a path has wildcards, or a range such as {000..146}."""
    return bool(WILD & set(str(path)))


def matching(path: Path) -> list[Path]:
    """Return the files that a pattern means, sorted; those of a range whether they are there or not.

    >>> [path.name for path in matching(Path("a-{08..10}.tar"))]
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    name = str(path)
    if found := RANGE.search(name):
        first, last = map(int, found.groups())
        if not 0 <= last - first < MOST:
            raise DataError(f"{shown(path)}: {found[0]} is no range of at most {MOST:,} files")
        numbers = (f"{k:0{len(found[1])}d}" for k in range(first, last + 1))
        return [one for k in numbers for one in matching(Path(name.replace(found[0], k, 1)))]
    return [Path(one) for one in sorted(glob.glob(name))] if WILD & set(name) else [path]
