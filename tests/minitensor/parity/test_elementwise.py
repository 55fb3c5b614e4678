"""Parity: elementwise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops.nn import activation
from tests.minitensor.parity.oracle import agree, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


x1 = np.array([-30.0, -3.0, -1.0, -0.1, 0.0, 0.2, 1.0, 2.5, 30.0])
UNARY = {
    "relu": (mt.relu, torch.relu),
    "abs": (mt.abs, torch.abs),
    "sigmoid": (mt.sigmoid, torch.sigmoid),
    "tanh": (mt.tanh, torch.tanh),
    "erf": (mt.erf, torch.erf),
    "gelu": (activation.gelu, F.gelu),
    "gelu tanh": (lambda x: activation.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "clip": (lambda x: x.clip(-1, 1), lambda x: x.clamp(-1, 1)),
    "clip below": (lambda x: x.clip(min=0.2), lambda x: x.clamp(min=0.2)),
    "square": (mt.square, torch.square),
    "sin": (mt.sin, torch.sin),
    "cos": (mt.cos, torch.cos),
}


@pytest.mark.parametrize(("ours", "theirs"), UNARY.values(), ids=UNARY)
def test_unary(ours, theirs):
    agree(ours, theirs, x1)


def test_erf_and_gelu_in_float32():
    x = np.linspace(-8, 8, 20001, dtype="float32")
    for ours, theirs, bound in ((mt.erf, torch.erf, 4e-7), (activation.gelu, F.gelu, 2e-6)):
        error = np.abs(ours(mt.Tensor(x)).numpy() - theirs(torch.tensor(x, dtype=torch.float64)).numpy())
        assert error.max() < bound


def test_power_edges():
    base, exponent = (
        np.array(v) for v in zip(*itertools.product([0.0, 0.5, 1.0, 2.0], [0.0, 0.5, 1.0, 2.0, -1.0, 3.0]), strict=True)
    )
    agree(mt.power, torch.pow, base, exponent)
    for b in (0, 1, 2, 3, 0.5, -1, -0.5):
        agree(lambda x, b=b: x**b, lambda x, b=b: x**b, np.array([0.0, 0.5, 2.0]))
    for b in (0, 1, 2, 3, -1):
        agree(lambda x, b=b: x**b, lambda x, b=b: x**b, np.array([-2.0, -0.5]))
    for a in (0.0, 0.5, 2.0):
        agree(lambda x, a=a: a**x, lambda x, a=a: a**x, np.array([0.0, 1.0, 2.0]))
