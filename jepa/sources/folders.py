"""Files of one kind below a folder: where each lies, its class, its part of the data set."""

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from jepa.errors import DataError
from jepa.files.mark import is_run
from jepa.sources.images.listing import VAL, is_system
from jepa.text import listed, shown

FEW = 200  # entries of a folder that are looked at to tell what kind of files it has


class File(NamedTuple):
    """A file, and what its place says of it."""

    path: Path
    label: str | None
    """its class: the folder below the root, or below a part, that it lies in"""
    part: str | None
    """"train" or "val", where the root has such folders"""


class Listed(NamedTuple):
    """The files of a kind, sorted by part, class and name."""

    files: list[File]
    remarks: list[str]
    """what is left out"""


def has_mostly(folder: Path, endings: Sequence[str]) -> bool:
    """Whether most files of a folder, and of its first folders, have such an ending; few entries are looked at."""
    if not folder.is_dir() or is_run(folder):
        return False
    first = _few(folder)
    below = [entry for entry in first if entry.is_dir()][:4]
    deeper = [entry for inner in below for entry in _few(inner)]
    last = [entry for inner in [e for e in deeper if e.is_dir()][:4] for entry in _few(inner)]
    files = [entry for entry in [*first, *deeper, *last] if entry.is_file()]
    return 2 * sum(_ends(entry, endings) for entry in files) > len(files)


def _few(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in islice(entries, FEW) if not is_system(entry.name)]
    except OSError:
        return []


def list_files(root: Path, endings: Sequence[str], what: str) -> Listed:
    """List the files with one of these endings: ROOT/CLASS/*, the same below ROOT/train and ROOT/val, or flat.

    What is called val, valid, validation or test is the held-out part, the first of these that is there; what lies
    beside two parts is not read. Hidden files and folders, and those of operating systems, are passed over. Raises
    DataError if the folder is missing, may not be listed, or has no such file; `what` says what they are.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("train/cat/1.wav", "train/dog/1.wav", "val/cat/2.wav", "README.md"):
    ...     (root / name).parent.mkdir(parents=True, exist_ok=True)
    ...     _ = (root / name).write_text("")
    >>> [(f.path.name, f.label, f.part) for f in list_files(root, (".wav",), "clips").files]
    [('1.wav', 'cat', 'train'), ('1.wav', 'dog', 'train'), ('2.wav', 'cat', 'val')]
    """
    if not root.is_dir():
        there = "is a file, not a folder" if root.exists() else "is not there"
        raise DataError(f"{shown(root)} {there}: source.path is a folder of {what} ({', '.join(endings)})")
    names = {path.name.lower(): path for path in _below(root) if path.is_dir()}
    val = next((name for name in VAL if name in names), None)
    parts: dict[str | None, Path] = {None: root}
    if "train" in names and val:
        parts = {"train": names["train"], "val": names[val]}
    files, others = list[File](), 0
    for part, folder in parts.items():
        every = sorted(_walk(folder))
        mine = [path for path in every if _ends(path, endings)]
        others += len(every) - len(mine)
        files += [File(path, _label(path, folder), part) for path in mine]
    if not files:
        seen = f"its {others} files end otherwise" if others else "it has no files"
        raise DataError(f"{shown(root)} has no {what} ({', '.join(endings)}): {seen}")
    unused = sorted(set(names) - {folder.name.lower() for folder in parts.values()}) if len(parts) > 1 else []
    remarks = [f"{others} files are left out, which are no {what}"] if others else []
    remarks += [f"only train/ and {val}/ are read, not {listed(f'{name}/' for name in unused)}"] if unused else []
    return Listed(files, remarks)


def _ends(path: Path, endings: Sequence[str]) -> bool:
    return path.name.lower().endswith(tuple(endings))


def _label(path: Path, folder: Path) -> str | None:
    inner = path.relative_to(folder).parts
    return inner[0] if len(inner) > 1 else None


def _below(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not is_system(path.name)]
    except OSError as error:
        raise DataError(f"cannot list the folder {shown(folder)}: {error.strerror}") from error


def _walk(folder: Path, above: frozenset[Path] = frozenset()) -> Iterable[Path]:
    """Yield the files below a folder; a link back to a folder above is not followed."""
    here = folder.resolve()
    if here in above:
        return
    for path in _below(folder):
        if path.is_dir():
            yield from () if is_run(path) else _walk(path, above | {here})
        elif path.is_file():
            yield path
