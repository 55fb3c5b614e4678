"""Parity: unit vectors, distances and cosines, at both orders, at 0 and at the floor."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

G = torch.nn.functional
pytestmark = pytest.mark.parity
WITH_ZEROS = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, -2.0], [2.0, -2.0, 1.0]])


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 1.5, 0.5, 0, np.inf])
@pytest.mark.parametrize("dim", [0, 1, -1, (0, 1)])
def test_normalize(p, dim):
    compare(
        lambda x: F.normalize(x, p, dim), lambda x: G.normalize(x, p, dim), normal(3, 4, 2), order=1 if p == 0 else 2
    )
    compare(lambda x: F.normalize(x, p, dim), lambda x: G.normalize(x, p, dim), WITH_ZEROS, order=1)
    compare(lambda x: F.normalize(x, p, dim, 9.0), lambda x: G.normalize(x, p, dim, 9.0), normal(3, 4), order=1)


def test_normalize_nothing_and_no_neighbors():
    compare(F.normalize, G.normalize, normal(0, 3))
    compare(lambda x: F.normalize(x, dim=0), lambda x: G.normalize(x, dim=0), normal(3))
    compare(lambda x: F.normalize(x.T), lambda x: G.normalize(x.T), normal(3, 4))


@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 4)), ((4,), (4,)), ((3, 1, 4), (2, 4)), ((0, 4), (0, 4)), ((3, 4), (4,))]
)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, np.inf])
def test_pairwise_distance(shapes, keepdim, p):
    a, b = (normal(*s) for s in shapes)
    both("pairwise_distance", a, b, p=p, keepdim=keepdim)
    both("pairwise_distance", a, a, p=p, keepdim=keepdim, order=1)


@pytest.mark.parametrize("dim", [-1, 0, 1])
def test_cosine_similarity(dim):
    both("cosine_similarity", normal(3, 4, 5), normal(3, 4, 5), dim=dim)
    for shapes in (((3, 4), (4,)), ((3, 1, 2), (1, 3, 2)), ((2, 1, 3), (4, 3))):
        # along an axis on which one operand is constant the gradients are 0, and in float32 all rounding
        both("cosine_similarity", *(normal(*s) for s in shapes), dim=dim, dtypes=("float64",))
    both("cosine_similarity", normal(3, 3), WITH_ZEROS, dim=dim, order=1)
    both("cosine_similarity", 0.1 * normal(3, 4), normal(3, 4), dim=dim, eps=3.0)


def test_cosine_similarity_of_nothing_is_zero_with_a_finite_gradient():
    a, b = mt.Tensor(np.zeros((1, 3)), requires_grad=True), mt.Tensor(normal(1, 3))
    y = F.cosine_similarity(a, b)
    y.sum().backward()
    assert y.item() == 0 and np.isfinite(a.grad.numpy()).all()


def test_refused():
    with pytest.raises(IndexError, match="axis 1 is out of bounds"):
        F.normalize(mt.Tensor(normal(3)))
    with pytest.raises(IndexError):
        G.normalize(torch.tensor(normal(3)))
    with pytest.raises(ValueError, match="p >= 0 or inf; got -1"):
        F.normalize(mt.Tensor(normal(3, 3)), p=-1)
    with pytest.raises(ValueError, match="broadcast"):
        F.cosine_similarity(mt.Tensor(normal(3, 2)), mt.Tensor(normal(2, 3)))
