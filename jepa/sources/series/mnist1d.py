"""MNIST-1D as a source: made in memory when it is opened, in a second, the same numbers each time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from jepa.config.settings import between, setting
from jepa.files.atomic import replacing
from jepa.sources.base import SourceSettings
from jepa.sources.examples import Held
from jepa.sources.memory import InMemory
from jepa.sources.series.digits import STROKES, series

TRAIN = 0.8  # share of the series that are to learn from


@dataclass(frozen=True)
class MNIST1DSettings(SourceSettings):
    """Of MNIST-1D."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "series", "task": "multiview", "encoder": "cnn1d"}
    count: int = setting(5000, between(50, 1_000_000))
    """series, each digit as often"""
    length: int = setting(40, between(8, 10_000))
    """samples of each"""
    seed: int = setting(42, between(0, 2**32 - 1))
    """of what is drawn; with 42, 5000 series of 40 samples are the published ones"""
    official: bool = setting(True)
    """the last fifth is held out, as published; false: only the others, a share held out: to choose settings"""


class MNIST1D(InMemory):
    """Ten classes of series (1, 40): strokes of digits behind noise, shifts and slopes (`series.digits`).

    >>> MNIST1D(count=100).split("val")
    MNIST1D(val: 20 examples of 10 classes, (1, 40))
    """

    Settings = MNIST1DSettings
    makes = True
    methods = ("euclid", "dtw")
    measures = ("forecast",)
    settings: MNIST1DSettings

    @cached_property
    def held(self) -> Held:
        """All examples, and what is known about each."""
        s = self.settings
        x, digits = series(s.count, s.length, s.seed)
        first = round(TRAIN * len(x))
        parts = np.where(np.arange(len(x)) < first, "train", "val") if s.official else None
        kept = len(x) if s.official else first
        held = x[:kept, None].astype(np.float32)
        return Held({"": held}, digits[:kept], list(map(str, range(len(STROKES)))), [], None, parts)

    @property
    def where(self) -> str:
        return "mnist1d"

    def write(self, out: str | Path, seed: int = 0) -> Path:
        """Write the set as the UCR archive has its own, OUT/mnist1d_TRAIN.tsv and _TEST.tsv; seed: added to its own."""
        s = self.settings
        x, digits = series(s.count, s.length, s.seed + seed)
        folder, first = Path(out), round(TRAIN * len(x))
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("TRAIN", slice(first)), ("TEST", slice(first, None))):
            with replacing(folder / f"mnist1d_{name}.tsv") as temporary:
                np.savetxt(temporary, np.column_stack([digits[rows], x[rows].astype(np.float32)]), "%.9g", "\t")
        return folder
