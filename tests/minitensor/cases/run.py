"""Running a case of the table on a device: its values, and its gradients of both orders."""

from __future__ import annotations

from typing import Any

import numpy as np

import minitensor as mt
from minitensor import backend
from tests.minitensor.cases.case import Case

__all__ = ["first", "moved", "outputs", "same", "second"]

Arrays = list[np.ndarray | None]


def first(case: Case, device: str = "cpu", dtype: str = "float64") -> tuple[list[np.ndarray], Arrays]:
    """Return the values, and the gradients of Σ v y with fixed v with respect to the float arguments."""
    args = _arguments(case, device, dtype)
    ys = outputs(case.op(*args, **{k: moved(v, device) for k, v in case.settings.items()}))
    assert all(y.device.startswith(device) for y in ys)
    leaves = [a for a in args if isinstance(a, mt.Tensor) and a.requires_grad]
    generator = np.random.default_rng(0)
    incoming = [mt.Tensor(_drawn(generator, y), device=device) for y in ys]
    wanted = [(y, v) for y, v in zip(ys, incoming, strict=True) if y.requires_grad]
    grads: tuple[Any, ...] = ()
    if wanted:
        grads = mt.grad([y for y, _ in wanted], leaves, [v for _, v in wanted], allow_unused=True)
    return [y.numpy() for y in ys], [None if g is None else g.numpy() for g in grads]


def second(case: Case, device: str = "cpu") -> Arrays:
    """Return the gradients of Σ u g with fixed u, g being the gradients of Σ v y."""
    args = _arguments(case, device, "float64")
    ys = outputs(case.op(*args, **{k: moved(v, device) for k, v in case.settings.items()}))
    ys = [y for y in ys if y.requires_grad]  # indices have no gradient
    leaves = [a for a in args if isinstance(a, mt.Tensor) and a.requires_grad]
    v = [mt.Tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype), device=device) for y in ys]
    found = [g for g in mt.grad(ys, leaves, v, create_graph=True, allow_unused=True) if g is not None]
    found = [g for g in found if g.requires_grad]
    if not found:
        return []
    u = [mt.Tensor(np.sin(1 + np.arange(g.size)).reshape(g.shape).astype(g.dtype), device=device) for g in found]
    return [None if g is None else g.numpy() for g in mt.grad(found, leaves, u, allow_unused=True)]


def same(a: Any, b: Any, tolerance: float) -> None:
    """Compare arrays with arrays, in shape, dtype and value: to a share of the largest entry."""
    for x, y in zip(a, b, strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            assert x.shape == y.shape and x.dtype == y.dtype
            scale = np.abs(y).max(initial=1.0, where=np.isfinite(y))
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)


def outputs(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def moved(value: Any, device: str) -> Any:
    """Bring the arrays in a setting (an index) to a device."""
    if isinstance(value, tuple):
        return tuple(moved(v, device) for v in value)
    return backend.move(value, device) if isinstance(value, np.ndarray) else value


def _arguments(case: Case, device: str, dtype: str) -> list[Any]:
    """Return the case's arrays as Tensors; those of floats learn if there is a gradient to check."""
    return [
        mt.Tensor(_in(dtype, a), device=device, requires_grad=a.dtype.kind in "fc" and case.smooth)
        if isinstance(a, np.ndarray)
        else a
        for a in case.args
    ]


def _in(dtype: str, x: np.ndarray) -> np.ndarray:
    """Return floats in a dtype, complex numbers in that of their parts."""
    if x.dtype.kind not in "fc":
        return x
    return x.astype(np.result_type(dtype, np.complex64) if x.dtype.kind == "c" else dtype)


def _drawn(generator: np.random.Generator, y: Any) -> np.ndarray:
    v = np.asarray(generator.standard_normal(y.shape))
    return (v + 1j * generator.standard_normal(y.shape) if y.dtype.kind == "c" else v).astype(y.dtype)
