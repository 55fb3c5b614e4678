"""Which files of a kind lie in a folder, and what their places say about class and split; none is opened."""

import difflib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jepa.errors import DataError
from jepa.files.mark import is_run, read_object
from jepa.sources.images.formats import suffixes
from jepa.sources.images.members import File
from jepa.text import listed, shown

CACHE = "minitensor-jepa"  # the folder of decoded images (`images.cache`), wherever it lies
SYSTEM = {
    *("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "thumbs.db"),
    CACHE,
}
"""folders and files of operating systems and disk stations, and our own of decoded images, in lower case"""
VAL = ("val", "valid", "validation", "test")
LIKE_PARTS = {"train", "val", "valid", "eval", "test", "dev", "training", "validation", "testing", "evaluation"}
"""what parts of a data set are called, and these with "set", "data", "images" or a number after them"""
Parts = tuple[str, ...]


class Kind(NamedTuple):
    """What is looked for."""

    what: str
    """what the files are called, many of them"""
    endings: Callable[[], frozenset[str]]
    """returns how their names end, in lower case"""
    usual: str
    """an example of a name, and how else it may end"""

    @property
    def expected(self) -> str:
        """How a folder of them may look."""
        parts = "FOLDER/train/CLASS/* with FOLDER/val/CLASS/*"
        return f"FOLDER/CLASS/{self.usual}, {parts}, or a flat folder of {self.what}"


IMAGES = Kind("images", suffixes, "*.png (or .jpg, .webp, .tif, ...)")


class Found(NamedTuple):
    """What lies below a folder, as parts of paths from it on."""

    images: list[Parts]  # regular files that are called like what is looked for, sorted
    others: dict[Parts, Counter[str]]  # all other files, by the ends of their names, of each folder directly below
    ours: list[Parts]  # folders that jepa has written
    folders: list[str]  # folders directly below that are looked into


class Entry(NamedTuple):
    """An image file, or another one that is looked for."""

    file: File  # its path, or where it lies in an archive, whose text is a path too
    label: str | None  # name of its class folder; None in a flat folder
    split: str | None  # "train" or "val", if the folder has such sub-folders
    depth: int = 1  # the parts of its path below the folder of its split: 1 in a flat folder

    @property
    def path(self) -> Path:
        """The path of the file."""
        return Path(str(self.file))


class Listing(NamedTuple):
    """The images of a folder, sorted by split, class and name."""

    root: Path
    entries: list[Entry]
    others: Counter[str]  # files that are not images, by suffix
    unused: list[str]  # sub-folders passed over: test/ beside train/ and val/, say, and what jepa itself has written
    remarks: list[str]  # sentences on what is likely not meant: what is left out, and what is taken for a class

    @property
    def classes(self) -> list[str]:
        """Names of the classes, of all splits together, sorted."""
        return sorted({entry.label for entry in self.entries if entry.label is not None})

    @property
    def has_splits(self) -> bool:
        """Whether the folder has its own train/ and val/ (or test/)."""
        return any(entry.split for entry in self.entries)

    @property
    def names(self) -> list[str]:
        """The names of the images from the root on, their parts divided by /."""
        start = len(_inside(self.root))
        names = [str(entry.file)[start:] for entry in self.entries]
        return names if os.sep == "/" else [name.replace(os.sep, "/") for name in names]


def list_images(root: str | os.PathLike[str], kind: Kind = IMAGES) -> Listing:
    """List the images below a folder, or the files of another kind: ROOT/CLASS/*.png, the same in ROOT/train, or flat.

    With sub-folders train and one of val, valid, validation, test (in capitals too), only these count, and the others
    are listed in `unused`; a train alone is everything. An image anywhere below a class folder belongs to that class.
    Links are followed. What is hidden, of the operating system, no regular file, or written by jepa (a run, a data set
    of `data make`) is passed over. Anything else whose name ends as an image's does is listed, be it readable or not.
    Raises DataError if the folder is missing, is no folder, may not be listed, or has no images (and what instead).
    """
    root = Path(root)
    _check_folder(root, kind)
    below = sorted(name for name in os.listdir(root) if not is_system(name) and (root / name).is_dir())
    parts = _parts(root, below)
    unused = [] if parts.get(None) == root else sorted(set(below) - {folder.name for folder in parts.values()})
    found = {split: walk(folder, kind) for split, folder in parts.items()}
    inside = {split: _inside(folder) for split, folder in parts.items()}
    entries = [
        Entry(inside[split] + os.sep.join(inner), inner[0] if len(inner) > 1 else None, split, len(inner))
        for split, part in found.items()
        for inner in part.images
    ]
    others: Counter[str] = sum((n for part in found.values() for n in part.others.values()), Counter())
    ours = ["/".join((*parts[s].relative_to(root).parts, *inner)) for s, part in found.items() for inner in part.ours]
    if not entries:
        raise DataError(f"no {kind.what} in {shown(root)}: {_instead(root, others, ours)}; expected {kind.expected}")
    remarks = [] if parts.get(None) != root else _misplaced(kind, root, found[None])
    if unused:
        remarks.append(f"only {' and '.join(f'{f.name}/' for f in parts.values())} are read, not {listed(unused)}")
    return Listing(root, entries, others, unused + ours, remarks + _left_out(kind, found, others))


def _inside(folder: Path) -> str:
    """Return what the paths of files in a folder begin with."""
    name = str(folder)
    return "" if name == "." else name if name.endswith(os.sep) else name + os.sep


def _instead(root: Path, others: Counter[str], ours: list[str]) -> str:
    seen = f"its files are {counted(others)}" if others else "it has no files"
    if sets := [name for name in ours if is_generated(root / name)]:
        return f"{seen}, and {listed(sets)} is what jepa wrote: name it itself"
    return f"{seen}, and the pictures of {listed(ours)}, a run of jepa, are not read" if ours else seen


def _parts(root: Path, below: list[str]) -> dict[str | None, Path]:
    """Return the folders of train and val, or the one of everything."""
    names = {name.lower(): name for name in below}
    val = next((names[name] for name in VAL if name in names), None)
    if "train" in names and val:
        return {"train": root / names["train"], "val": root / val}
    return {None: root / names["train"] if list(names) == ["train"] else root}


def _misplaced(kind: Kind, root: Path, found: Found) -> list[str]:
    """Say which folders are taken for classes and are likely parts of the data set."""
    classes = sorted({inner[0] for inner in found.images if len(inner) > 1})
    alike = [name for name in classes if _is_like_a_part(name)]
    if alike and (len(alike) > 1 or alike == classes):
        taken = f"{listed(f'{name}/' for name in alike)} {'is' if len(alike) == 1 else 'are'} taken for"
        return [
            f"{taken} {'a class' if len(alike) == 1 else 'classes'}: if they are parts of the data set, "
            "call the one to learn from train/ and the held-out one val/"
        ]
    inside = {inner[1].lower() for inner in found.images if len(inner) > 2}
    if len(classes) == 1 and "train" in inside and inside & {*VAL}:
        inner = shown(root / classes[0])
        return [f"all {kind.what} lie in {inner}, which has parts of its own: source.root={inner} reads them as such"]
    return []


def _is_like_a_part(name: str) -> bool:
    word = name.lower().strip("0123456789 _-.()")
    for ending in ("set", "data", "dataset", "images", "imgs"):
        word = word.removesuffix(ending).rstrip("_- ")
    return word in LIKE_PARTS


def _left_out(kind: Kind, found: dict[str | None, Found], others: Counter[str]) -> list[str]:
    """Say which files are not read, and which class folders are left without any."""
    empty = []
    for part in found.values():
        full, ours = {inner[0] for inner in part.images}, {inner[0] for inner in part.ours}
        for name in part.folders:
            seen = part.others.get((name,))
            if name not in full and (seen or name not in ours):
                empty.append(f"{name}/ ({counted(seen) if seen else 'no files'})")
    return passed_over(others, kind) + ([f"no {kind.what} in the class folders {listed(empty)}"] if empty else [])


def passed_over(others: Counter[str], kind: Kind = IMAGES) -> list[str]:
    """Say how many files are not read, if there are any."""
    return [f"left out {sum(others.values()):,} files that are no {kind.what}: {counted(others)}"] if others else []


def counted(others: Counter[str]) -> str:
    """Return numbers of files by the ends of their names, as they are read."""
    return listed(f"{n:,} x {ending}" for ending, n in others.most_common())


def _check_folder(root: Path, kind: Kind) -> None:
    try:
        if root.is_dir():
            os.listdir(root)
            if is_run(root):
                raise DataError(f"{shown(root)} is the folder of a run, not of {kind.what}")
            return
        if root.exists():
            raise DataError(f"{shown(root)} is a file, not a folder of {kind.what}; expected {kind.expected}")
        above = next(folder for folder in root.absolute().parents if folder.is_dir())
        missing = root.absolute().relative_to(above).parts[0]  # the first part of the path that is not there
        names = [entry.name for entry in above.iterdir() if entry.is_dir()]
    except OSError as error:
        raise DataError(f"cannot list the folder {shown(error.filename or root)}: {error.strerror}") from error
    near = difflib.get_close_matches(missing, names, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(shown(above / name) for name in near)}?"
        if near
        else f"{shown(above)} exists, but has no {shown(missing)}"
    )
    raise DataError(f"there is no folder {shown(root)}: {hint}")


def walk(folder: Path, kind: Kind = IMAGES) -> Found:
    """Find the files below a folder; raise DataError if a folder may not be listed.

    Links are followed, but a folder is not read again inside itself, nor twice for one class. What is hidden, a
    system's or our own is passed over, and so is what is no regular file.
    """
    found = Found([], {}, [], [])
    seen: set[tuple[str, int, int]] = set()
    waiting: list[tuple[Parts, frozenset[tuple[int, int]]]] = [((), frozenset([_number(folder)]))]
    endings = tuple(kind.endings())
    while waiting:
        parts, above = waiting.pop()
        for entry in _entries(folder.joinpath(*parts)):
            inner = (*parts, entry.name)
            if is_system(entry.name):
                continue
            if _is_folder(entry):
                number = _number(entry)
                if number in above or (inner[0], *number) in seen:
                    continue
                seen.add((inner[0], *number))
                if is_run(Path(entry.path)) or is_generated(Path(entry.path)):
                    found.ours.append(inner)
                    continue
                if not parts:
                    found.folders.append(entry.name)
                waiting.append((inner, above | {number}))
            elif (other := _other(entry, endings)) is None:
                found.images.append(inner)
            else:
                found.others.setdefault(inner[:1] if parts else ("",), Counter())[other] += 1
    for names in (found.images, found.ours, found.folders):
        names.sort()
    return found


def is_generated(folder: Path) -> bool:
    """Whether a folder is a data set that `data make` wrote."""
    try:
        path = folder / "meta.json"
        meta = read_object(path) if path.is_file() and (folder / "labels.csv").is_file() else {}
    except (OSError, ValueError):
        return False
    return {"generator", "version", "images"} <= meta.keys()


def is_system(name: str) -> bool:
    """Whether a file or folder is hidden (._x.png of a Mac too), or a system's own.

    >>> [is_system(name) for name in ("._1.png", "Thumbs.db", "__MACOSX", "cats")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(
            f"cannot list the folder {shown(folder)}: {error.strerror}; change its permissions, or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _other(entry: os.DirEntry[str], endings: tuple[str, ...]) -> str | None:
    """Return None for what is looked for, and else what to count the file by."""
    try:
        if not entry.is_file():
            return "no regular file" if os.path.exists(entry) else "link to nothing"
    except OSError:
        return "link to nothing"
    if entry.name.lower().endswith(endings):
        return None
    return ending_of(entry.name)


def ending_of(name: str) -> str:
    """Return what a file that is not read is counted by: the end of its name.

    >>> ending_of("notes.TXT"), ending_of("README")
    ('.txt', 'no suffix')
    """
    ending = os.path.splitext(name)[1].lower()
    return shown(ending) if 1 < len(ending) <= 12 else "no suffix"


def _number(folder: Path | os.DirEntry[str]) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
