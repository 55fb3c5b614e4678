"""Parity: `mt.linalg` and `torch.linalg`, decompositions by functions that do not depend on signs."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
L, P = mt.linalg, torch.linalg
SQUARE = [(1, 1), (3, 3), (2, 1, 2, 2), (0, 0), (2, 0, 0), (0, 2, 2)]
ANY = [(3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 3), (0, 2), (2, 0), (0, 3, 2)]
EXACT = ("float64",)  # where float32 leaves too few digits at the second order


def spread(*shape: int) -> np.ndarray:
    """Matrices whose singular values are 1, 2, 3, ..."""
    u, _, vh = np.linalg.svd(normal(*shape), full_matrices=False)
    return (u * (1.0 + np.arange(min(shape[-2:])))) @ vh


def definite(*shape: int) -> np.ndarray:
    """Symmetric matrices with eigenvalues 1, 2, 3, ..."""
    v = np.linalg.qr(normal(*shape))[0]
    return (v * (1.0 + np.arange(shape[-1]))) @ v.mT


@pytest.mark.parametrize("shape", SQUARE)
def test_square_matrices(shape):
    a = spread(*shape)
    compare(L.inv, P.inv, a)
    compare(L.det, P.det, a)
    compare(lambda x: L.slogdet(x).logabsdet, lambda x: P.slogdet(x).logabsdet, a)
    compare(lambda x: L.slogdet(x).sign, lambda x: P.slogdet(x).sign, a, order=1)
    for n in (-2, -1, 0, 1, 2, 3, 6):
        compare(lambda x, n=n: L.matrix_power(x, n), lambda x, n=n: P.matrix_power(x, n), a / 2, order=2 if n else 0,
                dtypes=EXACT)  # fmt: skip
    compare(lambda x: L.inv(x.mT), lambda x: P.inv(x.mT), a)  # not contiguous


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 1, 2, 2), (3, 2, 1)), ((2, 2, 2), (2, 2, 4)), ((0, 0), (0, 2))],
)
def test_solve(a, b):
    compare(L.solve, P.solve, spread(*a), normal(*b))


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("unitriangular", [True, False])
def test_solve_triangular(upper, left, unitriangular):
    settings = {"upper": upper, "left": left, "unitriangular": unitriangular}
    a = normal(2, 3, 3) / 2 + 2 * np.eye(3)
    compare(lambda a, b: L.solve_triangular(a, b, **settings), lambda a, b: P.solve_triangular(a, b, **settings),
            a, normal(3, 2) if left else normal(2, 3))  # fmt: skip


@pytest.mark.parametrize("shape", SQUARE)
def test_symmetric_matrices(shape):
    a = definite(*shape) if shape[-1] else normal(*shape)
    crooked = a + np.triu(normal(*shape), 1)  # only the lower triangle is read, and the gradient is symmetric
    for x in (a, crooked):
        compare(L.cholesky, P.cholesky, x)
        compare(L.eigvalsh, P.eigvalsh, x)
        compare(lambda x: L.eigh(x).eigenvectors ** 2, lambda x: P.eigh(x).eigenvectors ** 2, x, dtypes=EXACT)
    compare(lambda x: L.cholesky(x.mT, upper=True), lambda x: P.cholesky(x.mT, upper=True), crooked)
    compare(lambda x: L.eigvalsh(x, "U"), lambda x: P.eigvalsh(x, "U"), a)

    def root(eigh, x):
        w, v = eigh(x)
        return (v * (w + 1)[..., None, :] ** 0.5) @ v.mT

    compare(lambda x: root(L.eigh, x), lambda x: root(P.eigh, x), a, dtypes=EXACT)


@pytest.mark.parametrize("shape", ANY)
def test_singular_values(shape):
    a = spread(*shape)
    compare(L.svdvals, P.svdvals, a)
    compare(lambda x: L.svd(x).S, lambda x: P.svd(x).S, a)

    def both(svd, x):
        u, s, vh = svd(x, full_matrices=False)
        return (u * (s * s + 1)[..., None, :]) @ vh

    def squares(svd, k, x):
        return svd(x, full_matrices=False)[k] ** 2

    compare(lambda x: both(L.svd, x), lambda x: both(P.svd, x), a, dtypes=EXACT)
    for k in (0, 2):
        compare(lambda x, k=k: squares(L.svd, k, x), lambda x, k=k: squares(P.svd, k, x), a, dtypes=EXACT)
    compare(L.pinv, P.pinv, a, dtypes=EXACT)
    compare(L.pinv, P.pinv, a, order=1)
    assert L.matrix_rank(a).tolist() == P.matrix_rank(torch.tensor(a)).tolist()


@pytest.mark.parametrize("shape", ANY)
def test_qr(shape):
    a = spread(*shape)
    for ours in (lambda x: abs(L.qr(x).R), lambda x: abs(L.qr(x, "r"))):
        compare(ours, lambda x: abs(P.qr(x).R), a, dtypes=EXACT)
    compare(lambda x: L.qr(x).Q ** 2, lambda x: P.qr(x).Q ** 2, a, dtypes=EXACT)
    compare(lambda x: L.qr(x).Q ** 2, lambda x: P.qr(x).Q ** 2, a, order=1)
    order = 2 if shape[-2] <= shape[-1] else 0  # PyTorch has no gradient for the others
    compare(lambda x: L.qr(x, "complete").Q ** 2, lambda x: P.qr(x, mode="complete").Q ** 2, a, order=order,
            dtypes=EXACT)  # fmt: skip


@pytest.mark.parametrize(("a", "b"), [((4, 2), (4, 3)), ((2, 4), (2, 1)), ((3, 3), (3, 2)), ((2, 4, 2), (2, 4, 1))])
def test_lstsq(a, b):
    x, y = spread(*a), normal(*b)
    compare(lambda a, b: L.lstsq(a, b).x, lambda a, b: P.lstsq(a, b).solution, x, y, dtypes=EXACT)
    ours, theirs = L.lstsq(x, y), P.lstsq(torch.tensor(x), torch.tensor(y), driver="gelsd")
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy().reshape(p.shape), rtol=1e-10)


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms(order):
    for shape in ((3, 3), (2, 3, 4), (4, 2)):
        a = spread(*shape)
        compare(lambda x: L.matrix_norm(x, ord=order), lambda x: P.matrix_norm(x, order), a)
        compare(lambda x: L.norm(x, order, (-1, 0), True), lambda x: P.norm(x, order, (-1, 0), True), a)
        if shape[-1] == shape[-2]:
            compare(lambda x: L.cond(x, order), lambda x: P.cond(x, order), a, order=0)
    for a in (np.eye(3), np.zeros((2, 2))):
        if order != "fro":
            compare(lambda x: L.matrix_norm(x, ord=order), lambda x: P.matrix_norm(x, order), a, order=1)


@pytest.mark.parametrize("order", [2, 1, 0, 3, 0.5, np.inf, -np.inf, -1, -2])
def test_vector_norms(order):
    for shape, axis in (((3, 4), 1), ((2, 3, 2), (0, -1)), ((5,), None), ((2, 2), None)):
        compare(lambda x, k=axis: L.vector_norm(x, axis=k, ord=order),
                lambda x, k=axis: P.vector_norm(x, order, k), normal(*shape))  # fmt: skip


def test_condition_by_singular_values():
    for shape in ((3, 3), (4, 2), (2, 2, 3)):
        compare(L.cond, P.cond, spread(*shape))
        compare(lambda x: L.cond(x, -2), lambda x: P.cond(x, -2), spread(*shape))


def test_determinants_of_singular_matrices():
    """PyTorch computes the gradient anew under create_graph; without it, it is 0 at some of these."""
    for a in (np.array([[1.0, 2.0], [2.0, 4.0]]), np.zeros((3, 3)), normal(3, 2) @ normal(2, 3), np.zeros((1, 1))):
        x, t = mt.Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
        (expected,) = torch.autograd.grad(P.det(t), t, create_graph=True)
        for create_graph in (False, True):
            (g,) = mt.grad(L.det(x), x, create_graph=create_graph)
            np.testing.assert_allclose(g.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_parts_of_matrices():
    for shape in ((3, 3), (2, 2, 3), (0, 2)):
        for offset in (-1, 0, 1):
            compare(lambda x, k=offset: L.diagonal(x, k), lambda x, k=offset: P.diagonal(x, offset=k), normal(*shape))
        compare(L.matrix_transpose, lambda x: x.mT, normal(*shape))
    compare(L.trace, torch.trace, normal(2, 3))
