"""Halves: nothing is in both parts, and everything in one of them."""

from typing import Any

import numpy as np
import pytest

from jepa.tasks import Halves, generators
from jepa.tasks.masked import Masked
from jepa.transforms import WordChanges

COUNTS = np.array([2, 3, 7, 12, 20] * 4)


def texts() -> np.ndarray:
    """Return texts of several lengths whose tokens are the numbers of their places, and . after every fourth."""
    x = np.tile(np.arange(100, 120, dtype=np.float32), (20, 1, 1))
    x[:, 0, 3::4] = 46
    for row, count in zip(x, COUNTS, strict=True):
        row[0, count:] = np.nan
    return x


@pytest.mark.parametrize("settings", [{"by": "places"}, {"by": "cut"}, {"by": "sentence"}, {"share": (0.1, 0.1)}])
def test_the_parts_divide_an_example(settings: dict[str, Any]) -> None:
    x = texts()
    (views,) = Halves(**settings).ask(x, (20,), generators(20)).seen
    first, second = (~np.isnan(views[:, k, 0]) for k in range(2))
    there = ~np.isnan(x[:, 0])
    assert not (first & second).any()
    np.testing.assert_array_equal(first | second, there)
    np.testing.assert_array_equal(np.where(first, views[:, 0, 0], views[:, 1, 0]), x[:, 0])
    assert (first.any(axis=1) & second.any(axis=1)).all()
    if settings.get("by", "places") != "places":  # all that is in the first part comes before the second
        assert all(np.flatnonzero(a).max() < np.flatnonzero(b).min() for a, b in zip(first, second, strict=True))
    if settings.get("by") == "sentence":
        ends = [row[0, np.flatnonzero(a).max()] for row, a, n in zip(x, first, COUNTS, strict=True) if n > 4]
        assert set(ends) == {46}
    if "share" in settings:
        assert first.sum(axis=1).tolist() == [max(1, round(0.1 * n)) for n in COUNTS]


def test_words_that_are_dropped_are_never_asked_for() -> None:
    """Not those that the target encoder does not see, nor are those kept that the context encoder does not."""
    task = Masked(WordChanges(run=(0.5, 0.8), drop=0.3), targets=2, min_keep=1)
    batch = task.ask(texts()[COUNTS > 5], (20,), generators(12))
    seen, true = ~np.isnan(batch.seen[:, 0]), ~np.isnan(batch.true[:, 0, 0])
    n = np.arange(len(seen))[:, None, None]
    assert batch.keep is not None and batch.keep.valid is not None
    assert (seen & true)[n, batch.keep.index][batch.keep.valid].all()
    assert true[n, batch.asked.index][batch.asked.flags].all()


def test_a_view_of_words_is_a_run_with_holes() -> None:
    x = texts()
    y = (
        WordChanges(run=(0.5, 0.5), drop=0.0)
        .part()
        .apply(x, [WordChanges(run=(0.5, 0.5)).part().draw(g) for g in generators(20).examples])
    )
    left = ~np.isnan(y[:, 0])
    np.testing.assert_array_equal(left.sum(axis=1), np.round(COUNTS / 2))
    assert all(np.ptp(np.flatnonzero(row)) == row.sum() - 1 for row in left)
    np.testing.assert_array_equal(y[left[:, None]], x[left[:, None]])
