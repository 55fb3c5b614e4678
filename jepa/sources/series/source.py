"""Time series as a source: a folder of .csv or .npy files, or one .ts, .tsv or .txt of the UEA and UCR archives."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from jepa.config.settings import PATH, between, setting
from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.sources.base import Report, Source, SourceSettings
from jepa.sources.examples import Held
from jepa.sources.memory import InMemory
from jepa.sources.series.files import ALONE, Failed, Floats, Recorded, alone, rows
from jepa.sources.series.fitting import padded, resampled, standardized, windows
from jepa.sources.series.listing import entries, is_series
from jepa.text import listed, shown

LENGTH = between(2, 10_000_000)


@dataclass(frozen=True)
class SeriesSettings(SourceSettings):
    """Of time series."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "series", "task": "masked", "encoder": "vit"}
    root: str | None = setting(None, PATH)
    """folder of series, ROOT/CLASS/*.csv or .npy; or a file NAME_TRAIN.ts, .tsv or .txt, with NAME_TEST beside it"""
    length: int | None = setting(None, LENGTH)
    """samples of each example; null: those of the longest series"""
    fit: Literal["pad", "resample", "windows"] = setting("pad")
    """pad: longer series are cut off, shorter ones have a gap behind; resample: by straight lines; windows: cut up"""
    norm: Literal["none", "series"] = setting("none")
    """series: each channel of each series has mean 0 and deviation 1, as the UCR archive's; none: as they are"""
    official: bool = setting(True)
    """take the parts that there are; false: only the one to learn from, a share held out: to choose settings"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what to do with series that cannot be read: stop, or leave them out and list them"""

    def problems(self) -> Iterator[str]:
        if self.fit != "pad" and self.length is None:
            yield f"length=null with fit={self.fit}: say how many samples an example has"


class _Read(NamedTuple):
    """What was found: series with the part of each, and those that cannot be read."""

    series: list[Recorded]
    parts: list[str | None]
    failed: list[Failed]


class _Example(NamedTuple):
    """A series, or a window of one, of the length that all have."""

    name: str
    label: str | None
    values: Floats
    part: str | None


class Series(InMemory):
    r"""Time series (channels, samples), read into memory; NaN where a value is missing, or a series has ended.

    What lies where: `jepa.sources.series.listing`. A .csv has a row for each sample and a column for each channel. With
    sub-folders train and val (or test), or files NAME_TRAIN and NAME_TEST, these are the parts; windows of one series
    are parted in time, the last ones are held out; else a share of each class is.

    Opening it raises DataError, naming the file, for no series, no numbers, nothing but missing values, a single
    sample, infinite numbers, and other numbers of channels than the first one has.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "set.tsv"
    >>> _ = path.write_text("1\t0.5\t0.7\t0.1\n2\t0.4\t0.2\tNaN\n" * 5)
    >>> source = Series(path)
    >>> source, source.gaps, source.remarks
    (Series(set.tsv: 10 examples of 2 classes, (1, 3)), True, ['2 to 3 samples: shorter ones are filled up (a gap)'])
    """

    Settings = SeriesSettings
    place = "root"
    taken = "a folder of series (.csv, .npy), or a .ts or .tsv file of them"
    methods = ("euclid", "dtw")
    measures = ("forecast",)
    settings: SeriesSettings

    @classmethod
    def takes(cls, path: Path) -> bool:
        return is_series(path)

    @classmethod
    def inspect(cls, path: Path) -> Report:
        return SeriesReport(cls(path, on_error="skip"))

    def at(self, path: Any) -> Source:
        fixed = copy(self)
        fixed.settings = replace(self.settings, length=self.shape[-1])
        return Source.at(fixed, path)

    @cached_property
    def found(self) -> _Read:
        """All series as they were read, whatever their lengths."""
        listing = entries(self.path)
        several = len(listing) > 2
        series, parts, failed = list[Recorded](), list[str | None](), list[Failed]()
        for entry in shown_progress(listing, len(listing), "reading series") if several else listing:
            single = entry.path.suffix.lower() in ALONE
            for one in [alone(entry.path, entry.name, entry.label)] if single else rows(entry.path, entry.name):
                if isinstance(one, Recorded) and series and len(one.values) != len(series[0].values):
                    counts = f"{len(one.values)} channels, and {series[0].name} has {len(series[0].values)}"
                    one = Failed(one.name, f"it has {counts}")
                if isinstance(one, Failed):
                    failed.append(one)
                    continue
                series.append(one)
                parts.append(entry.part)
        if failed and (self.settings.on_error == "raise" or not series):
            name, reason = failed[0]
            more = f"; and {len(failed) - 1} more" if len(failed) > 1 else ""
            remedy = "; set source.on_error=skip to leave such series out" if series else ""
            raise DataError(f"{shown(name)} cannot be read as a series: {reason}{more}{remedy}")
        return _Read(series, parts, failed)

    @cached_property
    def held(self) -> Held:
        """All examples, and what is known about each."""
        s, (series, parts, _) = self.settings, self.found
        kept = [k for k, part in enumerate(parts) if s.official or part != "val"]
        series, parts = [series[k] for k in kept], [parts[k] for k in kept]
        classes = sorted({one.label for one in series if one.label is not None}, key=_in_order)
        number: dict[str | None, int] = {name: k for k, name in enumerate(classes)} | {None: -1}
        found = list(self._fitted(series, parts))
        if not found:
            raise DataError(f"source.length={s.length} is longer than every series: lower it, or take source.fit=pad")
        where = None if any(one.part is None for one in found) else np.array([one.part for one in found])
        labels = np.array([number[one.label] for one in found]) if classes else None
        x = np.stack([one.values for one in found])
        return Held({"": x}, labels, classes, self._said(series), [one.name for one in found], where)

    def _fitted(self, series: list[Recorded], parts: list[str | None]) -> Iterator[_Example]:
        """Yield the examples that are made of series, all of one length."""
        s, longest = self.settings, max(one.values.shape[1] for one in series)
        length = s.length or longest
        for one, part in zip(series, parts, strict=True):
            part = part if s.official else None
            values = standardized(one.values) if s.norm == "series" else one.values
            if s.fit != "windows":
                fitted = resampled(values, length) if s.fit == "resample" else padded(values, length)
                yield _Example(one.name, one.label, fitted, part)
                continue
            count = values.shape[1] // length
            learned = count - max(1, round(s.validation * count)) if count > 1 else count
            for k, window in windows(values, length):
                place = part or ("train" if k < learned else "val")
                yield _Example(f"{one.name}[{k * length}:{(k + 1) * length}]", one.label, window, place)

    def _said(self, series: list[Recorded]) -> list[str]:
        """Say what was done to series of several lengths, and how much is missing."""
        lengths = [one.values.shape[1] for one in series]
        low, high, length = min(lengths), max(lengths), self.settings.length or max(lengths)
        said = {"resample": f"all are resampled to {length}", "windows": f"cut into windows of {length}"}
        shorter = ["shorter ones are filled up (a gap)"] if low < length else []
        longer = [f"longer ones are cut off at {length}"] if high > length else []
        what = said.get(self.settings.fit, "; ".join(shorter + longer))
        found = [f"{low} to {high} samples: {what}" if low < high else f"{low} samples: {what}"] if what else []
        missing = [int(np.isnan(one.values).sum()) for one in series]
        if any(missing):
            share = sum(missing) / sum(one.values.size for one in series)
            some = sum(count > 0 for count in missing)
            found.append(f"{some} of {len(series)} series have missing values ({100 * share:.2g} % of all): gaps")
        return found

    @property
    def skipped(self) -> str:
        failed = self._parts[None].found.failed
        if not failed:
            return ""
        names = listed(f"{shown(one.name)} ({one.reason})" for one in failed)
        return f"skipped {len(failed):,} series that cannot be read: {names}"


class SeriesReport(Report):
    """What there is at a path, with the series that cannot be read."""

    source: Series

    def lines(self) -> Iterator[str]:
        channels, lengths = self.source.shape[0], [one.values.shape[1] for one in self.source.found.series]
        yield from super().lines()
        yield f"{channels} channels; {min(lengths)} to {max(lengths)} samples, median {np.median(lengths):g}"

    @property
    def bad(self) -> list[str]:
        return [f"{one.name}: {one.reason}" for one in self.source.found.failed]


def _in_order(name: str) -> tuple[float, str]:
    """Return what sorts names of classes, numbers by their value and before texts."""
    return (float(name), "") if name.lstrip("-").isdigit() else (float("inf"), name)
