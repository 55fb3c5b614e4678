"""Parity: convolution, transposed convolution, windows as columns: values, both orders, sizes, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

TF = torch.nn.functional
pytestmark = pytest.mark.parity
LENGTHS = {1: (9,), 2: (8, 9), 3: (5, 4, 6)}


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize(("dilation", "kernel"), [(1, (3, 3)), (2, (2, 3)), ((1, 3), (1, 2)), (1, (1, 1))])
@pytest.mark.parametrize(("groups", "channels", "out"), [(1, 3, 4), (2, 4, 6), (3, 3, 3)])
def test_conv2d(stride, padding, dilation, kernel, groups, channels, out):
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = normal(2, channels, 8, 9), normal(out, channels // groups, *kernel), normal(out)
    both("conv2d", *arrays, dtypes=("float64",), **settings)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"padding": "same"},
        {"padding": "same", "dilation": 2},
        {"padding": "valid", "stride": 2},
        {"groups": 2, "dilation": 2, "padding": (2,)},
        {"groups": 4},
    ],
    ids=str,
)
def test_convolutions(n, settings):
    groups = settings.get("groups", 1)
    kernel = (2, 3, 2)[:n]
    x, w, b = normal(2, 4, *LENGTHS[n]), normal(4, 4 // groups, *kernel), normal(4)
    both(f"conv{n}d", x, w, b, **settings)
    both(f"conv{n}d", x[0], w, **settings, dtypes=("float64",))  # one example, no bias
    both(f"conv{n}d", x[:0], w, b, **settings, dtypes=("float64",))
    both(f"conv{n}d", x[:, :, ::-1].copy()[:, :, ::-1], w, b, **settings, dtypes=("float32",))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": 3, "output_padding": 2},
        {"dilation": 3, "output_padding": 1, "padding": (2,)},
        {"groups": 2, "stride": 2, "dilation": 2, "padding": 1, "output_padding": 1},
        {"groups": 4},
    ],
    ids=str,
)
def test_transposed_convolutions(n, settings):
    groups = settings.get("groups", 1)
    x, w = normal(2, 4, *(3, 4, 2)[:n]), normal(4, 2, *(2, 3, 3)[:n])
    b = normal(2 * groups)
    both(f"conv_transpose{n}d", x, w, b, **settings, dtypes=("float64",))
    both(f"conv_transpose{n}d", x, w, b, **settings, dtypes=("float32",), order=0)
    both(f"conv_transpose{n}d", x[0], w, **settings, dtypes=("float64",))
    both(f"conv_transpose{n}d", x[:0], w, b, **settings, dtypes=("float64",))


def test_settings_by_position():
    x, w, b = normal(1, 4, 9), normal(4, 2, 3), normal(4)
    compare(lambda x, w, b: F.conv1d(x, w, b, 2, 1, 2, 2), lambda x, w, b: TF.conv1d(x, w, b, 2, 1, 2, 2), x, w, b)
    compare(
        lambda x, w, b: F.conv_transpose1d(x, w, b, 2, 1, 1, 1, 2),
        lambda x, w, b: TF.conv_transpose1d(x, w, b, 2, 1, 1, 1, 2),
        x, w, normal(2),
    )  # fmt: skip


def test_integers_and_strides_of_memory():
    x, w = np.arange(32).reshape(1, 2, 4, 4), np.arange(8).reshape(1, 2, 2, 2)
    compare(F.conv2d, TF.conv2d, x, w)
    compare(F.conv_transpose2d, TF.conv_transpose2d, x, w.swapaxes(0, 1).copy())
    x, w = normal(6, 5, 2, 3), normal(2, 3, 2, 4)
    across = lambda f: lambda x, w: f(x.permute(3, 2, 0, 1), w.permute(3, 0, 2, 1))  # noqa: E731
    compare(across(F.conv2d), across(TF.conv2d), x, w)


@pytest.mark.parametrize("x_shape", [(2, 3, 5, 4), (3, 5, 4), (0, 3, 5, 4)])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 2},
        {"kernel_size": (3, 1), "stride": 2, "padding": (1, 0)},
        {"kernel_size": 2, "dilation": (2, 1), "padding": 3, "stride": (1, 3)},
    ],
    ids=str,
)
def test_columns(x_shape, settings):
    x = normal(*x_shape)
    both("unfold", x, **settings)
    both("fold", TF.unfold(torch.tensor(x), **settings).numpy(), output_size=(5, 4), **settings)


ONE, W = (1, 2, 4, 4), (2, 2, 2, 2)
REFUSED = {
    "channels": ("conv2d", [ONE, (2, 3, 2, 2)], {}, r"takes 3 channels; the input \(1, 2, 4, 4\) has 2"),
    "groups": ("conv2d", [ONE, (3, 1, 2, 2)], {"groups": 2}, "the 3 outputs of a weight cannot be cut into 2 groups"),
    "no groups": ("conv2d", [ONE, W], {"groups": 0}, "conv2d: groups is 1 or more; got 0"),
    "kernel": ("conv2d", [ONE, (2, 2, 5, 2)], {}, r"a kernel \(5, 2\) with dilation \(1, 1\) does not fit in \(4, 4\)"),
    "wide kernel": ("conv1d", [(1, 2, 4), (2, 2, 3)], {"dilation": 2}, "does not fit in"),
    "no kernel": ("conv2d", [ONE, (2, 2, 0, 2)], {}, "an axis is empty"),
    "no rows": ("conv2d", [(1, 2, 0, 4), W], {"padding": 1}, "an axis is empty"),
    "same": ("conv2d", [ONE, W], {"padding": "same", "stride": 2}, "padding='same' is for stride 1; got stride="),
    "word": ("conv2d", [ONE, W], {"padding": "full"}, "padding is numbers, 'same' or 'valid'; got 'full'"),
    "stride": ("conv2d", [ONE, W], {"stride": 0}, "conv2d: stride is 1 or more; got 0"),
    "dilation": ("conv3d", [(2, 4, 4, 4), (1, 2, 2, 2, 2)], {"dilation": (1, 0, 1)}, "dilation is 1 or more"),
    "padding": ("conv2d", [ONE, W], {"padding": -1}, "padding is 0 or more; got -1"),
    "paddings": ("conv2d", [ONE, W], {"padding": (1, 1, 1)}, "padding is one integer, or one for each of 2 axes"),
    "fraction": ("conv2d", [ONE, W], {"stride": 1.0}, "stride is an integer, or one for each of 2 axes; got 1.0"),
    "bias": ("conv2d", [ONE, W, (3,)], {}, "the bias has one entry for each of 2 channels"),
    "bias of axes": ("conv1d", [(1, 2, 4), (2, 2, 2), (2, 1)], {}, "the bias has one entry for each of 2 channels"),
    "axes": ("conv2d", [(4, 4), W], {}, r"conv2d takes \(n, c, ...\) or \(c, ...\) with 2 axes after the channels"),
    "weight": ("conv1d", [(1, 2, 4), W], {}, r"the weight is \(out, in / groups\) and 1 lengths"),
    "transposed channels": ("conv_transpose2d", [ONE, (3, 2, 2, 2)], {}, "takes 3 channels, in 1 equal groups"),
    "transposed groups": ("conv_transpose1d", [(3, 4), (3, 2, 2)], {"groups": 2}, "in 2 equal groups"),
    "output padding": ("conv_transpose2d", [ONE, W], {"stride": 2, "output_padding": 2}, "output_padding is less than"),
    "negative": ("conv_transpose2d", [ONE, W], {"stride": 2, "output_padding": -1}, "output_padding is 0 or more"),
    "nothing left": ("conv_transpose2d", [(1, 2, 1, 1), W], {"padding": 1}, r"the result would be \(0, 0\)"),
    "transposed same": ("conv_transpose2d", [ONE, W], {"padding": "same"}, "padding is an integer"),
    "unfold axes": ("unfold", [(4, 4)], {"kernel_size": 2}, r"unfold takes images \(n, c, h, w\) or \(c, h, w\)"),
    "unfold empty": ("unfold", [(1, 0, 4, 4)], {"kernel_size": 2}, "that are not empty"),
    "unfold kernel": ("unfold", [(1, 1, 4, 4)], {"kernel_size": 5}, "do not fit in axes of length"),
    "unfold padding": ("unfold", [(1, 1, 4, 4)], {"kernel_size": 2, "padding": -1}, "padding is 0 or more"),
    "fold count": ("fold", [(1, 4, 8)], {"output_size": 4, "kernel_size": 2}, r"have \(3, 3\) windows of 4 entries"),
    "fold rows": ("fold", [(1, 5, 9)], {"output_size": 4, "kernel_size": 2}, "the input has 9 columns of 5"),
    "fold axes": ("fold", [(1, 1, 4, 9)], {"output_size": 4, "kernel_size": 2}, "fold takes columns"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, shapes, settings, text = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=text):
        getattr(F, function)(*map(mt.ones, shapes), **settings)
    with pytest.raises((RuntimeError, TypeError, IndexError)):
        getattr(TF, function)(*map(torch.ones, shapes), **settings)
