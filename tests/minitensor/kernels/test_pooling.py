"""Pooling in compiled loops beside the composites: values, and gradients of every window."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.kernels import compiled

pytest.importorskip("numba")
F = mt.nn.functional
rng = np.random.default_rng(0)
GEOMETRIES = [
    {"kernel_size": k, "stride": s, "padding": p, "dilation": d}
    for k, s, p, d in (
        (2, None, 0, 1), (1, 1, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), ((2, 3), (3, 1), (1, 0), 1), (2, 3, 0, 2),
        (5, 2, 2, 1), (3, (1, 2), 1, (2, 1)), (2, 5, 0, 1),
    )
]  # fmt: skip
SHAPES = [(2, 3, 9, 11), (1, 1, 6, 6), (3, 40, 7, 7)]


@pytest.fixture(autouse=True)
def kernels():
    before = mt.get_kernels()
    mt.set_kernels("compiled")
    yield
    mt.set_kernels(before)


def results(f, x, **settings):
    t = mt.Tensor(x, requires_grad=True)
    y = f(t, **settings)
    g = np.random.default_rng(1).standard_normal(y.shape).astype(x.dtype)
    (d,) = mt.grad(y, [t], mt.Tensor(g))
    return y.numpy(), d.numpy()


def same(f, x, tolerance=0.0, **settings):
    found = results(f, x, **settings)
    with mt.unfused():
        expected = results(f, x, **settings)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", GEOMETRIES, ids=str)
def test_max_pool(settings, shape, dtype):
    """With ties, of which the first entry gets the gradient; channels last and first in memory."""
    x = np.round(rng.standard_normal(shape), 1).astype(dtype)
    kernel = compiled.pooling.max_pool2d_compiled
    assert kernel(x, needs=(True,), **settings) is not NotImplemented
    tolerance = {"float32": 1e-6, "float64": 1e-14}[dtype]  # where windows overlap, gradients are added up
    same(F.max_pool2d, x, tolerance, **settings)
    same(F.max_pool2d, x, tolerance, ceil_mode=True, **settings)
    same(F.max_pool2d, x.transpose(0, 1, 3, 2)[:, :, ::-1], tolerance, **settings)


@pytest.mark.parametrize("settings", GEOMETRIES, ids=str)
def test_max_pool_of_nan_and_infinity(settings):
    x = rng.standard_normal((3, 9, 10, 12)).astype("float32")
    for value in (np.nan, -np.inf, np.inf):
        x[rng.random(x.shape) < 0.2] = value
    same(F.max_pool2d, x, 1e-6, **settings)
    same(F.max_pool2d, np.full_like(x, -np.inf), 1e-6, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "settings", [{"kernel_size": k, "stride": s} for k, s in ((2, None), (3, 2), ((2, 4), (3, 1)))]
)
def test_average_pool(settings, dtype):
    x = rng.standard_normal((3, 10, 9, 11)).astype(dtype)
    assert compiled.pooling.avg_pool2d_compiled(x, needs=(True,), **settings) is not NotImplemented
    same(F.avg_pool2d, x, 1e-6 if dtype == "float32" else 1e-14, **settings)
    x[0, 0, 3, 3], x[1, 2, 4, 4] = np.nan, np.inf
    same(F.avg_pool2d, x, 1e-6, **settings)


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_for_any_number_of_threads(threads, monkeypatch):
    before = mt.get_num_threads()
    x = rng.standard_normal((5, 16, 96, 96)).astype("float32")
    expected = [a.tobytes() for a in results(F.max_pool2d, x, kernel_size=3, stride=2, padding=1)]
    mt.set_num_threads(threads)
    try:
        found = [a.tobytes() for a in results(F.max_pool2d, x, kernel_size=3, stride=2, padding=1)]
    finally:
        mt.set_num_threads(before)
    assert found == expected


def test_what_the_loops_leave_to_others():
    x = rng.standard_normal((2, 3, 8, 8))
    kernel = compiled.pooling.max_pool2d_compiled
    assert kernel(x[0], needs=(True,), kernel_size=2) is NotImplemented
    assert kernel(x[:0], needs=(True,), kernel_size=2) is NotImplemented
    assert kernel(np.ones((1, 1, 40, 40)), needs=(True,), kernel_size=20) is NotImplemented
    assert F.max_pool2d(mt.Tensor(x[:0]), 2).shape == (0, 3, 4, 4)
    with pytest.raises(ValueError, match="meets only the padding"):
        F.max_pool2d(mt.Tensor(np.ones((1, 1, 1, 1))), 2, stride=1, padding=1, dilation=2)
