"""`mt.linalg` where it is hard: singular matrices, equal eigenvalues, no entries, NaN; and what it refuses."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops.linalg import singular, symmetric

L = mt.linalg
rng = np.random.default_rng(11)
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
SQUARE = ["inv", "det", "slogdet", "cholesky", "eigh", "eigvalsh"]
OTHERS = ["svd", "svdvals", "qr", "pinv", "cond", "matrix_norm", "matrix_rank"]


def grad(f: Any, x: Any) -> np.ndarray:
    leaf = mt.Tensor(np.asarray(x, float), requires_grad=True)
    return mt.grad(f(leaf), leaf)[0].numpy()


def parts(y: Any) -> list[mt.Tensor]:
    return list(y) if isinstance(y, tuple) else [y]


# -- dtypes and names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SQUARE + OTHERS)
@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "float32", "float64"])
def test_dtypes(name, dtype):
    x = np.array([[1, 0], [0, 1]]) if dtype == "bool" else np.array([[3, 1], [1, 2]])
    for y in parts(getattr(L, name)(mt.Tensor(x.astype(dtype)))):
        if name != "matrix_rank":
            assert y.dtype == (dtype if dtype.startswith("f") else "float32")


def test_results_have_numpys_names():
    x = [[2.0, 1.0], [1.0, 3.0]]
    for ours, theirs in (
        (L.eigh(x), np.linalg.eigh(x)),
        (L.svd(x), np.linalg.svd(x)),
        (L.qr(x), np.linalg.qr(x)),
        (L.slogdet(x), np.linalg.slogdet(x)),
    ):
        assert ours._fields == theirs._fields and type(ours).__name__ == type(theirs).__name__
    assert isinstance(L.qr(x, "r"), mt.Tensor)
    assert issubclass(L.LinAlgError, ValueError) and L.LinAlgError is np.linalg.LinAlgError


def test_lstsq_is_numpys():
    for a, b in ((rng.normal(size=(4, 2)), rng.normal(size=4)), (rng.normal(size=(4, 2)), rng.normal(size=(4, 3))),
                 (rng.normal(size=(2, 4)), rng.normal(size=2)), (np.ones((3, 2)), np.ones(3))):  # fmt: skip
        for ours, theirs in zip(L.lstsq(a, b), np.linalg.lstsq(a, b), strict=True):
            assert isinstance(ours, mt.Tensor)
            np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


# -- singular matrices -----------------------------------------------------------------------------------------------


def test_det_of_a_singular_matrix_has_cofactors_as_gradient():
    np.testing.assert_allclose(grad(L.det, SINGULAR), [[4, -2], [-2, 1]], rtol=1e-12)
    np.testing.assert_allclose(grad(L.det, np.diag([1.0, 2.0, 0.0])), np.diag([0.0, 0.0, 2.0]), atol=1e-15)
    np.testing.assert_array_equal(grad(L.det, np.zeros((3, 3))), 0)


@pytest.mark.parametrize("x", [np.eye(3), np.diag([1.0, 1.0, 0.0]), np.diag([1.0, 0.0, 0.0])], ids=["3", "2", "1"])
def test_second_gradient_of_det_at_equal_singular_values(x):
    leaf = mt.Tensor(x, requires_grad=True)
    (g,) = mt.grad(L.det(leaf), leaf, create_graph=True)
    hessian = np.stack([mt.grad(g[i, j], leaf, retain_graph=True)[0].numpy() for i, j in np.ndindex(3, 3)])

    def step(k: int, sign: float) -> np.ndarray:
        moved = x.copy()
        moved.flat[k] += sign
        return grad(L.det, moved).ravel()

    exact = np.stack([(step(k, 1.0) - step(k, -1.0)) / 2 for k in range(9)])  # the gradient is quadratic
    np.testing.assert_allclose(hessian.reshape(9, 9), exact, atol=1e-12)


def test_third_gradient_of_det():
    x = rng.normal(size=(3, 3))
    assert mt.gradgradcheck(lambda v: mt.grad(L.det(v), v, create_graph=True)[0], mt.Tensor(x, requires_grad=True))


def test_one_singular_matrix_does_not_spoil_the_others():
    stack = np.stack([np.array(SINGULAR), 2 * np.eye(2)])
    g = grad(lambda x: L.slogdet(x).logabsdet[1:].sum() + L.slogdet(x).sign.sum(), stack)
    np.testing.assert_allclose(g[1], np.eye(2) / 2)
    g = grad(lambda x: L.slogdet(x).logabsdet.sum(), stack)
    assert np.isnan(g[0]).all() and np.isfinite(g[1]).all()
    assert L.cond(stack, 1).tolist() == [np.inf, 1.0]


def test_pinv_of_a_low_rank_matrix_in_directions_that_keep_the_rank():
    u, v, du = (rng.normal(size=(n, 1)) for n in (4, 3, 4))
    w = rng.normal(size=(3, 4))
    f = lambda t: float((L.pinv((u + t * du) @ v.T).numpy() * w).sum())  # noqa: E731
    g = grad(lambda x: (L.pinv(x) * mt.Tensor(w)).sum(), u @ v.T)
    np.testing.assert_allclose((g * (du @ v.T)).sum(), (f(1e-6) - f(-1e-6)) / 2e-6, rtol=1e-6)


# -- equal eigenvalues and singular values ---------------------------------------------------------------------------


@pytest.mark.parametrize("x", [np.eye(3), np.ones((3, 3)) + np.eye(3), np.zeros((2, 2))], ids=["1", "111", "0"])
def test_equal_eigenvalues(x):
    """Sums over them have gradients; what turns their vectors has none, and says NaN rather than a wrong number."""
    np.testing.assert_allclose(grad(lambda a: (L.eigvalsh(a) ** 2).sum(), x), 2 * x, atol=1e-12)
    np.testing.assert_allclose(grad(lambda a: (L.svdvals(a) ** 2).sum(), x), 2 * x, atol=1e-12)
    weights = mt.Tensor(rng.normal(size=x.shape))
    assert np.isnan(grad(lambda a: (L.eigh(a).eigenvectors * weights).sum(), x)).any()
    assert np.isnan(grad(lambda a: (L.svd(a).U * weights).sum(), x)).any()


def test_vectors_of_one_eigenvalue_beside_equal_ones():
    """The gradient through a single eigenvector is right though the other eigenvalues are equal."""
    v = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    x = (v * np.array([1.0, 1.0, 1.0, 3.0])) @ v.T
    w = rng.normal(size=(4, 4))

    def f(a: mt.Tensor) -> mt.Tensor:
        top = L.eigh(a).eigenvectors[:, -1]
        return (mt.outer(top, top) * mt.Tensor(w)).sum()

    d = rng.normal(size=(4, 4))
    d = d + d.T
    ahead, behind = (f(mt.Tensor(x + t * d)).item() for t in (1e-6, -1e-6))
    np.testing.assert_allclose((grad(f, x) * d).sum(), (ahead - behind) / 2e-6, rtol=1e-6)


def test_zero_singular_values_of_wide_and_tall_matrices():
    for shape in ((3, 2), (2, 3)):
        x = rng.normal(size=(shape[0], 1)) @ rng.normal(size=(1, shape[1]))
        assert np.isfinite(grad(lambda a: L.svdvals(a).sum(), x)).all()

        def top(a: mt.Tensor) -> mt.Tensor:
            u, s, vh = L.svd(a, full_matrices=False)
            return (u[:, :1] @ vh[:1] * mt.Tensor(np.arange(6.0).reshape(a.shape))).sum() + s[0]

        leaf = mt.Tensor(x, requires_grad=True)
        (g,) = mt.grad(top(leaf), leaf)
        d = rng.normal(size=shape)
        ahead, behind = (top(mt.Tensor(x + t * d)).item() for t in (1e-6, -1e-6))
        np.testing.assert_allclose((g.numpy() * d).sum(), (ahead - behind) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 2), (2, 5)])
def test_gradients_through_the_further_columns(shape):
    """A projection on the space that they span does not depend on how they span it."""
    x, n = rng.normal(size=shape), max(shape)
    w = rng.normal(size=(n, n))

    def by_svd(a: mt.Tensor) -> mt.Tensor:
        u, _, vh = L.svd(a)
        q = u[:, 2:] if shape[0] > 2 else vh[2:].mT
        return (q @ q.mT * mt.Tensor(w)).sum()

    def by_qr(a: mt.Tensor) -> mt.Tensor:
        q = L.qr(a if shape[0] > 2 else a.mT, "complete").Q[:, 2:]
        return (q @ q.mT * mt.Tensor(w)).sum()

    for f in (by_svd, by_qr):
        assert mt.gradgradcheck(f, x)


def test_the_gradient_of_a_symmetric_matrix_is_symmetric():
    x = rng.normal(size=(3, 3)) + 5 * np.eye(3)
    for f in (lambda a: L.cholesky(a).sum(), lambda a: (L.eigvalsh(a) ** 3).sum()):
        g = grad(f, x)
        np.testing.assert_allclose(g, g.T, atol=1e-14)
        low = np.tril(x) + np.tril(x, -1).T
        np.testing.assert_allclose(grad(f, low), g, atol=1e-14)  # the upper triangle is not read
    assert mt.gradgradcheck(lambda a: L.cholesky((a + a.mT) / 2), x)
    assert mt.gradgradcheck(lambda a: L.eigvalsh((a + a.mT) / 2), x)
    v = rng.normal(size=(3, 3))
    assert mt.gradcheck(lambda a: symmetric.mirrored((a + a.mT) / 2) * v, x)


# -- no entries, NaN -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SQUARE + ["svd", "svdvals", "qr", "pinv", "matrix_norm"])
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
@pytest.mark.parametrize("device", ["cpu", "fake"])
def test_no_entries(name, shape, device):
    import tests.minitensor.fake_cupy  # noqa: F401

    x = mt.Tensor(np.zeros(shape, "float32"), device=device, requires_grad=True)
    for y in parts(getattr(L, name)(x)):
        expected = getattr(np.linalg, name)(np.zeros(shape))
        assert y.dtype == np.float32 and y.shape[: len(shape) - 2] == shape[:-2]
        if isinstance(y, mt.Tensor) and not isinstance(expected, tuple):
            assert y.shape == expected.shape
        (g,) = mt.grad(y.sum(), x, retain_graph=True, allow_unused=True)
        assert g is None or g.shape == shape


def test_nan():
    nan = np.full((2, 2, 2), np.nan)
    nan[1] = np.eye(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for f in (L.det, L.inv, L.eigvalsh, lambda x: L.qr(x).R, L.cholesky):
            y = f(nan).numpy()
            assert np.isnan(y[0]).any() and np.isfinite(y[1]).all()
        g = grad(lambda x: L.det(x).sum(), nan)
    assert np.isnan(g[0]).all()
    np.testing.assert_allclose(g[1], np.eye(2))
    for f in (L.svd, L.svdvals, L.pinv, L.cond, L.matrix_rank):
        with pytest.raises(L.LinAlgError, match="hold NaN or inf"):
            f(nan)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SQUARE)
def test_not_square(name):
    for x in (np.ones((2, 3)), np.ones(2)):
        with pytest.raises(L.LinAlgError, match=rf"{name} takes square matrices, \(..., n, n\); got shape"):
            getattr(L, name)(x)


@pytest.mark.parametrize("name", OTHERS[:-1])
def test_not_matrices(name):
    with pytest.raises(L.LinAlgError, match=r"takes matrices, \(..., n, m\); got shape \(2,\)"):
        getattr(L, name)(np.ones(2))


def test_complex_numbers_are_refused_where_a_rule_is_for_real_ones():
    for name in [n for n in SQUARE + OTHERS if n not in ("inv", "matrix_norm")]:
        with pytest.raises(TypeError, match=f"{name} takes no complex numbers"):
            getattr(L, name)(np.eye(2) * 1j)
    with pytest.raises(TypeError, match="takes no complex numbers"):
        L.matrix_norm(np.eye(2) * 1j, ord=2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: L.inv(SINGULAR), L.LinAlgError, r"inv: a matrix of shape \(2, 2\) is singular"),
        (lambda: L.matrix_power(SINGULAR, -1), L.LinAlgError, "is singular"),
        (lambda: L.solve(SINGULAR, [1.0, 2.0]), L.LinAlgError, r"solve: a matrix of shape \(2, 2\) is singular"),
        (lambda: L.solve(np.eye(2), np.ones(3)), ValueError, r"2 equations need a right side .*; got shape \(3,\)"),
        (lambda: L.solve(np.eye(2), 3.0), ValueError, r"got shape \(\)"),
        (lambda: L.solve(np.ones((2, 2, 2)), np.ones((3, 2, 1))), ValueError, "do not broadcast"),
        (lambda: L.solve_triangular([[0.0]], [[1.0]]), L.LinAlgError, "singular"),
        (lambda: L.cholesky(-np.eye(2)), L.LinAlgError, "is not positive definite"),
        (lambda: L.eigh(np.eye(2), "X"), ValueError, "'L' or 'U'; got 'X'"),
        (lambda: L.qr(np.eye(2), "raw"), ValueError, "mode is 'reduced', 'complete' or 'r'; got 'raw'"),
        (lambda: L.matrix_power(np.eye(2), 1.5), TypeError, "whole number of factors; got 1.5"),
        (lambda: L.lstsq([[1.0], [1.0]], [1.0, 2.0, 3.0]), ValueError, "lstsq: 2 equations need"),
        (lambda: L.cond(np.zeros((0, 0))), L.LinAlgError, "no entries have no condition number"),
        (lambda: L.norm(np.eye(2), "foo"), ValueError, "a matrix has norms 'fro', 'nuc', 1, -1, 2, -2"),
        (lambda: L.vector_norm(np.eye(2), ord="fro"), ValueError, "a vector has norms"),
        (lambda: L.matrix_transpose([1.0]), ValueError, "matrix_transpose takes matrices"),
        (lambda: L.pinv(np.ones((2, 3)), hermitian=True), L.LinAlgError, "pinv takes square matrices"),
    ],
)
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_the_error_names_the_call():
    with pytest.raises(L.LinAlgError) as caught:
        mt.grad(L.qr(x := mt.Tensor([[0.0, 1.0], [0.0, 2.0]], requires_grad=True)).R.sum(), x)
    assert any("in the gradient of qr_tall" in note for note in caught.value.__notes__)
    assert singular.svd.name == "svd"


@pytest.mark.parametrize("tol", [None, 0.0, 0.3, 1.0, 6.0])
@pytest.mark.parametrize("rtol", [None, 0.0, 0.05, 0.3, 1.0])
def test_rank_above_both_tolerances(tol, rtol):
    s = np.array([5.0, 3.0, 1.0, 0.5, 0.1])
    least = max(tol or 0.0, 5 * rtol if rtol is not None else 0.0 if tol is not None else 1e-9)
    assert mt.linalg.matrix_rank(np.diag(s), tol=tol, rtol=rtol).item() == (s > least).sum()
