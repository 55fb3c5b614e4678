"""A folder of images as a source: decoded once, brought to one size, with labels and parts."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, between, each, setting
from jepa.contracts import Index
from jepa.errors import DataError
from jepa.sources.base import PARTS, Scale, Source, SourceSettings, as_floats, held_out, of_whole, spread
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.listing import Entry, Listing, list_images
from jepa.sources.images.reading import How
from jepa.sources.images.store import stored_squares
from jepa.text import listed, shown

RANGES = {"0..1": (0.0, 1.0), "-1..1": (0.5, 0.5)}


@dataclass(frozen=True)
class FolderSettings(SourceSettings):
    """Of images."""

    mean: tuple[float, ...] = setting((0.5,), each(between(-1000, 1000), 3))
    """of each channel, or one number for all, for range=standard"""
    std: tuple[float, ...] = setting((0.25,), each(between(1e-4, 1000), 3))
    """of each channel, or one number for all, for range=standard"""
    root: str | None = setting(None, PATH)
    """folder of images, ROOT/CLASS/*.png or flat"""
    size: int = setting(32, between(4, 2048))
    """side of the square that every image is brought to, in pixels"""
    fit: Literal["stretch", "crop", "pad"] = setting("stretch")
    """how: whatever the proportions; the largest square in the middle; scaled to fit, on white"""
    channels: int = setting(3, (lambda v: v in (1, 3), "must be 1 (gray) or 3 (color)"))
    """3: color; 1: gray; every file is converted"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what an unreadable file does: stop, or be skipped and listed"""
    range: Literal["0..1", "-1..1", "standard"] = setting("standard")
    """what the network sees: [0, 1], [-1, 1], or (x - mean) / std"""

    def problems(self) -> Iterator[str]:
        for name, given in (("mean", self.mean), ("std", self.std)):
            if self.range == "standard" and len(given) not in (1, self.channels) and len(set(given)) > 1:
                yield f"{name}={list(given)}: needs one number, or one for each of channels={self.channels}"


class Content(NamedTuple):
    """What was read of a part of a folder."""

    names: list[str]
    labels: NDArray[np.int64] | None
    paths: list[Path]
    pixels: NDArray[Any]  # (N, c, size, size): uint8, or float32 in [0, 1] if any file has 16 bits
    failed: list[tuple[Path, str]]  # files left out, and why
    lost: list[str]  # classes of which no image can be read


class ImageFolder(Source):
    """The images of ROOT/CLASS/*.png, or of a flat folder without labels, each brought to the same square size.

    All files of a part are read when it is opened, so that a bad one is known before training starts, and kept as bytes
    (3 KB for an image of 32 x 32 in color), or as float32 if any file has 16 bits. They are read by as many threads as
    compute, a bar tells how far they are, and what took more than two seconds is found again by whoever opens the
    folder next (`images.store`). What counts as an image, a class and a part: `jepa.sources.images.listing`.
    If ROOT has the sub-folders train and val (or valid, validation, test), these are the parts. Otherwise a share of
    each class is held out, chosen by a hash of the files' names: the same ones for the same files, whatever their
    content, and nearly the same ones when files are added.

    Opening it raises DataError if the folder is missing or has no images, if images lie beside class folders, or if a
    file cannot be read.

    >>> import tempfile
    >>> from jepa.sources import shapes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train = ImageFolder(shapes.write(folder + "/shapes", count=50), size=16).split("train")
    ...     print(train)
    ImageFolder(shapes, train: 40 examples of 10 classes, (3, 16, 16))
    >>> train.read([0]).shape, train.labels[0], train.classes[0]
    ((1, 3, 16, 16), np.int64(0), 'arrow')
    """

    Settings = FolderSettings
    place = "root"
    taken = "a folder of images"
    pictures = "jepa.pictures.image"

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.is_dir()

    @classmethod
    def inspect(cls, path: Path) -> Any:
        from jepa.sources.images.inspect import inspect

        return inspect(path)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one example: (channels, size, size)."""
        return self.settings.channels, self.settings.size, self.settings.size

    @of_whole
    def listing(self) -> Listing:
        """The files of all parts."""
        return list_images(self.path)

    @cached_property
    def content(self) -> Content:
        """What is read of the part."""
        entries = self._entries()
        place = {entry: k for k, entry in enumerate(self.listing.entries)}
        paths, numbers = [entry.path for entry in place], [place[entry] for entry in entries]
        how = How(self.settings.size, self.settings.fit, self.settings.channels)
        try:
            found = stored_squares(paths, numbers, how, stop=self.settings.on_error == "raise")
        except UnreadableImage as error:
            raise DataError(f"{error}; or set source.on_error=skip to leave such files out") from error
        failed = [(error.path, error.reason) for error in found.failed.values()]
        kept = [entry for k, entry in enumerate(entries) if k not in found.failed]
        if not kept:
            none = f"none of the {len(entries)} images of {shown(self.path)} can be read"
            raise DataError(f"{none}: {described(failed, len(entries))}")
        lost = sorted({e.label or "" for e in entries} - {e.label or "" for e in kept})
        files = [entry.path for entry in kept]
        return Content(list(map(str, files)), self._numbers(kept), files, found.pixels, failed, lost)

    def _entries(self) -> list[Entry]:
        """Return the entries of the part: the folder's own, or one that is held out of everything; at most `limit`."""
        entries, part, limit = self.listing.entries, self.part, self.settings.limit
        if part and self.listing.has_splits:
            entries = [entry for entry in entries if entry.split == part]
            if not entries:
                remedy = "remove that folder, and a share of the others is held out (source.validation)"
                raise DataError(f"{shown(self.path)} has no images for {part!r}: put some into {part}/, or {remedy}")
        elif part:
            chosen = held_out(self._spread(entries, "held out"), part, self.settings.validation)
            if not len(chosen):
                why = "there is only one image: add some" if len(entries) == 1 else "lower source.validation"
                raise DataError(f"{shown(self.path)} has no images for {part!r}: {why}")
            entries = [entries[i] for i in chosen]
        check_loose(entries, self.path)
        if limit is not None and limit < len(entries):
            entries = [entries[i] for i in np.sort(self._spread(entries, "limit")[:limit])]
        return entries

    def _spread(self, entries: list[Entry], purpose: str) -> NDArray[np.int64]:
        def key(entry: Entry) -> bytes:
            name = f"{purpose} 0 {entry.path.relative_to(self.listing.root).as_posix()}"
            return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()

        keys = np.frombuffer(b"".join(map(key, entries)), dtype=">u8").astype(np.uint64)
        return spread(keys, self._numbers(entries))

    def _numbers(self, entries: list[Entry]) -> NDArray[np.int64] | None:
        """Return the positions of the entries' classes; None if none has one."""
        number = {name: k for k, name in enumerate(self.listing.classes)}
        found = np.array([-1 if entry.label is None else number[entry.label] for entry in entries], dtype=np.int64)
        return found if (found >= 0).any() else None

    @property
    def paths(self) -> list[Path]:
        """The N files, sorted by class and name."""
        return self.content.paths

    @property
    def classes(self) -> list[str]:
        """Names of the class folders, of all parts together, sorted."""
        return self.listing.classes

    @property
    def remarks(self) -> list[str]:
        lost = self.content.lost
        return self.listing.remarks + ([f"no image can be read in the class folders {listed(lost)}"] if lost else [])

    @property
    def skipped(self) -> str:
        failed = self.content.failed
        return described(failed, len(failed) + len(self)) if failed else ""

    @property
    def scale(self) -> Scale:
        """Mean and deviation; numbers that are all equal stand for any number of channels."""
        s = self.settings
        numbers = RANGES[s.range] if s.range in RANGES else (s.mean, s.std)
        mean, std = (np.atleast_1d(np.asarray(v, np.float64)) for v in numbers)
        return tuple(v[:1] if (v == v[0]).all() else v for v in (mean, std))  # type: ignore[return-value]

    def read(self, indices: Sequence[int] | Index) -> NDArray[np.float32]:
        return as_floats(self.content.pixels, np.asarray(indices, dtype=np.int64))

    def fingerprint(self) -> str:
        """Return a hash of the names below the folder and the sizes of the files, part by part.

        Another place of the same folder gives the same; an image that was added, taken away, renamed or replaced by one
        of another size does not.
        """
        mark = hashlib.blake2b(digest_size=16)
        for part in PARTS if self.part is None else (self.part,):
            for path in self.split(part).paths:
                name = path.relative_to(self.listing.root).as_posix().encode("utf-8", "surrogateescape")
                mark.update(b"%s\0%s\0%d\n" % (part.encode(), name, path.stat().st_size))
        return mark.hexdigest()


def described(failed: list[tuple[Path, str]], total: int, what: str = "images") -> str:
    """Return a sentence on what is left out, the first ten by name."""
    names = [f"{shown(path)} ({reason})" for path, reason in failed[:10]]
    more = f" and {len(failed) - 10:,} more" if len(failed) > 10 else ""
    return f"skipped {len(failed):,} of {total:,} {what} that cannot be read: {', '.join(names)}{more}"


def check_loose(entries: list[Entry], root: Path, what: str = "images") -> None:
    """Raise DataError for images, or clips, beside class folders; train/ may have classes where val/ is flat."""
    for part in {entry.split for entry in entries}:
        mine = [entry for entry in entries if entry.split == part]
        loose = [entry for entry in mine if entry.label is None]
        if loose and len(loose) < len(mine):
            raise DataError(
                f"{shown(root)} has {len(loose)} {what} beside its class folders (first: {shown(loose[0].path.name)}): "
                f"move them into a class folder, or all {what} into one folder if there are no classes"
            )
