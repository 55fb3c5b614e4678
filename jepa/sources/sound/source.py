"""A folder of .wav files as a source: (1, bands, frames), log-mel spectrograms of one length."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, Rule, between, setting
from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.sources.base import Report, SourceSettings, of_whole
from jepa.sources.examples import Held
from jepa.sources.folders import File, has_mostly, list_files
from jepa.sources.memory import InMemory
from jepa.sources.sound.mel import edges, log_mel, resampled
from jepa.sources.sound.wav import read_wav
from jepa.text import listed, printable, shown

ENDINGS = (".wav", ".wave")


def _compiles(pattern: str) -> bool:
    try:
        return bool(pattern) and bool(re.compile(pattern))
    except re.error:
        return False


PATTERN: Rule = (_compiles, "must be a regular expression")


@dataclass(frozen=True)
class SoundSettings(SourceSettings):
    """Of sound."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "masked", "encoder": "vit"}
    path: str | None = setting(None, PATH)
    """folder of .wav files, PATH/CLASS/*.wav, the same below PATH/train and PATH/val, or flat"""
    label: str | None = setting(None, PATTERN)
    """regular expression whose first group is a file's class, as ([^_]+)_ in 7_theo_3.wav; null: its folder"""
    hold_out: str | None = setting(None, PATTERN)
    """regular expression that is found in the paths of the held-out files, as _theo_ for one speaker; null: a share"""
    rate: int = setting(8000, between(100, 192_000))
    """samples in a second to which every clip is brought"""
    bands: int = setting(32, between(2, 512))
    """mel bands, from 20 Hz to half the rate"""
    window: float = setting(32.0, between(1, 10_000))
    """length of a frame, in ms"""
    hop: float = setting(16.0, between(0.1, 10_000))
    """from one frame to the next, in ms"""
    frames: int = setting(40, between(1, 100_000))
    """frames of an example: a longer clip loses its end, a shorter one is quiet behind it"""
    standardize: bool = setting(True)
    """whether each clip is brought to mean 0 and deviation 1, so that loudness tells nothing"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what a file that cannot be read does: stop, or be skipped and listed"""

    def problems(self) -> Iterator[str]:
        if self.label is not None and not re.compile(self.label).groups:
            yield f"label={self.label}: needs a group in parentheses, which is the class"
        if self.samples[1] < 1:
            yield f"hop={self.hop}: is less than a sample at rate={self.rate}"
        if self.samples[0] < 4:
            yield f"window={self.window}: is less than four samples at rate={self.rate}"

    @property
    def samples(self) -> tuple[int, int]:
        """Length of a window and of a hop."""
        return round(self.window * self.rate / 1000), round(self.hop * self.rate / 1000)


class Read(NamedTuple):
    """What was read of all parts."""

    files: list[File]
    x: NDArray[np.float32]
    """(N, 1, bands, frames)"""
    seconds: NDArray[np.float64]
    """(N,): how long each clip is"""
    kinds: Counter[str]
    """how many files are stored how"""
    failed: list[tuple[Path, str]]
    remarks: list[str]


class Sound(InMemory):
    """Clips as log-mel spectrograms, (1, bands, frames), the lowest band first: see `jepa.sources.sound.mel`.

    Channels are averaged, and other rates resampled. Behind the end of a clip it is as quiet as in the quietest entry
    of its spectrogram, as if the recording went on: that is no gap, and any encoder takes it. (True silence, log(1e-6),
    is so far below a recording's own noise that little but the lengths would count.) All files are read when the source
    is opened.

    Raises DataError, naming the file, for a text that is called .wav, an empty file, a damaged header, no samples,
    another codec, and NaN, unless source.on_error=skip leaves these out.

    >>> import tempfile, wave
    >>> folder = Path(tempfile.mkdtemp())
    >>> for k in range(20):
    ...     with wave.open(str(folder / f"{k % 2}_anna_{k}.wav"), "wb") as file:
    ...         file.setparams((1, 2, 8000, 0, "NONE", ""))
    ...         t = np.arange(2000) / 8000
    ...         _ = file.writeframes((8000 * np.sin(2 * np.pi * (300 + 900 * (k % 2)) * t)).astype("<i2").tobytes())
    >>> source = Sound(folder, label="([^_]+)_", frames=16)
    >>> source.split("val"), source.classes
    (Sound(..., val: 2 examples of 2 classes, (1, 32, 16)), ['0', '1'])
    """

    Settings = SoundSettings
    place = "path"
    pictures = "jepa.pictures.spectrogram:Spectrogram"
    raw_title = "log-mel spectrogram"
    own = ("hold_out",)
    taken = "a folder of .wav files"

    @classmethod
    def takes(cls, path: Path) -> bool:
        return has_mostly(path, ENDINGS)

    @classmethod
    def inspect(cls, path: Path) -> Report:
        return SoundReport(cls(path, on_error="skip"))

    @of_whole
    def found(self) -> Read:
        """All clips as they were read."""
        listing = list_files(self.path, ENDINGS, "clips of sound")
        kept, rows, seconds, kinds, failed = list[File](), [], [], Counter[str](), []
        for file in shown_progress(listing.files, len(listing.files), "reading", "clips"):
            try:
                row, length, kind = self._read(file.path)
            except (DataError, OSError) as error:
                reason = str(error.strerror if isinstance(error, OSError) else error)
                failed.append((file.path, reason))
                if self.settings.on_error == "raise":
                    how = "replace it, or set source.on_error=skip to leave such files out"
                    raise DataError(f"cannot read {shown(file.path)}: {reason}; {how}") from error
                continue
            kept.append(file)
            rows.append(row)
            seconds.append(length)
            kinds[kind] += 1
        if not kept:
            raise DataError(f"none of the {len(failed)} clips of {shown(self.path)} can be read: {failed[0][1]}")
        return Read(kept, np.stack(rows)[:, None], np.array(seconds), kinds, failed, listing.remarks)

    def _read(self, path: Path) -> tuple[NDArray[np.float32], float, str]:
        """Return the spectrogram of a file, (bands, frames), how many seconds it has, and how they are stored."""
        s, clip = self.settings, read_wav(path)
        x = resampled(clip.samples.mean(axis=0), clip.rate, s.rate)
        window, hop = s.samples
        found = log_mel(x[: window + (s.frames - 1) * hop], s.rate, s.bands, window, hop)
        mean, std = (found.mean(), found.std()) if s.standardize else (0.0, 1.0)
        row = np.full((s.bands, s.frames), found.min())
        row[:, : found.shape[1]] = found
        row = (row - mean) / (std if std > 1e-6 else 1.0)
        how = f"{clip.rate} Hz, {clip.kind}, {len(clip.samples)} channel{'s' * (len(clip.samples) > 1)}"
        return row.astype(np.float32), clip.samples.shape[1] / clip.rate, how

    @cached_property
    def held(self) -> Held:
        """All clips."""
        found, s = self.found, self.settings
        names = [self._name(file) for file in found.files]
        named = [self._label(file) for file in found.files]
        classes = sorted({label for label in named if label is not None})
        place = {label: k for k, label in enumerate(classes)}
        labels = np.array([-1 if label is None else place[label] for label in named], np.int64)
        longest = s.window + (s.frames - 1) * s.hop
        cut = int(np.sum(1000 * found.seconds > longest + s.hop))
        said = f"{cut} clips are longer than the {longest:g} ms that source.frames={s.frames} has: they lose their ends"
        remarks = [*found.remarks, *([said] if cut else []), *self._unlabeled(labels)]
        return Held({"": found.x}, labels if classes else None, classes, remarks, names, self._held_out(names))

    def _unlabeled(self, labels: NDArray[np.int64]) -> list[str]:
        """Say how many clips have no class where others have one."""
        count = int(np.sum(labels < 0))
        return [f"{count} clips have no class"] if 0 < count < len(labels) else []

    def _name(self, file: File) -> str:
        return file.path.relative_to(self.path).as_posix()

    def _label(self, file: File) -> str | None:
        if self.settings.label is None:
            return file.label
        found = re.search(self.settings.label, file.path.name)
        return found[1] if found else None

    def _held_out(self, names: list[str]) -> NDArray[np.str_] | None:
        """Return the part of each clip, where something says it; DataError if a pattern leaves a part empty."""
        pattern = self.settings.hold_out
        if pattern is None:
            parts = [file.part for file in self.found.files]
            return None if parts[0] is None else np.array(parts, str)
        out = np.array([re.search(pattern, name) is not None for name in names])
        if out.all() or not out.any():
            what = "all" if out.all() else "none"
            raise DataError(
                f"source.hold_out={pattern} is found in {what} of the {len(names)} names, such as {shown(names[0])}: "
                "give one that some of them have"
            )
        return np.where(out, "val", "train")

    @property
    def skipped(self) -> str:
        failed = self.found.failed
        what = listed(f"{path.name} ({reason})" for path, reason in failed)
        return f"skipped {len(failed):,} of {len(failed) + len(self.found.files):,} clips: {what}" if failed else ""

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The center of each band, in Hz, and the middle of each frame, in s: what a picture writes at its sides."""
        s = self.settings
        middles = (s.window / 2 + s.hop * np.arange(s.frames)) / 1000
        return edges(s.bands, s.rate, 20.0)[1:-1], middles


class SoundReport(Report):
    """What is in a folder of clips: lengths, rates, kinds, and what cannot be read."""

    source: Sound

    def lines(self) -> Iterator[str]:
        yield from super().lines()
        found: Read = self.source.found
        low, middle, high = np.percentile(found.seconds, [0, 50, 100])
        total = found.seconds.sum() / 60
        yield f"lengths: {low:.2f} to {high:.2f} s, median {middle:.2f} s, {total:.1f} minutes in all"
        yield f"stored as: {'; '.join(f'{kind} ({n})' for kind, n in found.kinds.most_common(10))}"

    @property
    def bad(self) -> list[str]:
        return [f"{printable(str(path))}: {printable(reason)}" for path, reason in self.source.found.failed]
