"""Parity: products of tensors, covariances, distances between points; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((2, 3, 4), (3, 4, 2), 2),
        ((2, 3), (4,), 0),
        ((2, 3, 4), (4, 2), ((2, 0), (0, 1))),
        ((2, 3), (3, 2), ((-1,), (0,))),
        ((2, 0), (0, 3), 1),
    ],
)
def test_tensordot(a, b, axes):
    compare(lambda x, y: mt.tensordot(x, y, axes), lambda x, y: torch.tensordot(x, y, axes), normal(*a), normal(*b))


@pytest.mark.parametrize(("a", "b"), [((3,), (3,)), ((2, 3), (4, 3)), ((), (2,)), ((2, 1, 3), (3,)), ((2, 0), (0,))])
def test_inner(a, b):
    compare(mt.inner, torch.inner, normal(*a), normal(*b))


def test_products_of_vectors():
    for n in (1, 3):
        compare(mt.dot, torch.dot, normal(n), normal(n))
        compare(mt.vdot, torch.vdot, normal(n), normal(n))
        compare(mt.kron, torch.kron, normal(n, 2), normal(2, n))
        compare(mt.outer, torch.outer, normal(n), normal(2))
    for axis in (-1, 0, 1):
        compare(lambda a, b, k=axis: mt.linalg.vecdot(a, b, axis=k),
                lambda a, b, k=axis: torch.linalg.vecdot(a, b, dim=k), normal(2, 3), normal(2, 3))  # fmt: skip
    compare(mt.linalg.vecdot, torch.linalg.vecdot, normal(4, 1, 3), normal(2, 3))
    compare(mt.linalg.cross, torch.linalg.cross, normal(4, 3), normal(1, 3))
    compare(lambda a, b: mt.linalg.cross(a, b, axis=0), lambda a, b: torch.linalg.cross(a, b, dim=0),
            normal(3, 2), normal(3, 2))  # fmt: skip


def test_multi_dot():
    for shapes in (((2, 3), (3, 4), (4, 1)), ((3,), (3, 2), (2,)), ((3,), (3, 2), (2, 5)), ((2, 0), (0, 2))):
        compare(
            lambda *xs: mt.linalg.multi_dot(xs), lambda *xs: torch.linalg.multi_dot(xs), *(normal(*s) for s in shapes)
        )


@pytest.mark.parametrize("shape", [(3, 5), (1, 4), (4,)])
@pytest.mark.parametrize("correction", [0, 1, 2])
def test_cov(shape, correction):
    compare(lambda x: mt.cov(x, correction=correction), lambda x: torch.cov(x, correction=correction), normal(*shape))


def test_cov_with_weights():
    f, a = np.array([1, 2, 0, 3]), np.random.default_rng(0).uniform(0.5, 2, 4)
    for correction in (0, 1):
        compare(
            lambda x, w, c=correction: mt.cov(x, fweights=f, aweights=w, ddof=c),
            lambda x, w, c=correction: torch.cov(x, correction=c, fweights=torch.tensor(f), aweights=w),
            normal(2, 4), a, constant=(1,),
        )  # fmt: skip


def test_corrcoef():
    for shape in ((3, 5), (2, 4)):
        compare(mt.corrcoef, torch.corrcoef, normal(*shape), order=1)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 1.5, np.inf, 0.0])
def test_cdist(p):
    ours, theirs = (lambda a, b: mt.cdist(a, b, p)), (lambda a, b: torch.cdist(a, b, p))
    for a, b in (((3, 4), (2, 4)), ((2, 1, 3, 2), (5, 4, 2)), ((0, 2), (3, 2)), ((2, 0), (3, 0)), ((1, 1), (1, 1))):
        compare(ours, theirs, normal(*a), normal(*b), order=1)
    x = normal(3, 4)
    compare(ours, theirs, x, x.copy(), order=1)  # points that coincide


def test_cdist_twice_at_points_that_coincide():
    x = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, -1.0]])
    leaf = mt.Tensor(x, requires_grad=True)
    (g,) = mt.grad(mt.cdist(leaf, leaf).sum(), leaf, create_graph=True)
    (h,) = mt.grad((g * g).sum(), leaf)
    apart = mt.Tensor(x[1:], requires_grad=True)
    (g2,) = mt.grad(2 * mt.cdist(mt.Tensor(x[:1]), apart).sum(), apart, create_graph=True)
    assert np.isfinite(g.numpy()).all() and np.isfinite(h.numpy()).all() and g2.shape == (2, 2)


def test_matrices_of_lists():
    x = mt.Tensor([[1.0, 2.0]], requires_grad=True)
    for y in (x @ [[1.0], [2.0]], mt.matmul(x, [[1.0], [2.0]]), x @ ((1,), (2,)), mt.dot(x, [[1.0], [2.0]])):
        assert y.dtype == np.float32 and y.tolist() == [[5.0]]
    assert ([[1.0, 1.0]] @ x.mT).tolist() == [[3.0]] and (x @ [1, 2]).tolist() == [5.0]


@pytest.mark.parametrize(
    ("call", "theirs", "error", "text"),
    [
        (lambda x: mt.tensordot(x, x, 1), lambda t: torch.tensordot(t, t, 1), ValueError, "must be equally long"),
        (lambda x: mt.tensordot(x, x, 3), lambda t: torch.tensordot(t, t, 3), ValueError, "3 axes of shapes"),
        (lambda x: mt.tensordot(x, x, ((0, 0), (0, 0))), lambda t: torch.tensordot(t, t, ((0, 0), (0, 0))),
         ValueError, "names an axis of 2 twice"),
        (lambda x: mt.tensordot(x, x, ((0,), (0,), (0,))), None, ValueError, "axes is a number or a pair"),
        (lambda x: mt.tensordot(x, x, ((2,), (0,))), lambda t: torch.tensordot(t, t, ((2,), (0,))),
         IndexError, "axis 2"),
        (lambda x: mt.inner(x, x.mT), lambda t: torch.inner(t, t.mT), ValueError, "inner: the axes"),
        (lambda x: mt.dot(x, x), None, ValueError, "dot: the axes"),
        (lambda x: mt.vdot(x, mt.ones(3)), None, ValueError, "vdot: the axes"),
        (lambda x: mt.vecdot(x, mt.ones(1)), None, ValueError, "must be equally long; got 3 and 1"),
        (lambda x: mt.linalg.cross(x.mT, x.mT), lambda t: torch.linalg.cross(t.mT, t.mT),
         ValueError, "length 3; got 2"),
        (lambda x: mt.linalg.multi_dot([x]), None, ValueError, "two matrices or more; got 1"),
        (lambda x: mt.linalg.multi_dot([x, mt.ones(3), x]), lambda t: torch.linalg.multi_dot([t, torch.ones(3), t]),
         ValueError, "vectors at the ends"),
        (lambda x: mt.linalg.multi_dot([x, x]), lambda t: torch.linalg.multi_dot([t, t]), ValueError, "equally long"),
        (lambda x: mt.cov(mt.ones((2, 2, 2))), lambda t: torch.cov(torch.ones(2, 2, 2)), ValueError, "takes a matrix"),
        (lambda x: mt.cov(x, mt.ones((2, 2))), None, ValueError, "3 observations and y 2"),
        (lambda x: mt.cov(x, fweights=[1.0, 2.0, 1.0]),
         lambda t: torch.cov(t, fweights=torch.ones(3)), TypeError, "in integers; got float32"),
        (lambda x: mt.cov(x, aweights=[1.0]), lambda t: torch.cov(t, aweights=torch.ones(1)),
         ValueError, "3 observations"),
        (lambda x: mt.cov(x, ddof=1, correction=1), None, TypeError, "two names for one thing"),
        (lambda x: mt.cdist(x, x.mT), lambda t: torch.cdist(t, t.mT), ValueError, "cdist takes points in rows"),
        (lambda x: mt.cdist(x, x, -1.0), lambda t: torch.cdist(t, t, -1.0), ValueError, "p >= 0 or inf; got -1"),
        (lambda x: mt.cdist(mt.ones((2, 2, 3)), mt.ones((3, 2, 3))),
         lambda t: torch.cdist(torch.ones(2, 2, 3), torch.ones(3, 2, 3)), ValueError, "cdist: the shapes"),
        (lambda x: x @ 2.0, lambda t: t @ 2.0, ValueError, "a number has no axis to sum over"),
        (lambda x: x @ ([["a"]] * 3), None, TypeError, "not supported"),
        (lambda x: mt.ones((2, 2, 3)) @ mt.ones((3, 3, 2)),
         lambda t: torch.ones(2, 2, 3) @ torch.ones(3, 3, 2), ValueError, "matmul: the shapes"),
    ],
)  # fmt: skip
def test_refused(call, theirs, error, text):
    with pytest.raises(error, match=text):
        call(mt.ones((2, 3)))
    if theirs is not None:
        with pytest.raises((RuntimeError, IndexError, TypeError)):
            theirs(torch.ones(2, 3))
