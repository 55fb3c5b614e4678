"""Parity: PyTorch's pad: modes, negative widths, both gradients, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
G = torch.nn.functional

TAKEN = [
    ((2, 3), (1, 2), "constant"),
    ((2, 3), (1, 2, 0, 1), "constant"),
    ((4,), (-1, 2), "constant"),
    ((2, 0), (1, 1), "constant"),
    ((), (), "constant"),
    ((2, 2, 4), (-2, -2), "constant"),
    ((2, 4), (-3, 2), "reflect"),
    ((2, 3, 4), (3, 0), "reflect"),
    ((2, 3, 4), (1, 2, 2, 1), "reflect"),
    ((1, 2, 3, 2, 3), (1, 0, 0, 1, -1, 2), "reflect"),
    ((0, 2, 3), (1, 1), "reflect"),
    ((2, 3), (-3, 5), "replicate"),
    ((2, 3, 4), (1, -2, 4, 1), "replicate"),
    ((1, 2, 3, 2, 3), (1, 4, 0, 1, -1, 2), "replicate"),
    ((2, 1), (3, 3), "replicate"),
    ((2, 3), (3, 1), "circular"),
    ((2, 4), (-1, 2), "circular"),
    ((2, 3, 4), (1, 2, 3, 3), "circular"),
    ((1, 2, 3, 2, 3), (1, 2, 0, 1, -1, 2), "circular"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "width", "mode"), TAKEN)
def test_values_and_gradients(shape, width, mode):
    x = normal(*shape)
    compare(lambda x: F.pad(x, width, mode), lambda x: G.pad(x, width, mode), x)
    if x.ndim > 1:
        compare(lambda x: F.pad(x.swapaxes(0, 1), width, mode), lambda x: G.pad(x.swapaxes(0, 1), width, mode),
                np.ascontiguousarray(x.swapaxes(0, 1)))  # fmt: skip


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float32"])
def test_values_around(dtype):
    x = np.ones((2, 2), dtype)
    for value in (None, 0, 1, 1.0):
        y, z = F.pad(mt.Tensor(x), (1, 0), value=value), G.pad(torch.tensor(x), (1, 0), value=value)
        assert str(z.dtype) == f"torch.{y.dtype}" and y.tolist() == z.tolist()
    compare(
        lambda x: F.pad(x, [1, 1], "constant", -np.inf), lambda x: G.pad(x, [1, 1], "constant", -np.inf), normal(2, 2)
    )


REFUSED = {
    "mode": ((1, 1, 4), (1, 1), "mirror", None, "mode is one of constant, reflect, replicate, circular; got 'mirror'"),
    "odd": ((1, 1, 4), (1,), "constant", None, r"two widths for each of at most 3 axes; got \(1,\)"),
    "many": ((4,), (1, 1, 1, 1), "constant", None, "two widths for each of at most 1 axes"),
    "axes": ((4,), (1, 1), "reflect", None, "'reflect' takes no value, and widths for 1, 2 or 3 axes after one or two"),
    "more axes": ((1, 1, 1, 4), (1, 1), "circular", None, "after one or two others"),
    "no axes": ((1, 4), (), "replicate", None, "after one or two others"),
    "value": ((1, 4), (1, 1), "reflect", 1.0, "'reflect' takes no value"),
    "reflect": ((1, 4), (4, 0), "reflect", None, r"'reflect' adds at most 3 to axis 1 of shape \(1, 4\); got \(4, 0\)"),
    "circular": ((1, 4), (0, 5), "circular", None, "'circular' adds at most 4 to axis 1"),
    "negative": ((4,), (-2, -3), "constant", None, r"\(-2, -3\) takes more than the 4 entries of axis 0"),
    "negative on one side": ((4,), (-5, 3), "constant", None, r"\(-5, 3\) takes more than the 4 entries"),
    "nothing left": ((1, 4), (-2, -2), "reflect", None, r"'reflect' leaves nothing of shape \(1, 4\)"),
    "less than nothing": ((1, 4), (-2, -3), "replicate", None, "takes more than the 4 entries of axis 1"),
    "nothing to mirror": ((1, 1, 0), (1, 1), "replicate", None, "no empty axis but that of the batch"),
    "no channels": ((1, 0, 3), (1, 1), "reflect", None, "no empty axis but that of the batch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    shape, width, mode, value, text = REFUSED[name]
    with pytest.raises(ValueError, match=text):
        F.pad(mt.ones(shape), width, mode, value)
    with pytest.raises((RuntimeError, NotImplementedError)):
        G.pad(torch.ones(shape), width, mode, value)


def test_refused_by_us_alone():
    with pytest.raises(TypeError, match="1.5 around int64 would be cut"):
        F.pad(mt.arange(3), (1, 1), value=1.5)
    with pytest.raises(
        ValueError, match="'circular' adds at most 0 to axis 1"
    ):  # PyTorch reads memory that is not there
        F.pad(mt.ones((1, 2)), (-2, 2), "circular")
