"""Boxes: size, place and geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa.masks import Box, geometry
from jepa.masks.box import box_place, box_size

share = st.floats(0, 1, exclude_max=True)
side = st.integers(1, 200)


@settings(max_examples=300, deadline=None)
@given(side, side, share, share, st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.2, 1), st.floats(1, 5))
def test_size_has_the_asked_area_and_fits(height, width, u, v, a, b, narrow, wide):
    scale = (min(a, b), max(a, b))
    h, w = box_size(height, width, u, v, scale=scale, aspect=(narrow, wide))
    assert 1 <= h <= height and 1 <= w <= width
    area = max((scale[0] + u * (scale[1] - scale[0])) * height * width, 1)
    assert abs(h * w - area) <= max(h, w) / 2 + 1e-6, "off by no more than whole pixels make it"


@pytest.mark.parametrize("aspect", [(0.5, 0.5), (1.0, 1.0), (2.0, 2.0)])
def test_aspect_is_width_by_height(aspect):
    h, w = box_size(400, 400, 0.5, 0.5, scale=(0.1, 0.1), aspect=aspect)
    assert w / h == pytest.approx(aspect[0], rel=0.02)


def test_a_large_area_of_a_panorama_gives_up_the_aspect():
    assert box_size(10, 100, 0.0, 0.5, scale=(1, 1), aspect=(0.75, 1.33)) == (10, 100)
    assert box_size(100, 10, 0.0, 0.5, scale=(0.5, 0.5), aspect=(2, 3)) == (50, 10)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 7), (5, 4)])
def test_every_place_is_equally_likely_the_last_row_and_column_too(size):
    generator = np.random.default_rng(0)
    counts = np.zeros((5 - size[0] + 1, 7 - size[1] + 1))
    draws = 400 * counts.size
    for u, v in generator.random((draws, 2)).tolist():
        box = box_place(5, 7, u, v, size)
        counts[box.top, box.left] += 1
    assert abs(counts / 400 - 1).max() < 0.25  # five standard deviations


def test_the_largest_uniform_number_stays_inside():
    last = float(np.nextafter(1, 0))
    for places in range(1, 3000):
        assert box_place(places, 1, last, last, (1, 1)).top == places - 1


boxes = st.builds(Box, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))


@given(boxes, boxes)
def test_overlap_counts_pixels(a, b):
    def pixels(box):
        canvas = np.zeros((20, 20), bool)
        canvas[box.top : box.top + box.height, box.left : box.left + box.width] = True
        return canvas

    assert a.overlap(b) == b.overlap(a) == (pixels(a) & pixels(b)).sum()
    assert a.area == pixels(a).sum() and a.moved(2, 3).overlap(a.moved(2, 3)) == a.area


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
    larger = [Box(*(scale * v for v in box.moved(shift, shift))) for box in (context, target)]
    np.testing.assert_allclose(geometry(larger[0], larger[1:]), g, atol=1e-5)


def test_geometry_of_many_images_at_once():
    generator = np.random.default_rng(0)
    contexts, targets = generator.integers(1, 20, (5, 4)), generator.integers(1, 20, (5, 3, 4))
    together = geometry(contexts, targets)
    assert together.shape == (5, 3, 4)
    for n in range(5):
        np.testing.assert_array_equal(together[n], geometry(Box(*contexts[n]), [Box(*t) for t in targets[n]]))
