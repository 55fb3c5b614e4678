"""Boxes: size, place and geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa.masks import Box, geometry
from jepa.masks.box import box_place, box_size, drawn_box, filled

share = st.floats(0, 1, exclude_max=True)
side = st.integers(1, 200)


@settings(max_examples=300, deadline=None)
@given(side, side, share, share, st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.2, 1), st.floats(1, 5))
def test_size_has_the_asked_area_and_fits(height, width, u, v, a, b, narrow, wide):
    scale = (min(a, b), max(a, b))
    h, w = box_size((height, width), u, v, scale=scale, aspect=(narrow, wide))
    assert 1 <= h <= height and 1 <= w <= width
    area = max((scale[0] + u * (scale[1] - scale[0])) * height * width, 1)
    assert abs(h * w - area) <= max(h, w) / 2 + 1e-6, "off by no more than whole pixels make it"


@pytest.mark.parametrize("aspect", [(0.5, 0.5), (1.0, 1.0), (2.0, 2.0)])
def test_aspect_is_width_by_height(aspect):
    h, w = box_size((400, 400), 0.5, 0.5, scale=(0.1, 0.1), aspect=aspect)
    assert w / h == pytest.approx(aspect[0], rel=0.02)


def test_a_large_area_of_a_panorama_gives_up_the_aspect():
    assert box_size((10, 100), 0.0, 0.5, scale=(1, 1), aspect=(0.75, 1.33)) == (10, 100)
    assert box_size((100, 10), 0.0, 0.5, scale=(0.5, 0.5), aspect=(2, 3)) == (50, 10)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 7), (5, 4)])
def test_every_place_is_equally_likely_the_last_row_and_column_too(size):
    generator = np.random.default_rng(0)
    counts = np.zeros((5 - size[0] + 1, 7 - size[1] + 1))
    draws = 400 * counts.size
    for u, v in generator.random((draws, 2)).tolist():
        box = Box(*box_place((5, 7), (u, v), size))
        counts[box.top, box.left] += 1
    assert abs(counts / 400 - 1).max() < 0.25  # five standard deviations


def test_the_largest_uniform_number_stays_inside():
    last = float(np.nextafter(1, 0))
    for places in range(1, 3000):
        assert box_place((places, 1), (last, last), (1, 1))[0] == places - 1


boxes = st.builds(Box, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))


@given(boxes, boxes)
def test_overlap_counts_pixels(a, b):
    def pixels(box):
        canvas = np.zeros((20, 20), bool)
        canvas[box.top : box.top + box.height, box.left : box.left + box.width] = True
        return canvas

    assert a.overlap(b) == b.overlap(a) == (pixels(a) & pixels(b)).sum()
    assert a.area == pixels(a).sum()


@given(boxes, boxes, st.integers(1, 5), st.integers(-3, 3))
def test_geometry_tells_the_place_whatever_the_scale_and_origin(context, target, scale, shift):
    g = geometry(context, [target])
    assert g.shape == (1, 4) and g.dtype == np.float32
    dy, dx, h, w = g[0].astype(float)
    centre = (
        context.top + context.height / 2 + dy * context.height,
        context.left + context.width / 2 + dx * context.width,
    )
    assert centre == pytest.approx((target.top + target.height / 2, target.left + target.width / 2), abs=1e-4)
    assert (np.exp(h) * context.height, np.exp(w) * context.width) == pytest.approx(
        (target.height, target.width), rel=1e-5
    )
    moved = [(box.top + shift, box.left + shift, *box[2:]) for box in (context, target)]
    larger = [Box(*(scale * v for v in box)) for box in moved]
    np.testing.assert_allclose(geometry(larger[0], larger[1:]), g, atol=1e-5)


def test_geometry_of_many_images_at_once():
    generator = np.random.default_rng(0)
    contexts, targets = generator.integers(1, 20, (5, 4)), generator.integers(1, 20, (5, 3, 4))
    together = geometry(contexts, targets)
    assert together.shape == (5, 3, 4)
    for n in range(5):
        np.testing.assert_array_equal(together[n], geometry(Box(*contexts[n]), [Box(*t) for t in targets[n]]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.randoms(use_true_random=False), st.floats(0.05, 1))
def test_a_box_of_any_rank_lies_inside_and_has_about_the_asked_share(lengths, random, share):
    numbers = [random.random() for _ in range(2 + len(lengths))]
    box = drawn_box(lengths, numbers, scale=(share, share), aspect=(0.5, 2))
    starts, sizes = box[: len(lengths)], box[len(lengths) :]
    assert len(box) == 2 * len(lengths) and min(sizes) >= 1 and min(starts) >= 0
    assert all(a + b <= n for a, b, n in zip(starts, sizes, lengths, strict=True))
    assert filled(lengths, [box]).sum() == np.prod(sizes)
    if len(lengths) == 1:
        assert abs(sizes[0] - max(share * lengths[0], 1)) <= 0.5
        return
    area = share * np.prod(lengths) / np.prod(sizes[:-2])  # what is left to the last two axes
    area = min(max(area, 1), np.prod(lengths[-2:]))
    assert abs(sizes[-2] * sizes[-1] - area) <= max(sizes[-2:]) / 2 + 1e-6


def test_a_box_of_a_clip_has_the_asked_volume_on_average():
    generator = np.random.default_rng(0)
    shares = []
    for numbers in generator.random((500, 5)).tolist():
        box = drawn_box((16, 40, 60), numbers, scale=(0.2, 0.6), aspect=(0.75, 1.33))
        shares.append(np.prod(box[3:]) / (16 * 40 * 60))
    assert abs(np.mean(shares) - 0.4) < 0.02 and min(shares) > 0.19 and max(shares) < 0.61


def test_two_axes_are_cut_like_the_last_two_of_a_clip_of_one_frame():
    for numbers in np.random.default_rng(0).random((50, 4)).tolist():
        flat = drawn_box((30, 20), numbers, scale=(0.1, 0.9), aspect=(0.5, 2))
        clip = drawn_box((1, 30, 20), [*numbers[:2], 0.5, *numbers[2:]], scale=(0.1, 0.9), aspect=(0.5, 2))
        assert clip == (0, *flat[:2], 1, *flat[2:])
