"""Parity: pools, adaptive pools, unpooling: values, places, both orders, sizes, edges, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

TF = torch.nn.functional
pytestmark = pytest.mark.parity
SHAPES = {1: [(2, 3, 9), (3, 8)], 2: [(2, 3, 8, 8), (1, 2, 7, 9), (2, 5, 6)], 3: [(1, 2, 5, 4, 6), (2, 4, 5, 3)]}


def places(name, x, **settings):
    ours = getattr(F, name)(mt.Tensor(x), return_indices=True, **settings)
    theirs = getattr(TF, name)(torch.tensor(x), return_indices=True, **settings)
    for y, t in zip(ours, theirs, strict=True):
        assert str(t.dtype) == f"torch.{y.dtype}"
        np.testing.assert_array_equal(y.numpy(), t.numpy())


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 1},
        {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        {"kernel_size": (2,), "stride": 1, "dilation": 2},
        {"kernel_size": 3, "stride": 2, "ceil_mode": True, "padding": 1, "dilation": 1},
    ],
    ids=str,
)
def test_max_pools(n, settings):
    for shape in SHAPES[n]:
        x = normal(*shape)
        for v in (x, np.round(x), x[:0] if len(shape) == n + 2 else x):  # the first of several equal entries
            both(f"max_pool{n}d", v, dtypes=("float64",), **settings)
            places(f"max_pool{n}d", v, **settings)
    both(f"max_pool{n}d", x, dtypes=("float32",), **settings)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 1},
        {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    ],
    ids=str,
)
def test_avg_pools(n, settings, count_include_pad):
    settings = settings | {"count_include_pad": count_include_pad}
    for shape in SHAPES[n]:
        both(f"avg_pool{n}d", normal(*shape), dtypes=("float64",), **settings)
        if n > 1:
            both(f"avg_pool{n}d", normal(*shape), dtypes=("float32",), divisor_override=-3, **settings)
    both(f"avg_pool{n}d", normal(*(0, *SHAPES[n][0][1:])), **settings)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(2, None, 0), ((2, 3), (1, 2), (1, 0)), (2, 3, 1), (4, None, 2), ((2, 4), (2, 4), 0), ([2, 2], [2, 2], [0, 0])],
)
def test_pools_of_images(kernel, stride, padding):
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding}
    for x in (normal(2, 3, 8, 8), np.round(normal(2, 3, 8, 8))):
        both("max_pool2d", x, **settings)
        both("avg_pool2d", x, **settings)


def test_windows_beyond_the_first_or_last_entry():
    for name in ("max_pool1d", "avg_pool1d"):
        for length, size, stride, padding in ((1, 2, 5, 1), (5, 2, 4, 1), (4, 3, 3, 1), (6, 4, 5, 2), (7, 2, 5, 0)):
            for ceil_mode in (False, True):
                settings = {"kernel_size": size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
                both(name, normal(1, 2, length), dtypes=("float64",), **settings)


@pytest.mark.parametrize("name", ["max_pool1d", "adaptive_max_pool1d"])
def test_edges_of_the_maximum(name):
    settings = {"kernel_size": 4} if name == "max_pool1d" else {"output_size": 2}
    nan, inf = math.nan, math.inf
    x = np.array([[1, nan, 3, nan, nan, 2, 1, 0], [-inf] * 4 + [inf, inf, 1, -inf], [2, 2, 1, 2, 0.0, -0.0, 0, 0]])
    both(name, x, **settings)
    places(name, x, **settings)
    image = np.stack([x.reshape(3, 2, 4), -x.reshape(3, 2, 4)])
    two = name.replace("1d", "2d")
    settings = {"kernel_size": 2} if name == "max_pool1d" else {"output_size": (1, 3)}
    both(two, image, **settings)
    places(two, image, **settings)
    if name == "max_pool1d":
        places(name, np.full((1, 4), -inf), kernel_size=3, padding=1, stride=1)


def test_integers():
    x = np.arange(-32, 32).reshape(1, 2, 4, 8)
    compare(lambda x: F.max_pool2d(x, 3, 1, 1), lambda x: TF.max_pool2d(x, 3, 1, 1), x)
    compare(lambda x: F.avg_pool2d(x, 3, 1, 1), lambda x: TF.avg_pool2d(x, 3, 1, 1), x)
    compare(lambda x: F.avg_pool2d(x, 3, 1, 1, True, False), lambda x: TF.avg_pool2d(x, 3, 1, 1, True, False), x)


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_adaptive_pools(kind, n):
    name = f"adaptive_{kind}_pool{n}d"
    for shape in SHAPES[n]:
        for size in (1, 2, 3, (5, 2, 7)[:n], (9, 6, 4)[:n]):
            x = normal(*shape)
            both(name, x, output_size=size, dtypes=("float64",))
            if kind == "max":
                both(name, np.round(x), output_size=size, dtypes=("float32",))
                places(name, np.round(x), output_size=size)
    both(name, normal(0, *SHAPES[n][0][1:]), output_size=2)
    if n > 1:
        both(name, normal(*SHAPES[n][0]), output_size=[None, 2, None][:n])


def test_the_mean_of_nothing():
    """PyTorch refuses their gradients, which are empty or zeros."""
    for shape, size in (((2, 0, 4), 2), ((2, 3, 0), 1), ((2, 3, 4), 0)):
        x = normal(*shape)
        both("adaptive_avg_pool1d", x, output_size=size, constant=(0,))
        leaf = mt.Tensor(x, requires_grad=True)
        F.adaptive_avg_pool1d(leaf, size).sum().backward()
        assert leaf.grad.shape == shape and not np.nan_to_num(leaf.grad.numpy()).any()
    both("adaptive_max_pool2d", normal(2, 3, 4), output_size=(0, 2), constant=(0,))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("norm", [1, 2.0, 3.5, math.inf, -math.inf])
def test_power_means(n, norm):
    for settings in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "ceil_mode": True}):
        x = np.abs(normal(2, 3, *(5, 4, 6)[:n])) + 0.1
        both(f"lp_pool{n}d", x, norm_type=norm, dtypes=("float64",), order=2 if norm != 1 else 1, **settings)


def test_power_mean_of_zeros_and_signs():
    x = np.array([[0.0, 0, 1, 0, -1, 2, 0, -3]])
    both("lp_pool1d", x, norm_type=2, kernel_size=2, order=1)
    both("lp_pool1d", x, norm_type=3.0, kernel_size=2, order=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling(n):
    for settings in (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
    ):
        for x in (normal(2, 3, *(7, 5, 6)[:n]), normal(3, *(7, 5, 6)[:n])):
            y, i = getattr(TF, f"max_pool{n}d")(torch.tensor(x), return_indices=True, **settings)
            for size in (x.shape[-n:], (1, 1, *x.shape[-n:])):
                both(f"max_unpool{n}d", y.numpy(), i.numpy(), output_size=size, **settings)
    compare(lambda y, i: F.max_unpool1d(y, i, 2), lambda y, i: TF.max_unpool1d(y, i, 2), normal(2, 3, 2),
            np.array([[[0, 3], [1, 2], [2, 0]]] * 2))  # fmt: skip


IMAGE = (1, 2, 4, 4)
REFUSED = {
    "axes": ("max_pool2d", (4, 4), {"kernel_size": 2}, r"max_pool2d takes \(n, c, ...\) or \(c, ...\) with 2 axes"),
    "channels": ("max_pool2d", (1, 0, 4, 4), {"kernel_size": 2}, "an axis is empty, and it is not the batch"),
    "length": ("avg_pool1d", (1, 2, 0), {"kernel_size": 1}, "an axis is empty, and it is not the batch"),
    "padding": ("max_pool2d", IMAGE, {"kernel_size": 2, "padding": 2}, r"\(2, 2\) is more than half of the window"),
    "dilated": ("max_pool1d", (2, 9), {"kernel_size": 2, "padding": 2, "dilation": 3}, "more than half of the window"),
    "negative": ("avg_pool2d", IMAGE, {"kernel_size": 2, "padding": -1}, "padding is 0 or more; got -1"),
    "fit": ("max_pool3d", (1, 4, 4, 4), {"kernel_size": 5}, r"windows of \(5, 5, 5\) entries, .* do not fit in"),
    "no kernel": ("max_pool2d", IMAGE, {"kernel_size": 0}, "kernel_size is 1 or more; got 0"),
    "no stride": ("avg_pool2d", IMAGE, {"kernel_size": 2, "stride": 0}, "stride is 1 or more; got 0"),
    "kernels": ("max_pool1d", (1, 2, 4), {"kernel_size": (2, 2)}, "kernel_size is one integer, or one for each of 1"),
    "divisor": ("avg_pool2d", IMAGE, {"kernel_size": 2, "divisor_override": 0}, "an integer other than 0; got 0"),
    "size": ("adaptive_avg_pool2d", IMAGE, {"output_size": -1}, "output_size is 0 or more; got -1"),
    "sizes": ("adaptive_max_pool3d", (1, 4, 4, 4), {"output_size": (2, 2)}, "one for each of 3 axes"),
    "no size": ("adaptive_max_pool1d", (1, 2, 4), {"output_size": None}, "output_size is an integer, or one for each"),
    "mean": ("adaptive_avg_pool1d", (1, 2, 0), {"output_size": 2}, "has an empty axis"),
    "adaptive": ("adaptive_max_pool2d", (1, 2, 0, 4), {"output_size": 2}, "an axis is empty"),
    "norm": ("lp_pool1d", (1, 4), {"norm_type": 0, "kernel_size": 2}, "norm_type is not 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, shape, settings, text = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=text):
        getattr(F, function)(mt.ones(shape), **settings)
    with pytest.raises((RuntimeError, TypeError, ValueError, ZeroDivisionError)):
        getattr(TF, function)(torch.ones(shape), **settings)


def test_refused_places():
    y = normal(1, 2, 3)
    for i, error, text in (
        (np.zeros((1, 2, 2), int), ValueError, r"one index for each entry of \(1, 2, 3\); got \(1, 2, 2\)"),
        (np.full((1, 2, 3), 6), IndexError, "index 6 is out of bounds"),
        (np.full((1, 2, 3), -1), IndexError, "index -1 is out of bounds"),
        (np.zeros((1, 2, 3)), TypeError, "indices are integers"),
    ):
        with pytest.raises(error, match=text):
            F.max_unpool1d(mt.Tensor(y), mt.Tensor(i), 2)
        with pytest.raises(RuntimeError):
            TF.max_unpool1d(torch.tensor(y), torch.tensor(i), 2)
    with pytest.raises(ValueError, match=r"output_size is \(6,\), less than the stride \(2,\) away; got \(9,\)"):
        F.max_unpool1d(mt.Tensor(y), mt.Tensor(np.zeros((1, 2, 3), int)), 2, output_size=(9,))
    for name in ("max_pool2d", "avg_pool2d"):
        with pytest.raises(TypeError, match=f"{name} takes numbers; got"):
            getattr(F, name)(mt.Tensor(np.ones((1, 2, 2), bool)), 2)
    with pytest.raises(TypeError, match="adaptive_avg_pool2d takes floats; got"):
        F.adaptive_avg_pool2d(mt.Tensor(np.ones((1, 2, 2), int)), 2)
    with pytest.raises(ValueError, match="meets only the padding"):
        F.max_pool1d(mt.ones((1, 1)), 2, padding=1, dilation=2)
