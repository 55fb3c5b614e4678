"""Pictures of series with gaps, and of later parts."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from jepa.pictures.future import plot_future
from jepa.pictures.line import show, thumbnail
from jepa.pictures.style import BLUE

X = np.random.default_rng(0).normal(size=(2, 3, 40)).astype(np.float32)


def test_the_part_that_is_seen_and_the_later_ones_lie_where_they_begin() -> None:
    figure = plot_future(X, np.array([[2, 14, 20], [0, 10, 30]]), 10)
    for axes, begins in zip(figure.axes, ((2, 14, 20), (0, 10, 30)), strict=True):
        left = sorted({patch.get_x() for patch in axes.patches if patch.get_width() == 10})
        assert left == [begin - 0.5 for begin in begins]
        assert {text.get_text() for text in axes.texts} == {"seen", "1", "2"}
    assert BLUE and figure.axes[-1].get_xlabel() == "sample"


@pytest.mark.parametrize("first, missing", [(30, 10), (0, 40)])
def test_a_gap_is_hatched(first: int, missing: int) -> None:
    x = X[0].copy()
    x[:, first : first + missing] = np.nan
    axes = Figure().subplots()
    show(axes, x)
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert [(patch.get_x(), patch.get_width()) for patch in hatched] == [(first - 0.5, missing)]
    assert np.isfinite(axes.get_ylim()).all()
    picture = thumbnail(x)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and (picture.min() < 255)
