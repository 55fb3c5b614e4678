"""Parity: reduce."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops import softmax as soft
from tests.minitensor.parity.oracle import agree, normal, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_family(axis):
    x = normal(3, 4, 5) * 5
    agree(lambda x: soft.softmax(x, axis=axis), lambda x: x.softmax(axis), x)
    agree(lambda x: soft.log_softmax(x, axis=axis), lambda x: x.log_softmax(axis), x)
    agree(lambda x: soft.logsumexp(x, axis=axis), lambda x: x.logsumexp(axis), x)
    hidden = x.copy()
    hidden[:, 0, 0] = -np.inf
    agree(lambda x: soft.softmax(x, axis=axis), lambda x: x.softmax(axis), hidden)


def test_ties():
    a, b = np.array([1.0, 2.0, 2.0, -1.0]), np.array([1.0, 3.0, 2.0, -2.0])
    agree(mt.maximum, torch.maximum, a, b)
    agree(mt.minimum, torch.minimum, a, b)
    x = np.array([[3.0, 3.0, 1.0], [2.0, 0.0, 2.0]])
    agree(lambda x: x.max(axis=1), lambda x: x.amax(1), x)
    agree(lambda x: x.min(axis=0), lambda x: x.amin(0), x)
    agree(lambda x: x.max(), lambda x: x.max(), x)


@pytest.mark.parametrize("correction", [0, 1])
def test_var_and_std(correction):
    x = normal(4, 5)
    agree(lambda x: x.var(axis=1, correction=correction), lambda x: x.var(1, correction=correction), x)
    agree(lambda x: x.std(axis=0, correction=correction), lambda x: x.std(0, correction=correction), x)
