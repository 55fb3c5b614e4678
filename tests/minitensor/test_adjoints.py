"""⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for every op that moves entries: each gradient is the adjoint of what was computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt

_i = np.array([[0, 2, 2], [1, 1, 0]])
_rows = np.array([2, 0, 2])
_mask = np.array([[True, False, True], [False, False, True]])
LINEAR: dict[str, tuple[Any, tuple[int, ...]]] = {
    "reshape": (lambda x: mt.reshape(x, (3, 2)), (2, 3)),
    "ravel": (mt.ravel, (2, 3)),
    "transpose": (lambda x: mt.transpose(x, (2, 0, 1)), (2, 3, 4)),
    "moveaxis": (lambda x: mt.moveaxis(x, (0, 1), (-1, 0)), (2, 3, 4)),
    "swapaxes": (lambda x: mt.swapaxes(x, 0, 2), (2, 3, 4)),
    "squeeze": (mt.squeeze, (1, 3, 1)),
    "expand_dims": (lambda x: mt.expand_dims(x, (0, 2)), (2, 3)),
    "broadcast_to": (lambda x: mt.broadcast_to(x, (4, 2, 3)), (2, 1)),
    "atleast_3d": (mt.atleast_3d, (3,)),
    "flip": (lambda x: mt.flip(x, 0), (2, 3)),
    "rot90": (lambda x: mt.rot90(x, 3), (2, 3)),
    "roll": (lambda x: mt.roll(x, (1, -2), (0, 1)), (2, 3)),
    "concatenate": (lambda x: mt.concatenate([x, 2 * x, x], 1), (2, 3)),
    "stack": (lambda x: mt.stack([x, x], 1), (2, 3)),
    "column_stack": (lambda x: mt.column_stack([x, x]), (3,)),
    "split": (lambda x: mt.split(x, [1], 1)[1], (2, 3)),
    "array_split": (lambda x: mt.array_split(x, 2, 1)[0], (2, 3)),
    "chunk": (lambda x: mt.chunk(x, 2, 1)[1], (2, 3)),
    "unstack": (lambda x: mt.unstack(x, axis=1)[1], (2, 3)),
    "repeat": (lambda x: mt.repeat(x, 3, 1), (2, 3)),
    "repeat each": (lambda x: mt.repeat(x, [2, 0, 1], 1), (2, 3)),
    "tile": (lambda x: mt.tile(x, (2, 2)), (2, 3)),
    "meshgrid": (lambda x: mt.meshgrid(x, mt.ones(2))[0], (3,)),
    "diagonal": (lambda x: mt.diagonal(x, 1), (3, 4)),
    "diag": (lambda x: mt.diag(x, -1), (3,)),
    "trace": (mt.trace, (3, 4)),
    "tril": (mt.tril, (3, 4)),
    "triu": (lambda x: mt.triu(x, 1), (3, 4)),
    "diff": (lambda x: mt.diff(x, 2), (2, 5)),
    "outer": (lambda x: mt.outer(x, mt.Tensor(np.array([1.0, -2.0]))), (3,)),
    "kron": (lambda x: mt.kron(x, mt.Tensor(np.array([[1.0], [-2.0]]))), (2, 3)),
    "getitem": (lambda x: x[::-1, _rows], (2, 3)),
    "getitem by a mask": (lambda x: x[_mask], (2, 3)),
    "take": (lambda x: mt.take(x, _i, 1), (2, 3)),
    "take, flat": (lambda x: mt.take(x, _i), (2, 3)),
    "take_along_axis": (lambda x: mt.take_along_axis(x, _i, 1), (2, 3)),
    "gather": (lambda x: mt.gather(x, 1, _i), (2, 3)),
    "index_select": (lambda x: mt.index_select(x, 1, _rows), (2, 3)),
    "masked_select": (lambda x: mt.masked_select(x, _mask), (2, 3)),
    "masked_fill": (lambda x: mt.masked_fill(x, _mask, 0.0), (2, 3)),
    "scatter, of x": (lambda x: mt.scatter(x, 1, _i, 0.0), (2, 3)),
    "scatter, of src": (lambda s: mt.scatter(mt.zeros((2, 3), "float64"), 1, _i, s), (2, 3)),
    "scatter_add, of src": (lambda s: mt.scatter_add(mt.zeros((2, 3), "float64"), 1, _i, s), (2, 3)),
    "index_add, of source": (lambda s: mt.index_add(mt.zeros((2, 3), "float64"), 1, _rows, s, alpha=2.0), (2, 3)),
    "put, of values": (lambda v: mt.put(mt.zeros((2, 3), "float64"), [0, -1, 0, 2], v), (2,)),
    "put_along_axis, of values": (lambda v: mt.put_along_axis(mt.zeros((2, 3), "float64"), _i, v, 1), (2, 1)),
    "index_put, of values": (lambda v: mt.index_put(mt.zeros((3, 3), "float64"), (_rows,), v, True), (3,)),
}
for mode in ("constant", "reflect", "symmetric", "edge", "wrap"):
    for width in (1, (0, 2), ((2, 1), (0, 3)), ((7, 5), (9, 0))):
        LINEAR[f"pad {mode} {width}"] = (lambda x, w=width, m=mode: mt.pad(x, w, m), (2, 3))
COMPLEX: dict[str, tuple[Any, tuple[int, ...], str, str]] = {  # (A, shape of x, complex or real x, complex or real A x)
    "fft of real numbers": (mt.fft.fft, (2, 5), "r", "c"),
    "fft2": (lambda x: mt.fft.fft2(x, (3, 4)), (2, 2, 5), "c", "c"),
    "irfftn": (mt.fft.irfftn, (2, 3, 4), "c", "r"),
    "rfftn": (mt.fft.rfftn, (2, 3, 4), "r", "c"),
    "fftshift": (mt.fft.fftshift, (2, 3), "c", "c"),
    "conj": (mt.conj, (2, 3), "c", "c"),
    "real": (mt.real, (2, 3), "c", "r"),
    "imag": (mt.imag, (2, 3), "c", "r"),
    "view_as_real": (mt.view_as_real, (2, 3), "c", "r"),
    "view_as_complex": (mt.view_as_complex, (3, 2), "r", "c"),
    "matmul": (lambda x: mt.matmul(mt.Tensor(np.array([[1j, 2.0], [3.0, 1 - 1j]])), x), (2, 3), "c", "c"),
}
for n in (None, 1, 4, 5, 8):
    for norm in ("backward", "ortho", "forward"):
        for name, (of, to) in {"fft": "cc", "ifft": "cc", "rfft": "rc", "irfft": "cr"}.items():
            f = lambda x, t=name, n=n, norm=norm: getattr(mt.fft, t)(x, n, 1, norm)  # noqa: E731
            COMPLEX[f"{name} {n} {norm}"] = (f, (2, 5, 2), of, to)


def _inner(a: Any, b: Any) -> float:
    """Re Σ ā b, the inner product of complex numbers read as pairs of real ones."""
    return float((a.numpy().conj() * b.numpy()).real.sum())


@pytest.mark.parametrize("name", COMPLEX)
def test_gradient_is_the_adjoint_of_complex_numbers(name):
    f, shape, of, to = COMPLEX[name]
    rng = np.random.default_rng(0)

    def drawn(kind: str, shape: tuple[int, ...]) -> Any:
        parts = rng.standard_normal((2, *shape))
        return mt.Tensor(parts[0] + 1j * parts[1] if kind == "c" else parts[0], requires_grad=True)

    x, z = drawn(of, shape), drawn(of, shape)
    ax = f(x)
    assert ax.dtype.kind == {"c": "c", "r": "f"}[to]
    y = drawn(to, ax.shape)
    (aty,) = mt.grad(ax, x, y, create_graph=True)
    np.testing.assert_allclose(_inner(ax, y), _inner(x, aty), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(2 * x - z).numpy(), (2 * ax - f(z)).numpy(), rtol=1e-12, atol=1e-12)  # linear
    (az,) = mt.grad(aty, y, z)  # the adjoint's adjoint is A again
    np.testing.assert_allclose(az.numpy(), f(z).numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("layout", ["C", "F"])
def test_gradient_is_the_adjoint(name, layout):
    f, shape = LINEAR[name]
    rng = np.random.default_rng(0)
    x, z = (mt.Tensor(np.asarray(rng.standard_normal(shape), order=layout), requires_grad=True) for _ in range(2))
    ax = f(x)
    y = mt.Tensor(rng.standard_normal(ax.shape), requires_grad=True)
    (aty,) = mt.grad(ax, x, y, create_graph=True)
    np.testing.assert_allclose((ax * y).sum().item(), (x * aty).sum().item(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(2 * x - z).numpy(), (2 * ax - f(z)).numpy(), rtol=1e-12, atol=1e-12)  # linear
    (az,) = mt.grad(aty, y, z)  # the adjoint's adjoint is A again
    np.testing.assert_allclose(az.numpy(), f(z).numpy(), rtol=1e-12, atol=1e-12)
