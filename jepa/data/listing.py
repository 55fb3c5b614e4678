"""Which images lie in a folder, and what their places say about class and split; no file is opened."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from jepa.data.decode import SUFFIXES
from jepa.errors import DataError

__all__ = ["Entry", "Listing", "list_images"]

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation", "test")}
EXPECTED = (
    f"FOLDER/CLASS/*{SUFFIXES[0]} (or {', '.join(SUFFIXES[1:])}), FOLDER/train/CLASS/* with FOLDER/val/CLASS/*, "
    "or a flat folder of images"
)


class Entry(NamedTuple):
    """An image file."""

    path: Path
    label: str | None
    """Name of its class folder; None in a flat folder."""
    split: str | None
    """"train" or "val", if the folder has such sub-folders."""


class Listing(NamedTuple):
    """The images of a folder, sorted by split, class and name."""

    root: Path
    entries: list[Entry]
    others: Counter[str]
    """Files that are not images, by suffix."""
    unused: list[str]
    """Sub-folders that are passed over: test/ beside train/ and val/, say."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes, of all splits together, sorted."""
        return sorted({entry.label for entry in self.entries if entry.label is not None})

    @property
    def has_splits(self) -> bool:
        """Whether the folder has its own train/ and val/ (or test/)."""
        return any(entry.split for entry in self.entries)


def list_images(root: str | os.PathLike[str]) -> Listing:
    """List the images below a folder: ROOT/CLASS/*.png, the same below ROOT/train and ROOT/val, or flat.

    With sub-folders train and one of val, valid, validation, test (in capitals too), only these count, and the others
    are listed in `unused`; a train alone is everything. An image anywhere below a class folder belongs to that class.
    Links are followed. Names that begin with a dot are passed over. Anything else whose name ends as an
    image's does is listed, be it readable or not.

    Raises
    ------
    DataError
        The folder is missing, is no folder, may not be listed, or has no images (and what it has instead).
    """
    root = Path(root)
    _check_folder(root)
    names = {name.lower(): name for name in sorted(os.listdir(root)) if (root / name).is_dir() and name[0] != "."}
    val = next((names[name] for name in SPLITS["val"] if name in names), None)
    parts: dict[str | None, Path] = {None: root}
    if "train" in names and val:
        parts = {"train": root / names["train"], "val": root / val}
    elif list(names) == ["train"]:
        parts = {None: root / names["train"]}
    used = {folder.name for folder in parts.values()}
    unused = [] if None in parts and parts[None] == root else sorted(set(names.values()) - used)
    entries: list[Entry] = []
    others: Counter[str] = Counter()
    for split, folder in parts.items():
        for inner in _files(folder):
            if not _is_image(inner[-1]):
                others[os.path.splitext(inner[-1])[1].lower() or "no suffix"] += 1
                continue
            entries.append(Entry(folder.joinpath(*inner), inner[0] if len(inner) > 1 else None, split))
    if not entries:
        seen = ", ".join(f"{n} x {suffix}" for suffix, n in others.most_common())
        raise DataError(
            f"no images in {root}: {f'its files are {seen}' if seen else 'it has no files'}; expected {EXPECTED}"
        )
    return Listing(root, entries, others, unused)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _files(folder: Path) -> list[list[str]]:
    """Return everything below a folder that is a file, or is called like an image, as parts of its path; sorted."""
    found: list[list[str]] = []
    for directory, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        # a link to a folder above itself would go round for ever
        folders[:] = [name for name in folders if not _leads_up(directory, name)]
        names += [name for name in folders if _is_image(name)]  # a folder x.png is an unreadable image
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_image(name)]
        inner = list(Path(directory).relative_to(folder).parts)
        found += [[*inner, name] for name in names if not name.startswith(".")]
    return sorted(found)


def _leads_up(directory: str, name: str) -> bool:
    path = os.path.join(directory, name)
    return os.path.islink(path) and (os.path.realpath(directory) + os.sep).startswith(os.path.realpath(path) + os.sep)


def _refuse(error: OSError) -> None:
    raise DataError(
        f"cannot list the folder {error.filename}: {error.strerror}; change its permissions, or remove it"
    ) from error


def _check_folder(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise DataError(f"{root} is a file, not a folder of images; expected {EXPECTED}")
    above = next(folder for folder in root.absolute().parents if folder.is_dir())
    missing = root.absolute().relative_to(above).parts[0]  # the first part of the path that is not there
    near = difflib.get_close_matches(
        missing, [entry.name for entry in above.iterdir() if entry.is_dir()], n=3, cutoff=0.6
    )
    hint = (
        f"did you mean {' or '.join(str(above / name) for name in near)}?"
        if near
        else f"{above} exists, but has no {missing}"
    )
    raise DataError(f"there is no folder {root}: {hint}")
