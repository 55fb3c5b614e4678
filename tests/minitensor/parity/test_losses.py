"""Parity: losses."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops import loss
from tests.minitensor.parity.oracle import agree, normal, rng, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


@reductions
@pytest.mark.parametrize("beta", [1.0, 0.3, 2.0, 0.0])
def test_regression_losses(reduction, beta):
    a, b = normal(4, 5), normal(4, 5)
    agree(
        lambda a, b: loss.mse_loss(a, b, reduction=reduction), lambda a, b: F.mse_loss(a, b, reduction=reduction), a, b
    )
    agree(
        lambda a, b: loss.smooth_l1_loss(a, b, beta=beta, reduction=reduction),
        lambda a, b: F.smooth_l1_loss(a, b, beta=beta, reduction=reduction),
        a, b,
    )  # fmt: skip


def test_regression_losses_at_equality():
    """No difference, and one at the kink: both agree on the gradient."""
    a, b = np.array([0.0, 1.0, -1.0, 2.0]), np.array([0.0, 0.0, 0.0, 2.0])
    for beta in (1.0, 0.0):
        agree(
            lambda a, b, k=beta: loss.smooth_l1_loss(a, b, beta=k),
            lambda a, b, k=beta: F.smooth_l1_loss(a, b, beta=k),
            a,
            b,
        )


@reductions
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("places", [(), (3,), (2, 2)])
def test_cross_entropy(reduction, smoothing, ignore, places):
    x = normal(5, 4, *places)
    classes = rng.integers(0, 4, (5, *places))
    classes[0] = ignore
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
    agree(lambda x, t: loss.cross_entropy(x, t, **settings), lambda x, t: F.cross_entropy(x, t, **settings), x, classes)
    settings.pop("ignore_index")
    soft = np.exp(normal(5, 4, *places))
    soft /= soft.sum(axis=1, keepdims=True)
    agree(lambda x, t: loss.cross_entropy(x, t, **settings), lambda x, t: F.cross_entropy(x, t, **settings), x, soft)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_cosine_similarity(axis):
    a, b = normal(3, 4, 5), normal(3, 4, 5)
    agree(lambda a, b: loss.cosine_similarity(a, b, axis=axis), lambda a, b: F.cosine_similarity(a, b, dim=axis), a, b)


def test_cosine_similarity_of_nothing_is_zero_with_a_finite_gradient():
    a, b = mt.Tensor(np.zeros((1, 3)), requires_grad=True), mt.Tensor(normal(1, 3))
    y = loss.cosine_similarity(a, b)
    y.sum().backward()
    assert y.item() == 0 and np.isfinite(a.grad.numpy()).all()
    assert F.cosine_similarity(torch.zeros(1, 3), torch.ones(1, 3)).item() == 0
