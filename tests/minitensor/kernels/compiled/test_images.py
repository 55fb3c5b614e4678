"""Compiled kernels of images beside their composites: odd sizes, memory layouts, NaN and infinity, several threads."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.kernels.compiled.layout import to_last
from minitensor.ops.nn import normalization
from tests.minitensor.kernels.compiled.test_kernels import TOLERANCE, compare, dtypes, evaluated, kernels, normal

__all__ = ["kernels"]

F = mt.nn.functional


def grid(x):
    """Places of which some lie outside."""
    return mt.Tensor(np.random.default_rng(2).uniform(-1.3, 1.3, (len(x), 4, 5, 2)).astype(x.dtype))


IMAGES = {
    "group_norm": lambda x: normalization.group_norm(x, groups=2)[0],
    "group_norm, affine": lambda x: normalization.group_norm(x, x[0, :, 0, 0], x[0, :, 0, 1], groups=x.shape[1] // 2)[
        0
    ],
    "group_norm, statistics": lambda x: sum(s.sum() for s in normalization.group_norm(x, groups=2)[1:]),
    "instance_norm": lambda x: normalization.group_norm(x, groups=x.shape[1])[0],
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_avg_pool2d, whole": lambda x: F.adaptive_avg_pool2d(x, (1, None)),
    "nearest": lambda x: F.interpolate(x, size=(5, 4)),
    "bilinear": lambda x: F.interpolate(x, scale_factor=(1.7, 0.6), mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, size=(4, 9), mode="bicubic", align_corners=True),
    "antialiased": lambda x: F.interpolate(x, size=(2, 3), mode="bilinear", antialias=True),
    "replicate": lambda x: F.pad(x, (2, 1, 0, 3), mode="replicate"),
    "circular": lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
    "take": lambda x: mt.take(x, np.array([0, -1, 1, 0, 0]), axis=1),
    "gather": lambda x: mt.gather(x, 1, np.indices((len(x), 5, *x.shape[2:])).sum(axis=0) % x.shape[1]),
    "gather, last axis": lambda x: mt.gather(x, -1, np.indices((*x.shape[:3], 3)).sum(axis=0) % x.shape[3]),
    "scatter_add": lambda x: mt.scatter_add(x, 2, np.indices(x.shape).sum(axis=0) // 2 % x.shape[2], x * 2),
    "index_add": lambda x: mt.index_add(x, 1, np.arange(x.shape[1]) // 2, x * 2),
    "grid_sample": lambda x: F.grid_sample(x, grid(x), align_corners=True),
    "cumsum": lambda x: mt.cumsum(x, axis=1),
    "cumsum, last axis": lambda x: mt.cumsum(x, axis=-1),
}
SHAPES = [(1, 2, 1, 2), (1, 2, 3, 2), (2, 6, 7, 5), (3, 10, 1, 9), (2, 16, 9, 8), (1, 4, 40, 41)]


def layouts(x):
    """Yield views of other memory: channels-last, with gaps, reversed, read-only, and columns first."""
    yield np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    yield np.repeat(x, 2, axis=3)[..., ::2]
    yield x[::-1, :, ::-1]
    yield np.broadcast_to(x[:1], (2, *x.shape[1:]))
    yield np.ascontiguousarray(x.swapaxes(2, 3)).swapaxes(2, 3)


@dtypes
@pytest.mark.parametrize("name", IMAGES)
def test_images(name, dtype):
    for shape in SHAPES[1:] if "norm" in name else SHAPES:  # two entries are normalized to ±1: of no gradient
        compare(IMAGES[name], normal(shape, dtype), tolerance=TOLERANCE[dtype] * 10)


@dtypes
@pytest.mark.parametrize("name", IMAGES)
def test_images_of_any_layout(name, dtype):
    for x in layouts(normal((3, 8, 6, 7), dtype)):
        compare(IMAGES[name], x, tolerance=TOLERANCE[dtype] * 10)
        compare(IMAGES[name], x, tolerance=TOLERANCE[dtype] * 10, upstream=lambda y: normal(y.shape[::-1], y.dtype).T)


@dtypes
@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_images_of_special_numbers(name, dtype, value):
    x = normal((3, 8, 6, 7), dtype)
    x[1, 3, 2, 4] = x[2, 0, 0, 0] = value
    compare(IMAGES[name], x, tolerance=TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("name", IMAGES)
def test_threads_change_no_bit(name):
    x = normal((5, 16, 90, 91), np.float32)
    results = []
    for threads in (1, 2, 3):
        mt.set_num_threads(threads)
        results.append(evaluated(IMAGES[name], x))
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_long_sums_add_up():
    """A million places in float32, beside float64."""
    x = np.random.default_rng(0).random((1, 2, 1000, 1000), np.float32)
    for layout in (x, next(layouts(x))):
        for name in ("group_norm", "instance_norm"):
            ours, wide = (evaluated(IMAGES[name], v) for v in (layout, layout.astype(np.float64)))
            for a, b in zip(ours, wide, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


CONVOLUTIONS = {  # channels, outputs, kernel, settings
    "groups": (16, 24, (3, 3), {"groups": 2, "padding": 1}),
    "groups of few": (12, 6, (3, 2), {"groups": 3, "stride": (2, 1)}),
    "groups of one": (5, 10, (3, 3), {"groups": 5, "padding": (2, 0), "dilation": (1, 2)}),
    "groups, stride": (16, 16, (4, 3), {"groups": 2, "stride": (2, 3), "padding": 2, "dilation": (2, 1)}),
    "depthwise": (16, 16, (3, 3), {"groups": 16, "padding": 1}),
    "depthwise, stride": (8, 8, (3, 5), {"groups": 8, "stride": (2, 3), "padding": 2}),
    "depthwise, wide stride": (8, 8, (2, 1), {"groups": 8, "stride": 3}),
    "depthwise of any number": (5, 5, (3, 3), {"groups": 5, "stride": 2}),
}


@dtypes
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, dtype):
    c, o, size, settings = CONVOLUTIONS[name]
    w, b = normal((o, c // settings["groups"], *size), dtype), normal((o,), dtype)

    def f(x, w, b):
        return F.conv2d(x, w, b, **settings)

    for shape in ((1, c, 9, 7), (2, c, 14, 12), (3, c, 8, 19)):
        compare(f, normal(shape, dtype), w, b, tolerance=TOLERANCE[dtype] * 10)
    for x in layouts(normal((2, c, 9, 8), dtype)):
        compare(
            f, x, w[::-1], b[::-1], tolerance=TOLERANCE[dtype] * 10, upstream=lambda y: normal(y.shape[::-1], y.dtype).T
        )
    x = normal((2, c, 9, 8), dtype)
    x[0, 1, 2, 3], x[1, 0, 4, 4] = np.nan, np.inf
    compare(f, x, w, b, tolerance=TOLERANCE[dtype] * 10)


@dtypes
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("align", [False, True])
def test_places_of_a_grid(align, padding, dtype):
    def f(x, g):
        return F.grid_sample(x, g, padding_mode=padding, align_corners=align)

    for shape in ((1, 1, 1, 1), (2, 3, 5, 4), (3, 9, 6, 7)):
        x, g = normal(shape, dtype), normal((shape[0], 7, 3, 2), dtype)
        compare(f, x, g, tolerance=TOLERANCE[dtype] * 10)
        compare(f, x[::-1, :, ::-1], g[:, ::2, :, ::-1], tolerance=TOLERANCE[dtype] * 10)
    g[0, 0, 0, 0], g[0, 1, 1, 1], g[1, 2, 0] = np.nan, np.inf, 1e30
    compare(f, x, g, tolerance=TOLERANCE[dtype] * 10)


TRANSPOSED = {  # channels, outputs, kernel, settings
    "plain": (6, 5, (3, 3), {}),
    "stride": (8, 16, (4, 4), {"stride": 2, "padding": 1}),
    "output padding": (8, 6, (3, 2), {"stride": (3, 2), "padding": (2, 0), "output_padding": (2, 1)}),
    "dilation above the stride": (4, 4, (3, 3), {"dilation": 3, "output_padding": 2}),
    "groups": (8, 16, (3, 3), {"groups": 2, "stride": 2, "dilation": (1, 2)}),
    "depthwise": (8, 8, (3, 3), {"groups": 8, "padding": 1}),
    "Winograd": (32, 32, (3, 3), {"padding": 1}),
}


@dtypes
@pytest.mark.parametrize("kernels", ["compiled", "numpy"])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name, kernels, dtype):
    mt.set_kernels(kernels)
    c, o, size, settings = TRANSPOSED[name]
    w, b = normal((c, o // settings.get("groups", 1), *size), dtype), normal((o,), dtype)
    for x in (normal((1, c, 5, 4), dtype), *layouts(normal((2, c, 6, 7), dtype))):
        compare(
            lambda x, w, b: F.conv_transpose2d(x, w, b, **settings), x, w, b,
            tolerance=TOLERANCE[dtype] * 10, upstream=lambda y: normal(y.shape[::-1], y.dtype).T,
        )  # fmt: skip


def test_channels_come_last():
    for shape in ((3, 13, 7, 9), (2, 8, 8, 8), (1, 16, 5, 5), (2, 3, 4, 4), (2, 24, 11, 3)):
        for dtype in (np.float32, np.float64):
            x = normal(shape, dtype)
            assert np.array_equal(to_last(x), x.transpose(0, 2, 3, 1))
