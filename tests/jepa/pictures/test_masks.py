"""The picture of masks shows what is kept, names and counts it, and the shares of all examples."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from jepa.masks import to_binary
from jepa.pictures import image, line, style
from jepa.pictures.image import outline
from jepa.pictures.places import Canvas, coverage, plot_masks
from jepa.tasks import Masked

CANVAS = Canvas(image, (3, 16, 32), (2, 4))  # patches of 8 x 8 pixels
IMAGES = np.random.default_rng(0).uniform(size=(3, 3, 16, 32))
CONTEXTS = np.stack([to_binary(np.array([[0, 1], [2, 3], [6, 7]]), 8)])
FIRST, SECOND = np.array([[4, 5], [4, 5], [0, 4]]), np.array([[4, 4], [6, 7], [1, 2]])
TARGETS = np.stack([to_binary(FIRST, 8), to_binary(SECOND, 8)])


def panels(figure, shown, columns):
    return np.array(figure.axes[: shown * columns]).reshape(shown, columns)


def pixels(axes):
    return np.asarray(axes.images[0].get_array())  # (h, w, 3)


def test_each_panel_shows_what_its_mask_keeps_and_no_more():
    grid = panels(plot_masks(CANVAS, IMAGES, CONTEXTS, TARGETS), 3, 4)
    assert [axes.get_title() for axes in grid[0]] == ["targets outlined", "context", "target 1", "target 2"]
    assert [axes.get_xlabel() for axes in grid[0, 1:]] == ["2 of 8 patches", "2 of 8 patches", "1 of 8 patches"]
    np.testing.assert_allclose(pixels(grid[1, 0]), IMAGES[1].transpose(1, 2, 0), rtol=1e-6)  # float32 keeps 7 digits
    for n in range(3):
        for axes, kept in ((grid[n, 1], CONTEXTS[0, n]), (grid[n, 3], TARGETS[1, n])):
            for patch in range(8):
                where = slice(8 * (patch // 4), 8 * (patch // 4) + 8), slice(8 * (patch % 4), 8 * (patch % 4) + 8)
                original = IMAGES[n].transpose(1, 2, 0)[where]
                assert np.allclose(pixels(axes)[where], original, atol=1e-6) == kept[patch]


def test_targets_are_outlined_and_numbered_where_they_begin():
    grid = panels(plot_masks(CANVAS, IMAGES, CONTEXTS, TARGETS), 3, 4)
    numbers = [{text.get_text(): text.get_position() for text in axes.texts} for axes in grid[:, 0]]
    assert numbers == [
        {"1, 2": (4.0, 12.0)},  # both begin in patch 4, the left one below
        {"1": (4.0, 12.0), "2": (20.0, 12.0)},
        {"1": (4.0, 4.0), "2": (12.0, 4.0)},
    ]
    for axes in grid[:, 0]:  # two targets, color on white
        assert sum(isinstance(artist, LineCollection) for artist in axes.collections) == 4
    one = plot_masks(CANVAS, IMAGES, CONTEXTS, TARGETS[:1])
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


def test_coverage_counts_all_examples():
    count = 50
    masks = Masked(targets=2, collate="pad").masks((4, 4), count, np.random.default_rng(0))
    contexts, targets = (
        np.stack([to_binary(mask, 16, valid) for mask, valid in zip(*pair, strict=True)])
        for pair in ((masks.context, masks.context_valid), (masks.target, masks.target_valid))
    )
    figure = plot_masks(Canvas(image, (3, 16, 16), (4, 4)), IMAGES[:2, :, :, :16], contexts, targets)
    shares = [axes.images[0].get_array() for axes in figure.axes if axes.get_title().startswith("How often")]
    expected = np.zeros((2, 16))
    for n in range(count):
        seen = masks.context[0][n][masks.context_valid[0][n]]
        hidden = np.concatenate([m[n][v[n]] for m, v in zip(masks.target, masks.target_valid, strict=True)])
        expected[0, seen] += 1 / count
        expected[1, np.unique(hidden)] += 1 / count
    np.testing.assert_allclose(np.reshape(shares, (2, 16)), expected, rtol=1e-12)
    assert coverage(np.ones((2, 3, 1), bool)).tolist() == [1.0]
    titles = [axes.get_title() for axes in figure.axes]
    assert "How often each patch is in a context, 50 examples" in titles


def test_it_shows_each_image_and_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    figure = plot_masks(CANVAS, IMAGES[:2], CONTEXTS, TARGETS)
    assert len(figure.axes) == 2 * 4 + 4  # and two maps with their scales
    assert Image.open(style.save(figure, tmp_path / "masks.png")).width == 360


def test_masks_of_a_series_are_shaded_spans(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    x = np.random.default_rng(0).normal(size=(1, 2, 32)).astype(np.float32)
    figure = plot_masks(Canvas(line, (2, 32), (8,)), x, CONTEXTS[:, :1], TARGETS[:, :1])
    above, context = figure.axes[:2]
    spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in above.patches)
    assert spans == [(15.5, 19.5), (15.5, 23.5)]  # targets of patches 4, and 4 and 5, 4 samples each
    assert [text.get_text() for text in above.texts] == ["1, 2"]
    kept = np.array(context.lines[1].get_ydata())
    assert np.isfinite(kept[:8]).all() and np.isnan(kept[8:]).all() and np.array_equal(kept[:8], x[0, 0, :8])
    assert above.get_ylabel() == "value" and context.get_xlabel() == "sample\n2 of 8 patches"
    assert {text.get_text() for text in figure.subfigs[0].legends[0].texts} == {"0", "1"}
    style.save(figure, tmp_path / "masks.png")
