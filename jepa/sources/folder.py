"""A folder of images as a source: brought to one size, decoded once as far as there is room, with labels and parts."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config.settings import PATH, between, each, setting
from jepa.contracts import Index
from jepa.errors import DataError
from jepa.sources.base import PARTS, Scale, Source, SourceSettings, held_out, of_part, of_whole, spread
from jepa.sources.images.budget import in_bytes
from jepa.sources.images.cache import Decoded
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.listing import Entry, Listing, list_images
from jepa.sources.images.square import How
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
    cache: str | None = setting(None, (lambda v: in_bytes(v) is not None, "must be a size, such as 2GB or 500MB, or 0"))
    """bytes of decoded images that are kept on the disk; others are decoded each time; null: a quarter of the memory"""
    workers: int | None = setting(None, between(0, 256))
    """processes that decode images where it takes long; 0: this one; null: as many as threads compute, if several"""

    def problems(self) -> Iterator[str]:
        for name, given in (("mean", self.mean), ("std", self.std)):
            if self.range == "standard" and len(given) not in (1, self.channels) and len(set(given)) > 1:
                yield f"{name}={list(given)}: needs one number, or one for each of channels={self.channels}"


class Content(NamedTuple):
    """What was read of a part of a folder."""

    names: list[str]
    labels: NDArray[np.int64] | None
    numbers: Index  # (N,): of the images in the listing
    failed: list[tuple[Path, str]]  # files left out, and why
    lost: list[str]  # classes of which no image can be read


class ImageFolder(Source):
    """The images of ROOT/CLASS/*.png, or of a flat folder without labels, each brought to the same square size.

    All files of a part are decoded when it is opened, so that a bad one is known before training starts; a bar tells
    how far they are. What took long is kept on the disk, up to `cache`, and found again (`images.cache`): 3 KB for an
    image of 32 x 32 in color, four times as many for one of 16 bits. What counts as an image, a class and a part:
    `jepa.sources.images.listing`.
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
    handling = ("cache", "workers")

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

    @of_whole
    def decoded(self) -> Decoded:
        """The images of all parts, decoded."""
        s, threads = self.settings, mt.get_num_threads()
        workers = (threads if threads > 1 else 0) if s.workers is None else s.workers
        return Decoded(self.path, self.listing, How(s.size, s.fit, s.channels), s.cache, workers)

    @of_part
    def content(self) -> Content:
        """What is read of the part."""
        every, chosen = self.listing.entries, self._chosen()
        try:
            failed = self.decoded.ready(chosen.tolist(), stop=self.settings.on_error == "raise")
        except UnreadableImage as error:
            raise DataError(f"{error}; or set source.on_error=skip to leave such files out") from error
        why = [(error.path, error.reason) for error in failed.values()]
        kept = chosen[~np.isin(chosen, list(failed))] if failed else chosen
        if not len(kept):
            none = f"none of the {len(chosen)} images of {shown(self.path)} can be read"
            raise DataError(f"{none}: {described(why, len(chosen))}")
        entries = [every[k] for k in kept.tolist()]
        lost = sorted({every[k].label or "" for k in failed} - {e.label or "" for e in entries}) if failed else []
        return Content([str(e.file) for e in entries], self._numbers(entries), kept, why, lost)

    def _chosen(self) -> Index:
        """Return which images are of the part: the folder's own, or held out of everything; at most `limit`."""
        every, part, limit = self.listing.entries, self.part, self.settings.limit
        chosen = np.arange(len(every))
        if part and self.listing.has_splits:
            chosen = np.flatnonzero([entry.split == part for entry in every])
            if not len(chosen):
                remedy = "remove that folder, and a share of the others is held out (source.validation)"
                raise DataError(f"{shown(self.path)} has no images for {part!r}: put some into {part}/, or {remedy}")
        elif part:
            chosen = held_out(self._dealt, part, self.settings.validation)
            if not len(chosen):
                why = "there is only one image: add some" if len(every) == 1 else "lower source.validation"
                raise DataError(f"{shown(self.path)} has no images for {part!r}: {why}")
        self._check([every[k] for k in chosen.tolist()])
        if limit is not None and limit < len(chosen):
            chosen = chosen[np.sort(self._spread(chosen, "limit")[:limit])]
        return chosen

    @of_whole
    def _dealt(self) -> NDArray[np.int64]:
        """All images, in the order in which they are held out."""
        return self._spread(np.arange(len(self.listing.entries)), "held out")

    def _check(self, entries: list[Entry]) -> None:
        """Raise DataError for images that nobody can have meant."""
        check_loose(entries, self.path)

    def _spread(self, chosen: Index, purpose: str) -> NDArray[np.int64]:
        """Return an order of images in which every beginning has each class in its share; by their names alone."""
        entries, names = self.listing.entries, self.listing.names
        marks = (f"{purpose} 0 {names[k]}".encode("utf-8", "surrogateescape") for k in chosen.tolist())
        keys = np.frombuffer(b"".join(hashlib.blake2b(mark, digest_size=8).digest() for mark in marks), dtype=">u8")
        return spread(keys.astype(np.uint64), self._numbers([entries[k] for k in chosen.tolist()]))

    def _numbers(self, entries: list[Entry]) -> NDArray[np.int64] | None:
        """Return the positions of the entries' classes; None if none has one."""
        number = {name: k for k, name in enumerate(self.listing.classes)}
        found = np.array([-1 if entry.label is None else number[entry.label] for entry in entries], dtype=np.int64)
        return found if (found >= 0).any() else None

    @property
    def paths(self) -> list[Path]:
        """The N files, sorted by class and name."""
        return [Path(name) for name in self.content.names]

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
    def kept(self) -> str:
        return self.decoded.said

    @property
    def scale(self) -> Scale:
        """Mean and deviation; numbers that are all equal stand for any number of channels."""
        s = self.settings
        numbers = RANGES[s.range] if s.range in RANGES else (s.mean, s.std)
        mean, std = (np.atleast_1d(np.asarray(v, np.float64)) for v in numbers)
        return tuple(v[:1] if (v == v[0]).all() else v for v in (mean, std))  # type: ignore[return-value]

    def read(self, indices: Sequence[int] | Index) -> NDArray[np.float32]:
        return self.decoded.read(self.content.numbers[np.asarray(indices, dtype=np.int64)])

    def fingerprint(self) -> str:
        """Return a hash of the names below the folder and the sizes of the files, part by part.

        Another place of the same folder gives the same; an image that was added, taken away, renamed or replaced by one
        of another size does not.
        """
        mark, names, sizes = hashlib.blake2b(digest_size=16), self.listing.names, self.decoded.sizes
        for part in PARTS if self.part is None else (self.part,):
            numbers = self.split(part).content.numbers
            for k, size in zip(numbers.tolist(), sizes[numbers].tolist(), strict=True):
                name = names[k].encode("utf-8", "surrogateescape")
                mark.update(b"%s\0%s\0%d\n" % (part.encode(), name, size))
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
