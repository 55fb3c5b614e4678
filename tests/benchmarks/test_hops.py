"""A forward of a layer is few calls of Python, with either set of kernels."""

import pytest

import minitensor as mt
from benchmarks.hops import MOST, count, forwards


@pytest.mark.parametrize("kernels", ["numpy", "compiled"])
def test_calls_of_a_forward(kernels):
    before = mt.get_kernels()
    mt.set_kernels(kernels)
    try:
        found = forwards()
    finally:
        mt.set_kernels(before)
    assert found.keys() == MOST.keys()
    assert {name: n for name, n in found.items() if n > MOST[name]} == {}


def test_what_is_counted():
    """The constructor of a Tensor and what it calls; nothing of NumPy, nothing of this file."""
    assert count(lambda: None) == count(lambda: len([])) == 0
    assert count(lambda: mt.is_recording()) == 1
