"""The picture of masks shows what is kept, names and counts it, and the shares of the whole batch."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from jepa.errors import DataError
from jepa.masks import Masks, MultiBlockMasks
from jepa.visualisation import style
from jepa.visualisation.masks import coverage, outline, plot_masks

IMAGES = np.random.default_rng(0).uniform(size=(3, 3, 16, 32))
# 2 x 4 patches of 8 x 8 pixels; the second target of the first image is padded after its first patch
MASKS = Masks(
    [np.array([[0, 1], [2, 3], [6, 7]])],
    [np.array([[4, 5], [4, 5], [0, 4]]), np.array([[4, 0], [6, 7], [1, 2]])],
    None,
    [np.ones((3, 2), bool), np.array([[True, False], [True, True], [True, True]])],
)


def panels(figure, shown, columns):
    return np.array(figure.axes[: shown * columns]).reshape(shown, columns)


def pixels(axes):
    return np.asarray(axes.images[0].get_array())  # (H, W, 3)


def test_each_panel_shows_what_its_mask_keeps_and_no_more():
    grid = panels(plot_masks(IMAGES, MASKS, (2, 4)), 3, 4)
    assert [axes.get_title() for axes in grid[0]] == ["targets outlined", "context", "target 1", "target 2"]
    assert [axes.get_xlabel() for axes in grid[0, 1:]] == ["2 of 8 patches", "2 of 8 patches", "1 of 8 patches"]
    np.testing.assert_allclose(pixels(grid[1, 0]), IMAGES[1].transpose(1, 2, 0), rtol=1e-6)  # float32 keeps 7 digits
    for n in range(3):
        for axes, mask, valid in ((grid[n, 1], MASKS.context[0], None), (grid[n, 3], MASKS.target[1], True)):
            kept = mask[n][MASKS.target_valid[1][n]] if valid else mask[n]
            for patch in range(8):
                where = slice(8 * (patch // 4), 8 * (patch // 4) + 8), slice(8 * (patch % 4), 8 * (patch % 4) + 8)
                original = IMAGES[n].transpose(1, 2, 0)[where]
                assert np.allclose(pixels(axes)[where], original, atol=1e-6) == (patch in kept)


def test_targets_are_outlined_and_numbered_where_they_begin():
    grid = panels(plot_masks(IMAGES, MASKS, (2, 4)), 3, 4)
    numbers = [{text.get_text(): text.get_position() for text in axes.texts} for axes in grid[:, 0]]
    assert numbers == [
        {"1, 2": (4.0, 12.0)},  # both begin in patch 4, the left one below
        {"1": (4.0, 12.0), "2": (20.0, 12.0)},
        {"1": (4.0, 4.0), "2": (12.0, 4.0)},
    ]
    for axes in grid[:, 0]:
        assert (
            sum(isinstance(artist, LineCollection) for artist in axes.collections) == 4
        )  # two targets, colour on white
    one = plot_masks(IMAGES, MASKS._replace(target=MASKS.target[:1], target_valid=None), (2, 4))
    assert not one.axes[0].texts and one.axes[2].get_title() == "target"  # a single one needs no number


@pytest.mark.parametrize("seed", range(5))
def test_an_outline_goes_round_what_is_kept(seed):
    """Green's theorem: the signed upright edges, times their x, add up to the area; and no edge is missing."""
    kept = np.random.default_rng(seed).random((5, 7)) < 0.5
    edges = outline(kept)
    assert np.allclose(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1), 1)
    padded = np.pad(kept, 1).astype(int)
    assert len(edges) == np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    area = 0
    for (x, y), (x1, _) in edges.astype(int):
        if x == x1:  # an upright edge: what is kept lies on its left (+x) or on its right (-x)
            area += x if padded[y + 1, x] else -x
    assert area == kept.sum()


def test_coverage_counts_the_whole_batch():
    sampler, count = MultiBlockMasks(targets=2, collate="pad"), 50
    masks = sampler.sample((4, 4), count, np.random.default_rng(0))
    figure = plot_masks(IMAGES[:2, :, :, :16], masks, (4, 4), show_coverage=True)
    shares = [axes.images[0].get_array() for axes in figure.axes if axes.get_title().startswith("How often")]
    expected = np.zeros((2, 16))
    for n in range(count):
        seen = masks.context[0][n][masks.context_valid[0][n]]
        hidden = np.concatenate([m[n][v[n]] for m, v in zip(masks.target, masks.target_valid, strict=True)])
        expected[0, seen] += 1 / count
        expected[1, np.unique(hidden)] += 1 / count
    np.testing.assert_allclose(np.reshape(shares, (2, 16)), expected, rtol=1e-12)
    assert coverage(np.ones((2, 3, 1, 1), bool)).tolist() == [[1.0]]
    titles = [axes.get_title() for axes in figure.axes]
    assert "How often each patch is in a context, 50 images" in titles


@pytest.mark.parametrize("rows, shown", [(2, 2), (4, 3)])
def test_it_shows_so_many_rows_and_saves(rows, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    figure = plot_masks(IMAGES, MASKS, (2, 4), rows=rows, show_coverage=True)
    assert len(figure.axes) == shown * 4 + 4  # and two maps with their scales
    assert Image.open(style.save(figure, tmp_path / "masks.png")).width == 360


def test_what_does_not_fit_is_named():
    with pytest.raises(DataError, match="there are 3 images and masks for 1"):
        plot_masks(IMAGES, Masks([np.array([[0]])], [np.array([[1]])]), (2, 4))
    with pytest.raises(DataError, match="names patch 7, and a grid of 2 x 2 has none such"):
        plot_masks(IMAGES, MASKS, (2, 2))
