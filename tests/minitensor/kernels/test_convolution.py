"""The ways to convolve on the CPU against each other, over kernels, strides, paddings, dilations, sizes of chunks."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.kernels.compiled import convolution as compiled_convolution
from minitensor.kernels.compiled import depthwise as compiled_depthwise
from minitensor.kernels.compiled import winograd as lanes
from minitensor.kernels.cpu import convolution, depthwise, winograd

rng = np.random.default_rng(0)
F = mt.nn.functional


@pytest.fixture(autouse=True)
def algorithm():
    before = mt.get_kernels()
    yield
    convolution.set_conv_algorithm("auto")
    mt.set_kernels(before)


def gradients(x, w, b, **settings):
    """Return value and gradients of a convolution, with an uneven incoming gradient."""
    tensors = [mt.Tensor(a, requires_grad=True) for a in (x, w, b)]
    y = F.conv2d(*tensors, **settings)
    g = np.random.default_rng(1).standard_normal(y.shape).astype(x.dtype)
    return [y.numpy(), *(d.numpy() for d in mt.grad(y, tensors, mt.Tensor(g)))]


GEOMETRIES = [
    {"stride": s, "padding": p, "dilation": d}
    for s, p, d in (
        (1, 0, 1), (1, 1, 1), (2, 1, 1), (2, 0, 1), (3, 2, 1), ((2, 3), (1, 0), 1), (2, 2, 3), (1, 4, 2), (3, 1, 2),
        (2, 3, (1, 2)), (5, 0, 1),
    )
]  # fmt: skip


@pytest.mark.parametrize("settings", GEOMETRIES, ids=str)
@pytest.mark.parametrize("channels", [3, 5])  # few lie transposed
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize("chunk", [1, 300, 150_000])
def test_chunks_of_windows_are_the_composite(monkeypatch, settings, channels, size, chunk):
    monkeypatch.setattr(convolution, "CHUNK", chunk)
    arrays = rng.standard_normal((3, channels, 9, 11)), rng.standard_normal((4, channels, *size)), np.ones(4)
    with mt.unfused():
        expected = gradients(*arrays, **settings)
    for a, e in zip(gradients(*arrays, **settings), expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-12 * np.abs(e).max())


@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (1, 1), ((0, 3), (2, 1)), (4, 2), (7, 1)])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 5)])
@pytest.mark.parametrize("entries", [1, 100, 65_536])
def test_depthwise_rows_are_the_composite(monkeypatch, padding, dilation, size, entries):
    monkeypatch.setattr(depthwise, "ENTRIES", entries)
    arrays = rng.standard_normal((3, 4, 9, 11)), rng.standard_normal((4, 1, *size)), np.ones(4)
    settings = {"padding": padding, "dilation": dilation, "groups": 4}
    assert convolution.conv2d_cpu(*arrays, needs=(True,) * 3, **settings) is not NotImplemented
    with mt.unfused():
        expected = gradients(*arrays, **settings)
    for a, e in zip(gradients(*arrays, **settings), expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-12 * np.abs(e).max())


@pytest.mark.parametrize("padding", [0, 1, 2, (0, 2)])
@pytest.mark.parametrize("shape", [(5, 8, 8), (2, 3, 5), (1, 17, 6), (3, 4, 4)])
@pytest.mark.parametrize("entries", [1, 300_000])  # image by image, and together
@pytest.mark.parametrize("pairs", [20, 1 << 14])  # of few images: the weight in three pieces, and whole
def test_winograd_is_a_convolution(monkeypatch, padding, shape, entries, pairs):
    monkeypatch.setattr(winograd, "ENTRIES", entries)
    monkeypatch.setattr(winograd, "PAIRS", pairs)
    monkeypatch.setattr(winograd, "ROWS", 1)
    n, h, w = shape
    x = rng.standard_normal((n, 6, h, w)).astype(np.float32)
    arrays = x, rng.standard_normal((7, 6, 3, 3)).astype(np.float32), np.ones(7, np.float32)
    convolution.set_conv_algorithm("im2col")
    expected = gradients(*(a.astype(np.float64) for a in arrays), padding=padding)
    plain = gradients(*arrays, padding=padding)
    convolution.set_conv_algorithm("winograd")
    found = gradients(*arrays, padding=padding)
    assert not np.array_equal(found[0], plain[0])  # it went the other way
    for a, e in zip(found, expected, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * np.abs(e).max())  # rounding of float32 in the transforms


@pytest.mark.parametrize("settings", GEOMETRIES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 5), (7, 7)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("entries", [1, 1024])
def test_depthwise_in_lanes_is_the_composite(monkeypatch, settings, size, dtype, entries):
    """Of x first and last in memory; with sums in pieces and whole."""
    pytest.importorskip("numba")
    monkeypatch.setattr(compiled_depthwise, "ENTRIES", entries)
    mt.set_kernels("compiled")
    settings = settings | {"groups": 16}
    arrays = rng.standard_normal((2, 16, 15, 18)), rng.standard_normal((16, 1, *size)), np.ones(16)
    x, w, b = (a.astype(dtype) for a in arrays)
    taken = compiled_convolution.conv2d_compiled(x, w, b, needs=(True,) * 3, **settings)
    assert taken is not NotImplemented
    with mt.unfused():
        expected = gradients(*arrays, **settings)
    tolerance = 1e-12 if dtype == "float64" else 3e-6
    for given in (x, x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
        for a, e in zip(gradients(given, w, b, **settings), expected, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * np.abs(e).max())


def test_depthwise_in_lanes_passes_nan_and_infinity_on():
    pytest.importorskip("numba")
    mt.set_kernels("compiled")
    x, w, b = rng.standard_normal((1, 8, 9, 9)), rng.standard_normal((8, 1, 3, 3)), np.zeros(8)
    x[0, 2, 4, 4], x[0, 5, 0, 0], w[3, 0, 1, 1] = np.nan, np.inf, np.nan
    with mt.unfused():
        expected = gradients(x, w, b, padding=1, groups=8)
    for a, e in zip(gradients(x, w, b, padding=1, groups=8), expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", [0, 1, 2, (0, 2)])
@pytest.mark.parametrize("shape", [(5, 8, 8), (2, 3, 5), (1, 17, 6), (3, 4, 4)])
@pytest.mark.parametrize("entries", [1, 300_000])
@pytest.mark.parametrize("pairs", [20, 1 << 14])
def test_winograd_in_lanes_is_a_convolution(monkeypatch, padding, shape, entries, pairs):
    pytest.importorskip("numba")
    for name, value in (("ENTRIES", entries), ("PAIRS", pairs), ("ROWS", 1)):
        monkeypatch.setattr(winograd, name, value)
    n, h, w = shape
    x = rng.standard_normal((n, 16, h, w)).astype(np.float32)
    arrays = x, rng.standard_normal((24, 16, 3, 3)).astype(np.float32), np.ones(24, np.float32)
    convolution.set_conv_algorithm("im2col")
    expected = gradients(*(a.astype(np.float64) for a in arrays), padding=padding)
    convolution.set_conv_algorithm("winograd")
    mt.set_kernels("numpy")
    by_numpy = gradients(*arrays, padding=padding)
    mt.set_kernels("compiled")
    for a, b, e in zip(gradients(*arrays, padding=padding)[:3], by_numpy, expected, strict=False):
        assert a.dtype == np.float32 and not np.array_equal(a, b)  # it went the other way
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-5 * np.abs(e).max())


def test_winograd_in_lanes_is_exact_but_for_rounding():
    pytest.importorskip("numba")
    x, w = rng.standard_normal((2, 9, 6, 8)), rng.standard_normal((16, 8, 3, 3))
    g = rng.standard_normal((2, 9, 6, 16))
    for name, arrays in (("correlate", (x, w)), ("image_gradient", (w, g)), ("weight_gradient", (x, g))):
        expected = getattr(winograd, name)(*arrays, (1, 1))
        np.testing.assert_allclose(getattr(lanes, name)(*arrays, (1, 1)), expected, atol=1e-11)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_winograd_in_lanes_passes_nan_and_infinity_on(value):
    """A tile with one of them has no number left, and no other tile does."""
    pytest.importorskip("numba")
    x, w = rng.standard_normal((1, 12, 12, 8)).astype("float32"), np.ones((8, 8, 3, 3), "float32")
    x[0, 5, 5, 3] = value
    y = lanes.correlate(x, w, (1, 1))
    assert not np.isfinite(y[0, 4:7, 4:7]).any() and np.isfinite(y[0, 8:]).all()


def test_winograd_is_exact_but_for_rounding():
    """In float64 its own functions give what sums of products give, to 1e-13."""
    x, w = rng.standard_normal((2, 9, 6, 4)), rng.standard_normal((5, 4, 3, 3))
    g = rng.standard_normal((2, 9, 6, 5))
    windows = convolution.Windows((3, 3), (1, 1), (1, 1), (-1, -1), (9, 6))
    y = windows.correlate(x, w.transpose(2, 3, 1, 0).reshape(-1, 5))
    np.testing.assert_allclose(winograd.correlate(x, w, (1, 1)), y, atol=1e-12)
    expected = convolution.image_gradient(g, w, x.shape, (1, 1), (1, 1), (1, 1))
    np.testing.assert_allclose(winograd.image_gradient(w, g, (1, 1)), expected, atol=1e-12)
    expected = windows.weight_gradient(x, g).reshape(3, 3, 4, 5).transpose(3, 2, 0, 1)
    np.testing.assert_allclose(winograd.weight_gradient(x, g, (1, 1)), expected, atol=1e-12)


@pytest.mark.parametrize(("channels", "fast"), [(31, False), (32, True)])
def test_auto_takes_winograd_with_enough_channels(channels, fast):
    arrays = rng.standard_normal((1, 32, 6, 6)), rng.standard_normal((channels, 32, 3, 3)), np.zeros(channels)
    arrays = tuple(a.astype(np.float32) for a in arrays)
    auto = gradients(*arrays, padding=1)
    convolution.set_conv_algorithm("im2col")
    assert np.array_equal(auto[0], gradients(*arrays, padding=1)[0]) is not fast


def test_another_algorithm_is_refused():
    with pytest.raises(ValueError, match="one of auto, winograd, im2col; got 'fft'"):
        mt.set_conv_algorithm("fft")
