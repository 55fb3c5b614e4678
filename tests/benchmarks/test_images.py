"""The benchmark of prepared images compares two ways to the same pixels."""

import numpy as np
import pytest

import minitensor as mt

pytest.importorskip("torch")

from benchmarks import images
from jepa.tasks.views import Views
from jepa.transforms import ImageChanges

pytestmark = pytest.mark.parity  # torch computes the other side


@pytest.mark.parametrize("kernels", ["numpy", "compiled"])
def test_both_sides_make_the_same_pixels(kernels):
    if kernels == "compiled":
        pytest.importorskip("numba")
    task, before = Views(ImageChanges(vertical_flip=0.5, grayscale=0.3, invert=0.3)), mt.get_kernels()
    pixels = np.random.default_rng(1).integers(0, 256, (images.COUNT, 3, 20, 20), dtype=np.uint8)
    theirs = images.theirs(task, pixels)().numpy()
    mt.set_kernels(kernels)
    try:
        np.testing.assert_allclose(images.ours(task, pixels), theirs, rtol=0, atol=images.TOLERANCE)
    finally:
        mt.set_kernels(before)
    assert np.abs(theirs[1:] - theirs[:-1]).max() > 1  # they are pictures
