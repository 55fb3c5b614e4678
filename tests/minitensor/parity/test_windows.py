"""Parity: windows."""

from __future__ import annotations

import numpy as np
import pytest

from minitensor.ops import convolution, pooling
from tests.minitensor.parity.oracle import agree, normal, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize(("dilation", "kernel"), [(1, (3, 3)), (2, (2, 3)), ((1, 3), (1, 2)), (1, (1, 1))])
@pytest.mark.parametrize(("groups", "channels", "out"), [(1, 3, 4), (2, 4, 6), (3, 3, 3)])
def test_conv2d(stride, padding, dilation, kernel, groups, channels, out):
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = normal(2, channels, 8, 9), normal(out, channels // groups, *kernel), normal(out)
    agree(lambda *a: convolution.conv2d(*a, **settings), lambda *a: F.conv2d(*a, **settings), *arrays)


def test_conv2d_without_bias():
    agree(convolution.conv2d, F.conv2d, normal(1, 1, 4, 4), normal(2, 1, 3, 3))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(2, None, 0), (3, 2, 1), (3, 1, 0), ((2, 3), (1, 2), (1, 0)), (2, 3, 1), (4, None, 2)],
)
@pytest.mark.parametrize("x_shape", [(2, 3, 8, 8), (1, 2, 7, 9)])
def test_pools(kernel, stride, padding, x_shape):
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding}
    x = normal(*x_shape)
    agree(lambda x: pooling.max_pool2d(x, **settings), lambda x: F.max_pool2d(x, **settings), x)
    agree(lambda x: pooling.avg_pool2d(x, **settings), lambda x: F.avg_pool2d(x, **settings), x)
    ties = np.round(x)  # the first of several equal entries gets the gradient
    agree(lambda x: pooling.max_pool2d(x, **settings), lambda x: F.max_pool2d(x, **settings), ties)


@pytest.mark.parametrize("size", [1, 2, 3, (2, 5), (7, 9)])
def test_adaptive_pool(size):
    x = normal(2, 3, 7, 9)
    agree(
        lambda x: pooling.adaptive_avg_pool2d(x, output_size=size),
        lambda x: F.adaptive_avg_pool2d(x, size),
        x,
    )
