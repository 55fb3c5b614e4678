"""What a table's columns look like to an encoder: which words have a channel, and what numbers are counted from."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.sources.tables.delimited import Column
from jepa.text import shown

Values = NDArray[np.float64]


class Layout(NamedTuple):
    """What the examples to learn from say of the columns."""

    names: list[str]
    words: list[list[str] | None]
    """of each column the words that have a channel; None: it has numbers"""
    mean: Values
    """(columns,): of numbers; 0 of words"""
    std: Values
    """(columns,): of numbers, without missing ones; 1 of words and of what never changes"""

    @classmethod
    def of(cls, columns: Sequence[Column], values: Values, settings: Any) -> Self:
        """Return the layout of rows to learn from, (N, columns); DataError for a column that is missing in all.

        settings: categories, mean and std of `jepa.sources.tables.table.TableSettings`.
        """
        for c, own in zip(columns, values.T, strict=True):
            if np.isnan(own).all():
                raise DataError(
                    f"the column {shown(c.name)} is missing in every row to learn from: leave it out, "
                    f"source.leave_out={c.name}"
                )
        numbers = np.array([c.words is None for c in columns])
        mean = _given("mean", settings.mean, np.where(numbers, np.nanmean(values, axis=0), 0), numbers)
        std = _given("std", settings.std, np.where(numbers, np.nanstd(values, axis=0), 1), numbers)
        std = np.where(std > np.maximum(1e-30, 1e-7 * np.abs(mean)), std, 1)
        words = [_frequent(c, own, settings.categories) for c, own in zip(columns, values.T, strict=True)]
        return cls([c.name for c in columns], words, mean, std)

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and columns: one channel for each word of the column with most of them, and one for all others."""
        return max(1 if words is None else len(words) + 1 for words in self.words), len(self.names)

    def encoded(self, columns: Sequence[Column], values: Values) -> NDArray[np.float32]:
        """Return rows (n, columns) as an encoder sees them, (n, channels, columns).

        columns: what the values are of, whose words may be others than those that were learned. Raises DataError for
        numbers where words were learned, and the other way round.
        """
        x = np.zeros((len(values), *self.shape), np.float32)
        for j, (c, words, own) in enumerate(zip(columns, self.words, values.T, strict=True)):
            there = np.isfinite(own)
            if (c.words is None) != (words is None):
                has, wanted = ("numbers", "words") if c.words is None else ("words", "numbers")
                raise DataError(f"the column {shown(c.name)} has {has}, and {wanted} are wanted there")
            if c.words is None or words is None:
                x[:, 0, j] = (own - self.mean[j]) / self.std[j]
            else:
                channel = np.array([words.index(w) if w in words else len(words) for w in c.words], np.int64)
                x[np.flatnonzero(there), channel[own[there].astype(np.int64)], j] = 1
            x[~there, :, j] = np.nan
        return x


def _given(key: str, given: Any, own: Values, numbers: NDArray[np.bool_]) -> Values:
    """Return the numbers that are set for the columns of numbers, or their own."""
    if given is None:
        return own
    count = int(numbers.sum())
    if len(given) not in (1, count):
        raise DataError(f"source.{key} has {len(given)} numbers, and the table {count} columns of numbers")
    found = own.copy()
    found[numbers] = given
    return found


def _frequent(c: Column, values: Values, most: int) -> list[str] | None:
    """Return the most frequent words of some rows of a column, those that come first in the alphabet on a tie."""
    if c.words is None:
        return None
    counts = np.bincount(values[np.isfinite(values)].astype(np.int64), minlength=len(c.words))
    return [c.words[k] for k in np.argsort(-counts, kind="stable")[:most] if counts[k]]
