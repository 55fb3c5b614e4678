"""A folder of clips as a source: some frames of each, brought to one size and held as bytes."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, between, setting
from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.sources.base import SourceSettings, held_out, spread
from jepa.sources.examples import Held
from jepa.sources.folder import check_loose, described
from jepa.sources.images.decode import UnreadableImage, frame_count
from jepa.sources.images.listing import Entry, Listing
from jepa.sources.images.reading import in_threads
from jepa.sources.images.square import Square
from jepa.sources.memory import InMemory
from jepa.sources.video.listing import ARRAY, list_clips
from jepa.sources.video.reading import Frames, Order, UnreadableClip, axes_of, facts, read_clip
from jepa.text import listed, printable, shown

LOOKED_AT = 100  # entries of folders that say what they hold
FEW = 7  # files of a folder that are opened for it
STILL = (".jpg", ".jpeg", ".bmp", ".tif", ".tiff")  # files that never move
MOVING = (".gif", ".webp", ".png", ".apng", ARRAY)  # how files of clips end most often
LISTED = 10  # lengths, sizes or bad clips that are printed


@dataclass(frozen=True)
class VideoSettings(SourceSettings):
    """Of clips."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "masked", "encoder": "vit"}
    root: str | None = setting(None, PATH)
    """folder of clips, ROOT/CLASS/*.gif (.png, .webp, .npy, or a folder of numbered frames) or flat"""
    frames: int = setting(8, between(2, 1024))
    """frames of an example"""
    stride: int = setting(1, between(1, 1024))
    """frames of a clip from one of an example to the next"""
    windows: int = setting(1, between(1, 10_000))
    """examples of a clip at most, side by side from its beginning, all in the same part"""
    size: int = setting(32, between(4, 512))
    """side of the square that every frame is brought to, in pixels"""
    fit: Literal["stretch", "crop", "pad"] = setting("stretch")
    """how: whatever the proportions; the largest square in the middle; scaled to fit, on white"""
    channels: int = setting(3, (lambda v: v in (1, 3), "must be 1 (gray) or 3 (color)"))
    """3: color; 1: gray; every clip is converted"""
    order: Order | None = setting(None)
    """axes of an .npy clip of four axes, f frames, c channels; null: what its lengths say"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what an unreadable or too short clip does: stop, or be skipped and listed"""


class Clips(NamedTuple):
    """What was read of a folder."""

    entries: list[Entry]  # of the clips that could be read
    windows: list[NDArray[np.uint8]]  # of each, (windows, c, f, size, size)
    failed: list[tuple[Path, str]]  # clips left out, and why


class Video(InMemory):
    """The clips of ROOT/CLASS/*, or of a flat folder without labels: examples (channels, frames, size, size).

    A clip is an animated picture (.gif, .png, .webp, ...), an .npy array (f, h, w), (f, h, w, c) or (c, f, h, w), or a
    folder of still images whose names end in numbers. Every frame is brought to the same square; `frames` of a clip are
    taken, `stride` apart, from its beginning on; `windows` takes more examples of a long one. All are held as bytes,
    3 KB for a frame of 32 x 32 in color. Classes and parts are those of folders of images.

    Opening it raises DataError if the folder is missing or has no clips, if clips lie beside class folders, or if a
    clip cannot be read or is too short (unless on_error="skip").

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "clips"
    >>> folder.mkdir()
    >>> for k in range(4):
    ...     np.save(folder / f"{k}.npy", np.zeros((12, 10, 20), np.uint8))
    >>> Video(folder, size=16, frames=6, channels=1).split("train")
    Video(clips, train: 3 examples, (1, 6, 16, 16))
    """

    Settings = VideoSettings
    place = "root"
    pictures = "jepa.pictures.image"

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.is_dir() and _holds_clips(path)

    @classmethod
    def inspect(cls, path: Path) -> Any:
        return ClipReport(path)

    @cached_property
    def listing(self) -> Listing:
        """The clips of all parts."""
        return list_clips(self.path)

    @cached_property
    def clips(self) -> Clips:
        """What is read of them."""
        s, entries = self.settings, self.listing.entries
        check_loose(entries, self.path, "clips")
        how = Frames(Square(s.size, s.fit, s.channels), s.frames, s.stride, s.windows, s.order)

        def made(path: Path) -> NDArray[np.uint8] | UnreadableClip:
            try:
                return read_clip(path, how)
            except UnreadableClip as error:
                return error

        found = Clips([], [], [])
        with closing(in_threads(made, [entry.path for entry in entries])) as results:
            for entry, result in zip(entries, shown_progress(results, len(entries), "reading", "clips"), strict=True):
                if isinstance(result, np.ndarray):
                    found.entries.append(entry)
                    found.windows.append(result)
                elif s.on_error == "raise":
                    raise DataError(f"{result}; or set source.on_error=skip to leave such clips out") from result
                else:
                    found.failed.append((result.path, result.reason))
        if not found.entries:
            none = f"none of the {len(entries)} clips of {shown(self.path)} can be read"
            raise DataError(f"{none}: {described(found.failed, len(entries), 'clips')}")
        return found

    @cached_property
    def held(self) -> Held:
        """All examples, with their classes, names and parts."""
        entries, windows, _ = self.clips
        counts = [len(x) for x in windows]
        classes = self.listing.classes
        labels = np.array([-1 if e.label is None else classes.index(e.label) for e in entries], np.int64)
        names = [
            str(entry.path) if count == 1 else f"{entry.path} (window {k + 1})"
            for entry, count in zip(entries, counts, strict=True)
            for k in range(count)
        ]
        parts = self._parts_of(entries, labels)
        return Held(
            {"": np.concatenate(windows)},
            np.repeat(labels, counts) if classes else None,
            classes,
            self.listing.remarks,
            names,
            None if parts is None else np.repeat(parts, counts),
        )

    def _parts_of(self, entries: list[Entry], labels: NDArray[np.int64]) -> NDArray[np.str_] | None:
        """Return the part of each clip, where there are such folders, or where a clip has several windows."""
        if self.listing.has_splits:
            return np.array([entry.split for entry in entries])
        if self.settings.windows == 1:
            return None
        keys = np.random.default_rng(0).integers(2**63, size=len(entries))
        parts = np.full(len(entries), "train")
        parts[held_out(spread(keys, labels), "val", self.settings.validation)] = "val"
        return parts

    @property
    def skipped(self) -> str:
        failed = self.clips.failed
        return described(failed, len(failed) + len(self.clips.entries), "clips") if failed else ""


def _holds_clips(folder: Path) -> bool:
    """Whether most of some files in a folder, or in the first folder in it that has any, move.

    A folder of numbered still images may be a clip or a class of images: it says nothing.
    """
    waiting, seen = [folder], 0
    while waiting and seen < LOOKED_AT:
        try:
            with os.scandir(waiting.pop(0)) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)[:LOOKED_AT]
        except OSError:
            continue
        seen += len(inside)
        waiting += [Path(entry.path) for entry in inside if entry.is_dir()][:3]
        shown = [e for e in inside if e.is_file() and e.name.lower().endswith((*MOVING, *STILL)) and e.name[0] != "."]
        if shown:
            some = shown[:: -(-len(shown) // FEW)]
            return 2 * sum(_moves(Path(entry.path)) for entry in some) > len(some)
    return False


def _moves(path: Path) -> bool:
    if path.suffix.lower() == ARRAY:
        return axes_of(path) in (3, 4)
    try:
        return frame_count(path) > 1
    except UnreadableImage:
        return False


class ClipReport:
    """What `python -m jepa data inspect` says of a folder of clips: classes, lengths, sizes, kinds, and what is bad."""

    def __init__(self, root: Path) -> None:
        self.listing = list_clips(root)
        self.counts: Counter[tuple[str | None, str | None]] = Counter()
        self.found: dict[str, Counter[str]] = {"frames": Counter(), "sizes (h x w)": Counter(), "kinds": Counter()}
        self.failed: list[tuple[Path, str]] = []
        for entry in shown_progress(self.listing.entries, len(self.listing.entries), "reading", "clips"):
            try:
                clip = facts(entry.path)
            except UnreadableImage as error:
                self.failed.append((entry.path, error.reason))
                continue
            if clip.frames == 1:
                self.failed.append((entry.path, "it has one frame: it is a still image, no clip"))
                continue
            self.counts[entry.label, entry.split] += 1
            for counter, said in zip(
                self.found.values(), (str(clip.frames), f"{clip.height} x {clip.width}", clip.kind), strict=True
            ):
                counter[said] += 1

    @property
    def bad(self) -> list[str]:
        """A line for each clip that cannot be read: its name, and why."""
        return [f"{printable(str(path))}: {reason}" for path, reason in self.failed]

    def list_bad(self) -> str:
        """Return those lines as a text."""
        return "".join(f"{line}\n" for line in self.bad)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        named = {label for label, _ in self.counts if label is not None}
        classes = f"{len(named)} classes" if named else "no labels (a flat folder)"
        yield f"{shown(self.listing.root)}: {self.counts.total()} clips, {classes}"
        for (label, split), count in sorted(self.counts.items(), key=str):
            yield f"  {shown(label or '(no class)')}{f' ({split})' if split else ''}: {count}"
        for name, counter in self.found.items():
            most = [f"{said} ({count})" for said, count in counter.most_common(LISTED)]
            yield f"{name:<14} {', '.join(most)}{' and others' if len(counter) > LISTED else ''}"
        if lengths := [int(said) for said in self.found["frames"]]:
            yield f"{'shortest':<14} {min(lengths)} frames  (source.frames at most, for all to be read)"
        yield f"{'bad clips':<14} {len(self.failed) or 'none'}"
        yield from (f"  {shown(path)}: {reason}" for path, reason in self.failed[:LISTED])
        if self.failed:
            yield "  train without them: source.on_error=skip"
        yield from (f"  {text}" for text in self.listing.remarks)
        if self.listing.unused:
            yield f"{'not used':<14} {listed(f'{name}/' for name in self.listing.unused)}"
