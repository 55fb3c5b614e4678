"""A folder of images as one array in memory: decoded once, brought to one size, with labels and splits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jepa.data.decode import WHITE, UnreadableImage, check_settings
from jepa.data.listing import Entry, Listing, list_images
from jepa.data.reading import How
from jepa.data.store import stored_squares
from jepa.errors import DataError
from jepa.text import listed, shown

__all__ = ["ImageFolder"]

Indices = Sequence[int] | NDArray[np.integer[Any]]


class ImageFolder:
    """The images of ROOT/CLASS/*.png, or of a flat folder without labels, each brought to the same square size.

    All files are read when the folder is opened, so that a bad one is known before training starts, and kept as bytes
    (3 KB for an image of 32 x 32 in colour), or as float32 if any file has 16 bits. They are read by as many threads as
    compute, a bar tells how far they are, and what took more than two seconds is found again by whoever opens the
    folder next (`jepa.data.store`). What counts as an image, a class and a split: `jepa.data.listing`. If ROOT has the
    sub-folders train and val (or valid, validation, test), these are the splits. Otherwise a share of each class is
    held out, chosen by `seed` and a hash of the files' names: the same ones for the same files, whatever their content,
    and nearly the same ones when files are added.

    Parameters
    ----------
    root : path
        The folder.
    split : None, "train" or "val"
        Which part; None: everything.
    image_size : int
        Side of the square that every image is brought to, in pixels.
    channels : int
        3: colour; 1: grey; every file is converted (see `decode`).
    on_error : "raise" or "skip"
        What an unreadable file does: raise a DataError that names it, or be left out and listed in `skipped`.
    sizes : "resize" or "pad"
        Images of other sizes are resized to the square whatever their proportions, or scaled to fit into it and
        padded with the ground, which counts as a part of the image; `boxes` tells one from the other.
    validation : float
        Share that is held out as "val", where ROOT has no splits of its own; at least one image.
    seed : int
        Decides which images are held out, and which ones `limit` keeps.
    limit : int, optional
        Keep at most so many images of the split, each class in its share.
    ground : three numbers in [0, 1]
        Colour behind transparent pixels and in the padding; white by default.

    Attributes
    ----------
    paths : list of N Path
        The files, sorted by class and name.
    labels : int64 array (N,), or None
        Position of each image's class in `classes`, -1 if it has none; None for a flat folder.
    classes : list of str
        Names of the class folders, of all splits together, sorted.
    class_to_idx : dict
        Position of each class.
    boxes : list of N (top, left, height, width)
        Where the image lies in its square: the whole square, but for padding.
    skipped : list of (Path, str)
        Files left out, and why.
    remarks : list of str
        Sentences on what else is left out of the folder, and what of it is taken for a class.

    Raises
    ------
    DataError
        The folder is missing or has no images, images lie beside class folders, or a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from jepa.data import shapes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train = ImageFolder(shapes.write(folder + "/shapes", count=50), split="train", image_size=16)
    >>> train
    ImageFolder(shapes, train: 40 images of 10 classes, 3 x 16 x 16)
    >>> train[0].shape, train.labels[0], train.images([0, 1]).shape
    ((3, 16, 16), np.int64(0), (2, 3, 16, 16))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: Literal["train", "val"] | None = None,
        image_size: int = 32,
        channels: int = 3,
        on_error: Literal["raise", "skip"] = "raise",
        sizes: Literal["resize", "pad"] = "resize",
        validation: float = 0.1,
        seed: int = 0,
        limit: int | None = None,
        ground: Sequence[float] = WHITE,
    ) -> None:
        for name, value, allowed in (
            ("split", split, (None, "train", "val")),
            ("on_error", on_error, ("raise", "skip")),
            ("sizes", sizes, ("resize", "pad")),
        ):
            if value not in allowed:
                raise DataError(f"ImageFolder: {name}={value!r} must be one of {', '.join(map(repr, allowed))}")
        listing = list_images(root)
        self.root, self.split, self.sizes = listing.root, split, sizes
        self.image_size, self.channels = image_size, channels
        self.classes = listing.classes
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        entries = _part(listing, split, validation, seed)
        if limit is not None and limit < len(entries):
            entries = [entries[i] for i in sorted(_spread(entries, self.root, seed, "limit")[:limit])]
        self.remarks = list(listing.remarks)
        kept = self._load(listing.entries, entries, on_error, ground)
        self.paths = [entry.path for entry in kept]
        self.labels: NDArray[np.int64] | None = None
        if any(entry.label is not None for entry in kept):
            numbers = [-1 if entry.label is None else self.class_to_idx[entry.label] for entry in kept]
            self.labels = np.array(numbers, dtype=np.int64)  # (N,)

    def _load(self, every: list[Entry], entries: list[Entry], on_error: str, ground: Sequence[float]) -> list[Entry]:
        """Read the files of the entries, some of every one of the folder; return those that could be read."""
        check_settings(self.channels, ground)
        how = How(self.image_size, self.sizes == "pad", self.channels, tuple(map(float, ground)))
        place = {entry: k for k, entry in enumerate(every)}
        paths, numbers = [entry.path for entry in every], [place[entry] for entry in entries]
        try:
            found = stored_squares(paths, numbers, how, stop=on_error == "raise")
        except UnreadableImage as error:
            raise DataError(f"{error}; or set data.on_error=skip to leave such files out") from error
        self._cache, self.boxes = found.pixels, found.boxes  # (N, C, S, S)
        self.skipped = [(error.path, error.reason) for error in found.failed.values()]
        kept = [entry for k, entry in enumerate(entries) if k not in found.failed]
        if not kept:
            none = f"none of the {len(entries)} images of {shown(self.root)} can be read"
            raise DataError(f"{none}: {self.describe_skipped()}")
        lost = sorted({e.label or "" for e in entries} - {e.label or "" for e in kept})
        if lost:
            self.remarks.append(f"no image can be read in the class folders {listed(lost)}")
        return kept

    def __len__(self) -> int:
        return len(self._cache)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Return image `index`, float32 (C, S, S) in [0, 1]."""
        x: NDArray[np.float32] = self.images([index])[0]
        return x

    def images(self, indices: Indices | None = None) -> NDArray[np.float32]:
        """Return these images, or all, as float32 (n, C, S, S) in [0, 1]; an array of the caller's own."""
        x = self._cache if indices is None else self._cache[np.asarray(indices, dtype=np.int64)]
        y: NDArray[np.float32] = np.divide(x, 255 if x.dtype == np.uint8 else 1, dtype=np.float32)
        return y

    def describe_skipped(self) -> str:
        """Return a sentence on what was left out: how many files, and the first ten with the reason."""
        if not self.skipped:
            return f"every image of {shown(self.root)} could be read"
        total = len(self.skipped) + len(self.boxes)
        names = [f"{shown(path)} ({reason})" for path, reason in self.skipped[:10]]
        more = f" and {len(self.skipped) - 10:,} more" if len(self.skipped) > 10 else ""
        return f"skipped {len(self.skipped):,} of {total:,} images that cannot be read: {', '.join(names)}{more}"

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.labels is not None else ""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        name = self.root.name + (f", {self.split}" if self.split else "")
        shape = " x ".join(map(str, self._cache.shape[1:]))
        return f"ImageFolder({name}: {len(self)} images{classes}, {shape}{skipped})"


def _part(listing: Listing, split: str | None, validation: float, seed: int) -> list[Entry]:
    """Return the entries of a split: the folder's own, or one that is held out of everything."""
    entries, root = listing.entries, shown(listing.root)
    if split and listing.has_splits:
        entries = [entry for entry in entries if entry.split == split]
        if not entries:
            remedy = "remove that folder, and a share of the others is held out (data.validation)"
            raise DataError(f"{root} has no images for the split {split!r}: put some into {split}/, or {remedy}")
    elif split:
        entries = _hold_out(entries, listing.root, split, validation, seed)
    if not entries:
        few, bound = len(listing.entries) == 1, "above 0" if split == "val" else "below 1"
        why = "there is only one image: add some" if few else f"set data.validation {bound}"
        raise DataError(f"{root} has no images for the split {split!r}: {why}")
    for one in {entry.split for entry in entries}:  # train/ may have classes where val/ is flat
        mine = [entry for entry in entries if entry.split == one]
        loose = [entry for entry in mine if entry.label is None]
        if loose and len(loose) < len(mine):
            raise DataError(
                f"{root} has {len(loose)} images beside its class folders (first: {shown(loose[0].path.name)}): move "
                "them into a class folder, or all images into one folder if there are no classes"
            )
    return entries


def _spread(entries: list[Entry], root: Path, seed: int, purpose: str) -> list[int]:
    """Return an order of the entries in which every beginning has each class in its share, as nearly as it can.

    Image number r of a class of n has the rank (r + 1/2) / n; the order is by rank. Within a class images are numbered
    by a hash of their name, so that a file which is added or taken away moves hardly any other.
    """

    def key(entry: Entry) -> bytes:
        name = f"{purpose} {seed} {entry.path.relative_to(root).as_posix()}"
        return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()

    keys = [key(entry) for entry in entries]
    classes: dict[str, list[int]] = {}
    for i in sorted(range(len(entries)), key=keys.__getitem__):
        classes.setdefault(entries[i].label or "", []).append(i)
    rank = {i: ((r + 0.5) / len(mine), keys[i]) for mine in classes.values() for r, i in enumerate(mine)}
    return sorted(rank, key=rank.__getitem__)


def _hold_out(entries: list[Entry], root: Path, split: str, validation: float, seed: int) -> list[Entry]:
    """Return the part of the entries that is in the split, in their order."""
    count = max(1, round(validation * len(entries))) if validation > 0 else 0
    held_out = set(_spread(entries, root, seed, "held out")[:count])
    return [entry for i, entry in enumerate(entries) if (i in held_out) == (split == "val")]
