"""A generated image folder: there whole, or not there at all.

The images are written into a hidden sibling folder of their own, `meta.json` last of all, and the folder is then
renamed. So a folder under the asked name is finished, and several processes that write the same one at once do not
disturb each other: the first that is done is the one whose folder stays. What an interrupted process left behind is
known by the mark in it, and by nobody holding its lock.
"""

import csv
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from jepa.config.settings import PATH, between, setting
from jepa.errors import DataError
from jepa.files.lock import Taken, writing
from jepa.files.mark import PROGRAM
from jepa.progress import shown_progress
from jepa.sources.base import Source, of_whole
from jepa.sources.folder import FolderSettings, ImageFolder
from jepa.sources.images.listing import Listing, list_images
from jepa.text import shown

VERSION = 1  # of what is drawn
Facts = dict[str, str | float]
MARK = "unfinished.json"  # in a folder that is being written
OURS = re.compile(r"(train|val)/[^/]+/\d{5,}\.png|labels\.csv|meta\.json|unfinished\.json")


@dataclass(frozen=True)
class GeneratedSettings(FolderSettings):
    """Of default data."""

    root: str | None = setting(None, PATH)
    """folder that they are written to; null: data/KIND-SIZE-COUNT"""
    count: int | None = setting(None, between(50, 1_000_000))
    """images that are written; null: the generator's own number"""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.size < 8:
            yield f"size={self.size}: must be at least 8 for images that are drawn"


class Written(Source):
    """What sources of default data share: these lie in data/KIND-SIZE-COUNT, and are written if they are not there."""

    makes = True
    kind: ClassVar[str]
    """what the generator calls it"""

    def _without_place(self) -> None:
        """Nothing is missing: there is a place for it."""

    @property
    def _usual(self) -> str:
        return f"{self.kind}-{self.settings.size}-{self.settings.count or 0}"

    @property
    def path(self) -> Path:
        """Where the data lie; a run names where they lay, and if they are there no more, they are written anew."""
        root = self.settings.root and Path(self.settings.root)
        return root if root and (root.exists() or root.name != self._usual) else Path("data") / self._usual

    @property
    def where(self) -> str:
        """The name of the data set, wherever it lies, or the path of another folder."""
        return self.kind if self.path.name == self._usual else str(self.path.resolve())

    @property
    def missing(self) -> str:
        return ""


class Generated(Written, ImageFolder):
    """An image folder that is written before it is read, unless it is there."""

    Settings = GeneratedSettings
    taken = ""
    usual_count: ClassVar[int]
    """images, if not told otherwise"""

    @classmethod
    def takes(cls, path: Path) -> bool:
        return False

    @of_whole
    def listing(self) -> Listing:
        self.write(self.path)
        return list_images(self.path)

    def samples(self, count: int, size: int, seed: int) -> Iterator["Sample"]:
        """Yield so many images of size x size pixels; a smaller set of a seed need not begin a larger one."""
        raise NotImplementedError

    def write(self, out: str | Path, seed: int = 0) -> Path:
        """Write the images (`write_folder`), a fifth of them as `val`; those of a training have the seed 0."""
        size, count = self.settings.size, self.settings.count or self.usual_count
        settings = {"generator": self.kind, "version": VERSION, "count": count, "size": size, "seed": seed}
        return write_folder(out, self.samples(count, size, seed), settings=settings)


class Picture(Protocol):
    """What can be written to a file: one of Pillow's images, say."""

    def save(self, path: Path, /) -> Any:
        """Write it."""


class Sample(NamedTuple):
    """One image to be written, and what is known about it."""

    split: str  # train or val
    label: str  # the class: the name of the image's folder
    image: Picture
    facts: Facts  # further columns of labels.csv; the same keys for each sample


def write_folder(out: str | Path, samples: Iterable[Sample], *, settings: Facts) -> Path:
    """Write samples as `out/<split>/<label>/00001.png`, with `out/labels.csv` and `out/meta.json`; return `out`.

    `settings` says how the samples are made (generator, version, seed, ...) and is kept in `meta.json`. A finished
    folder with the same settings is left as it is. Several processes may do this at once. Raises DataError if `out` is
    a file, or a folder that holds something else, which is never overwritten.
    """
    out = Path(out)
    if _is_whole(out, settings):
        return out
    there = out.resolve()
    there.parent.mkdir(parents=True, exist_ok=True)
    _sweep(there)
    partial = there.with_name(f".{there.name[:50]}.{secrets.token_hex(8)}.partial")
    partial.mkdir()
    try:
        with writing(partial):
            (partial / MARK).write_text(json.dumps({"program": PROGRAM}), encoding="utf-8")
            _write(partial, samples, settings)
            (partial / MARK).unlink()
        if not _renamed(partial, there) and not _is_whole(out, settings):
            raise DataError(f"cannot write the data set to {shown(out)}: something else was put there meanwhile")
    finally:
        _remove(partial)
    return out


def _is_whole(out: Path, settings: Facts) -> bool:
    """Whether the data set is there; raise DataError if a part of it is, or something else."""
    if is_finished(out, settings):
        listed = len((out / "labels.csv").read_text(encoding="utf-8").splitlines()) - 1
        there = sum(1 for _ in out.glob("*/*/*.png"))
        if there != listed:
            raise DataError(f"{shown(out)} has {there} of its {listed} images: remove it, and it is written anew")
        return True
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        asked = ", ".join(f"{name} {value}" for name, value in settings.items())
        raise DataError(
            f"cannot write the data set '{settings['generator']}' to {shown(out)}: it exists and is not this data set "
            f"with these settings ({asked}); remove it or choose another folder"
        )
    return False


def _write(folder: Path, samples: Iterable[Sample], settings: Facts) -> None:
    numbers: Counter[tuple[str, str]] = Counter()
    rows: list[Facts] = []
    for sample in shown_progress(samples, int(settings.get("count", 0)), "drawing"):
        key = sample.split, sample.label
        numbers[key] += 1
        place = f"{sample.split}/{sample.label}/{numbers[key]:05d}.png"
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        sample.image.save(folder / place)
        rows.append({"file": place, **sample.facts})
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["file"])
        writer.writeheader()
        writer.writerows(rows)
    counts = {split: sum(n for (s, _), n in numbers.items() if s == split) for split in ("train", "val")}
    meta = json.dumps({**settings, "images": counts}, indent=1)
    (folder / "meta.json").write_text(meta + "\n", encoding="utf-8")


def _renamed(partial: Path, out: Path) -> bool:
    """Whether the folder could be given its name; not if another process was first."""
    with suppress(OSError):
        out.rmdir()  # an empty folder; a rename onto one fails on some systems
    try:
        partial.rename(out)
    except OSError:
        if out.exists():
            return False
        raise
    return True


def _sweep(out: Path) -> None:
    """Remove what processes that were killed have left of this data set: only what we wrote, and nobody is writing."""
    for folder in out.parent.iterdir():
        if not (folder.name.startswith(f".{out.name[:50]}.") and folder.name.endswith(".partial")):
            continue
        if folder.is_symlink() or not (folder / MARK).is_file():
            continue
        try:
            marked = json.loads((folder / MARK).read_text(encoding="utf-8"))
            with writing(folder):
                ours = marked == {"program": PROGRAM}
        except (OSError, ValueError, Taken):
            continue
        if ours:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the files that `write_folder` writes, and the folders that are empty then."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif OURS.fullmatch(path.relative_to(folder).as_posix()):
                path.unlink()
    with suppress(OSError):
        folder.rmdir()


def is_finished(out: str | Path, settings: Facts) -> bool:
    """Whether `out` holds a finished data set made with these settings."""
    try:
        meta = json.loads((Path(out) / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and all(meta.get(name) == value for name, value in settings.items())
