"""Complex numbers against PyTorch: values, gradients in its convention, second order, promotion, refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch

pytestmark = pytest.mark.parity
TOLERANCE = {"complex128": 1e-10, "complex64": 5e-5}


def plane(*shape: int) -> np.ndarray:
    return np.asarray(normal(*shape) + 1j * normal(*shape))


def _drawn(seed: int, y: Any) -> np.ndarray:
    rng = np.random.default_rng(seed)
    v = np.asarray(rng.standard_normal(tuple(y.shape)))
    return v + 1j * rng.standard_normal(tuple(y.shape)) if "complex" in str(y.dtype) else v


def compare(ours: Any, theirs: Any, *args: Any, order: int = 2, dtypes: tuple[str, ...] = tuple(TOLERANCE)) -> None:
    """Compare y, its gradient for a random v, and the gradient of that one for a random w, in both precisions."""
    for dtype in dtypes:
        to = {"c": dtype, "f": "float64" if dtype == "complex128" else "float32"}
        arrays = [a.astype(to.get(a.dtype.kind, a.dtype)) if isinstance(a, np.ndarray) else a for a in args]
        wanted = [isinstance(a, np.ndarray) and a.dtype.kind in "fc" for a in arrays]
        xs = [mt.Tensor(a.copy(), requires_grad=True) if w else a for a, w in zip(arrays, wanted, strict=True)]
        ts = [torch.tensor(a, requires_grad=True) if w else a for a, w in zip(arrays, wanted, strict=True)]
        leaves = [x for x, w in zip(xs, wanted, strict=True) if w]
        others = [t for t, w in zip(ts, wanted, strict=True) if w]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, t = ours(*xs), theirs(*ts)
            _same(y, t, dtype)
            if not order or not t.requires_grad:
                continue
            v = _drawn(1, t).astype(y.dtype)
            first = mt.grad(y, leaves, mt.Tensor(v), create_graph=True, allow_unused=True)
            theirs_first = torch.autograd.grad(t, others, torch.tensor(v), create_graph=True, allow_unused=True)
            raw = mt.grad(y, leaves, mt.Tensor(v), retain_graph=True, allow_unused=True)
            for g, h, r in zip(first, theirs_first, raw, strict=True):
                _same(g, h, dtype)
                _same(r, h, dtype)
            if order < 2:
                continue
            _compare_again(first, theirs_first, leaves, others, dtype)


def _compare_again(ours: Any, theirs: Any, leaves: Any, others: Any, dtype: str) -> None:
    pairs = [(g, h) for g, h in zip(ours, theirs, strict=True) if g is not None and h is not None and h.requires_grad]
    if pairs:
        w = [_drawn(2, h).astype(g.dtype) for g, h in pairs]
        second = mt.grad([g for g, _ in pairs], leaves, [mt.Tensor(u) for u in w], allow_unused=True)
        w = [torch.tensor(u) for u in w]
        expected = torch.autograd.grad([h for _, h in pairs], others, w, allow_unused=True)
        for g, h in zip(second, expected, strict=True):
            _same(g, h, dtype)


def _same(ours: Any, theirs: Any, dtype: str) -> None:
    if ours is None or theirs is None:
        for g in (ours, theirs):
            assert g is None or not np.any(g.numpy() if g is ours else g.numpy(force=True))
        return
    a, b = ours.numpy(), theirs.resolve_conj().numpy(force=True)
    assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
    scale = np.abs(b).max(initial=1.0, where=np.isfinite(b))
    np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


UNARY = """exp log log2 log10 log1p expm1 exp2 sqrt rsqrt square reciprocal negative sin cos tan sinh cosh tanh asin
    acos atan asinh acosh atanh abs angle real imag conj""".split()
Z = plane(2, 3)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    f, g = getattr(mt, name), getattr(torch, name)
    compare(f, g, Z)
    compare(f, g, np.asarray(Z[0, 0]))
    compare(f, g, Z[:0])
    compare(lambda z: f(z[:, ::2].T), lambda t: g(t[:, ::2].T), Z)


@pytest.mark.parametrize("name", ["abs", "angle", "square", "exp", "real", "conj", "reciprocal", "sqrt"])
def test_unary_at_0_and_beyond(name):
    z = np.array([0, 1, -1, 1j, -1j, complex(np.nan, 0), complex(1e-3, -1e3)])
    compare(getattr(mt, name), getattr(torch, name), z, order=1)


def test_angle_of_real_numbers():
    compare(mt.angle, torch.angle, np.array([-1.0, 0.0, -0.0, 2.0, np.nan, np.inf, -np.inf]))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "pow"])
@pytest.mark.parametrize(("a", "b"), [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (3,)), ((0, 3), (1, 3))])
@pytest.mark.parametrize("kinds", ["cc", "cr", "rc"])
def test_binary(name, a, b, kinds):
    x, y = (plane(*s) if k == "c" else np.asarray(np.abs(normal(*s)) + 0.3) for s, k in zip((a, b), kinds, strict=True))
    compare(getattr(mt, name), getattr(torch, name), x, y)


@pytest.mark.parametrize("number", [2, -1.5, 1j, 2 - 0.5j, 0, 1, 3])
@pytest.mark.parametrize("name", ["add", "multiply", "divide", "pow"])
def test_with_a_number(name, number):
    f, g = getattr(mt, name), getattr(torch, name)
    if number != 0 or name != "divide":
        compare(lambda z: f(z, number), lambda t: g(t, number), plane(3))
    compare(lambda z: f(z, number), lambda t: g(t, number), np.abs(normal(3)) + 0.1, order=0 if number == 0 else 2)


def test_powers_of_numbers_and_of_0():
    compare(lambda b: mt.power(2.0, b), lambda b: torch.pow(2.0, b), plane(3))
    compare(lambda b: mt.power(1 + 1j, b), lambda b: torch.pow(1 + 1j, b), plane(3))
    compare(lambda b: mt.power(1 + 1j, b), lambda b: torch.pow(1 + 1j, b), normal(3))
    compare(mt.power, torch.pow, np.array([0, 0j]), np.array([2, 2.5 + 0j]), order=1)
    z = mt.Tensor(0j, requires_grad=True)
    assert mt.grad(z ** mt.Tensor(1 + 0j), z, 1j)[0].item() == 1j  # PyTorch's is NaN
    compare(lambda b: mt.power(0.0, b), lambda b: torch.pow(0.0, b), np.array([1, 2.5 + 0j]), order=1)


REDUCTIONS = {
    "sum": (lambda z: mt.sum(z, 1), lambda t: t.sum(1)),
    "mean": (lambda z: mt.mean(z, 0, True), lambda t: t.mean(0, True)),
    "prod": (lambda z: mt.prod(z, 1), lambda t: t.prod(1)),
    "prod of all": (mt.prod, torch.prod),
    "cumsum": (lambda z: mt.cumsum(z, 1), lambda t: t.cumsum(1)),
    "cumprod": (lambda z: mt.cumprod(z, 1), lambda t: t.cumprod(1)),
    "norm": (mt.norm, torch.linalg.norm),
    "norm 1": (lambda z: mt.norm(z, 1, 1), lambda t: torch.linalg.vector_norm(t, 1, 1)),
    "norm 3": (lambda z: mt.norm(z, 3, 1), lambda t: torch.linalg.vector_norm(t, 3, 1)),
    "norm inf": (lambda z: mt.norm(z, np.inf, 0), lambda t: torch.linalg.vector_norm(t, np.inf, 0)),
    "norm 0": (lambda z: mt.norm(z, 0, 0), lambda t: torch.linalg.vector_norm(t, 0, 0)),
    "norm fro": (lambda z: mt.norm(z, "fro", (0, 1)), lambda t: torch.linalg.norm(t, "fro", (0, 1))),
    "norm 1 of a matrix": (lambda z: mt.norm(z, 1, (0, 1)), lambda t: torch.linalg.norm(t, 1, (0, 1))),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    for z in (plane(3, 4), plane(1, 1)):
        compare(*REDUCTIONS[name], z)


_i = np.array([[0, 2, 2], [1, 1, 0]])
_t = torch.tensor(_i)
_m = np.array([[True, False, True], [False, False, True]])
MOVES = {
    "reshape": (lambda z: mt.reshape(z, (3, 2)), lambda t: t.reshape(3, 2)),
    "transpose": (lambda z: z.T, lambda t: t.T),
    "flip": (lambda z: mt.flip(z, 1), lambda t: t.flip(1)),
    "roll": (lambda z: mt.roll(z, 1, 1), lambda t: t.roll(1, 1)),
    "tile": (lambda z: mt.tile(z, (2, 1)), lambda t: t.tile(2, 1)),
    "repeat": (lambda z: mt.repeat(z, 2, 1), lambda t: t.repeat_interleave(2, 1)),
    "stack": (lambda z: mt.stack([z, z.conj()]), lambda t: torch.stack([t, t.conj()])),
    "concatenate": (lambda z: mt.concatenate([z, z.real]), lambda t: torch.cat([t, t.real])),
    "getitem": (lambda z: z[_i.clip(max=1), [0, 1, 1]], lambda t: t[_t.clamp(max=1), torch.tensor([0, 1, 1])]),
    "gather": (lambda z: mt.gather(z, 1, _i), lambda t: t.gather(1, _t)),
    "take": (lambda z: mt.take(z, _i), lambda t: t.take(_t)),
    "scatter_add": (lambda z: mt.scatter_add(z, 1, _i, z * 1j), lambda t: t.scatter_add(1, _t, t * 1j)),
    "masked_fill": (lambda z: mt.masked_fill(z, _m, 1j), lambda t: t.masked_fill(torch.tensor(_m), 1j)),
    "where": (lambda z: mt.where(_m, z, z.real), lambda t: torch.where(torch.tensor(_m), t, t.real + 0j)),
    "pad": (lambda z: mt.pad(z, ((0, 0), (1, 2))), lambda t: torch.nn.functional.pad(t, (1, 2))),
    "diagonal": (lambda z: mt.diagonal(z, 1), lambda t: t.diagonal(1)),
    "tril": (mt.tril, torch.tril),
    "diff": (mt.diff, torch.diff),
    "kron": (lambda z: mt.kron(z, z.real), lambda t: torch.kron(t, t.real)),
    "broadcast_to": (lambda z: mt.broadcast_to(z, (2, 2, 3)), lambda t: t.broadcast_to((2, 2, 3))),
    "view_as_real": (mt.view_as_real, torch.view_as_real),
    "lerp": (lambda z: mt.lerp(z, z * z, 0.3), lambda t: torch.lerp(t, t * t, 0.3)),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    compare(*MOVES[name], plane(2, 3))


PRODUCTS = {
    "matmul": (mt.matmul, torch.matmul, (2, 3), (3, 2)),
    "matrix and vector": (mt.matmul, torch.matmul, (2, 3), (3,)),
    "batches": (mt.matmul, torch.matmul, (2, 1, 2, 3), (3, 3, 2)),
    "einsum": (lambda a, b: mt.einsum("ij,kj->ki", a, b), lambda a, b: torch.einsum("ij,kj->ki", a, b), (2, 3), (4, 3)),
    "linear": (F.linear, torch.nn.functional.linear, (2, 3), (4, 3)),
    "outer": (mt.outer, torch.outer, (2,), (3,)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    ours, theirs, a, b = PRODUCTS[name]
    compare(ours, theirs, plane(*a), plane(*b))
    if name in ("einsum", "outer"):  # PyTorch's other products take one dtype
        compare(ours, theirs, plane(*a), plane(*b).real + 0j)
    x, z = mt.Tensor(normal(*a), requires_grad=True), mt.Tensor(plane(*b), requires_grad=True)
    y = ours(x, z)
    t, u = torch.tensor(x.numpy() + 0j, requires_grad=True), torch.tensor(z.numpy(), requires_grad=True)
    v = _drawn(3, y)
    y.backward(v)
    theirs(t, u).backward(torch.tensor(v))
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy().real, atol=1e-12)
    np.testing.assert_allclose(z.grad.numpy(), u.grad.numpy(), atol=1e-12)


def test_constructors():
    compare(mt.complex, torch.complex, normal(2, 3), normal(3))
    compare(mt.view_as_complex, torch.view_as_complex, normal(2, 3, 2))
    compare(lambda z: mt.complex(z.real, z.imag) * z, lambda t: torch.complex(t.real, t.imag) * t, plane(3))


def test_a_chain_through_real_and_complex_numbers():
    def ours(z, x):
        return ((mt.exp(z * x) + x).abs() * mt.angle(z)).sum() * (z.conj() @ z)

    def theirs(t, x):
        return ((torch.exp(t * x) + x).abs() * torch.angle(t)).sum() * (t.conj() @ t)

    compare(ours, theirs, plane(3) / 2, normal(3) / 2)


def test_jacobians_and_products_of_them():
    z, v = plane(3), plane(3)
    for name in ("vjp", "jvp"):
        ours = getattr(mt, name)(lambda z: z * z.conj() * z, mt.Tensor(z), mt.Tensor(v))[1].numpy()
        theirs = getattr(torch.autograd.functional, name)(lambda t: t * t.conj() * t, torch.tensor(z), torch.tensor(v))
        theirs = theirs[1].resolve_conj().numpy()
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    for jacobian, t in ((mt.jacobian, mt.Tensor), (torch.autograd.functional.jacobian, torch.tensor)):
        with pytest.raises((RuntimeError, mt.errors.GradientError), match="complex|real scalar"):
            jacobian(lambda z: z * z, t(z))
        rows = jacobian(lambda z: (z * z).real, t(z)).numpy()
        np.testing.assert_allclose(rows, np.diag(2 * z.conj()), atol=1e-12)


def test_questions():
    z = np.array([1j, 0, complex(np.nan, 1), complex(1, -np.inf)])
    for name in ("isfinite", "isnan", "isinf", "logical_not"):
        compare(getattr(mt, name), getattr(torch, name), z, order=0)
    for name in ("equal", "not_equal"):
        compare(getattr(mt, name), getattr(torch, {"equal": "eq", "not_equal": "ne"}[name]), z, z[::-1].copy(), order=0)
    compare(mt.isclose, torch.isclose, np.array([1j, 1.0 + 0j]), np.array([1j + 1e-7, 2.0 + 0j]), order=0)


ERRORS = {
    "max": (mt.max, torch.max),
    "sort": (mt.sort, torch.sort),
    "floor": (mt.floor, torch.floor),
    "relu": (mt.relu, torch.relu),
    "clip": (lambda z: mt.clip(z, 0.0, 1.0), lambda t: t.clamp(0.0, 1.0)),
    "<": (lambda z: z < z, lambda t: t < t),
    "maximum": (lambda z: mt.maximum(z, z), lambda t: torch.maximum(t, t)),
    "atan2": (lambda z: mt.atan2(z, z), lambda t: torch.atan2(t, t)),
    "erf": (mt.erf, torch.erf),
    "sign": (mt.sign, torch.sign),
    "//": (lambda z: z // 2, lambda t: t // 2),
    "softplus": (mt.softplus, torch.nn.functional.softplus),
    "backward of a complex number": (lambda z: z.sum().backward(), lambda t: t.sum().backward()),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_inputs(name):
    ours, theirs = ERRORS[name]
    with pytest.raises((RuntimeError, TypeError)):
        theirs(torch.tensor(Z, requires_grad=True))
    with pytest.raises((TypeError, mt.errors.GradientError)):
        ours(mt.Tensor(Z, requires_grad=True))
