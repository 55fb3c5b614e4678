"""One call in both engines: values, first and second gradients, in float64 and in float32."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import torch

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}


def _compare(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    if theirs is None or ours is None:  # one engine says "no path", the other says zero
        for g in (ours, theirs):
            assert g is None or not np.any(g.numpy() if g is ours else g.numpy(force=True)), what
        return
    a, b = ours.numpy(), theirs.detach().numpy(force=True)
    assert a.shape == b.shape and a.dtype == b.dtype, (what, a.shape, b.shape, a.dtype, b.dtype)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def _weights(seed: int, shape: tuple[int, ...], dtype: Any) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def compare(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    *args: Any,
    order: int = 2,
    constant: tuple[int, ...] = (),
    dtypes: tuple[str, ...] = ("float64", "float32"),
) -> None:
    """Compare y, d(v·y), and d(w·d(v·y)) for random v and w. Positions in `constant` get no gradient."""
    for dtype in dtypes:
        arrays = [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args]
        wanted = [i for i, a in enumerate(arrays) if _differentiable(a) and i not in constant]
        xs = [mt.Tensor(a.copy(), requires_grad=i in wanted) if _is(a) else a for i, a in enumerate(arrays)]
        ts = [torch.tensor(a, requires_grad=i in wanted) if _is(a) else a for i, a in enumerate(arrays)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 0/0 and PyTorch's advice
            y, t = ours(*xs), theirs(*ts)
            _compare(y, t, TOLERANCE[dtype], f"value in {dtype}")
            leaves, other = [xs[i] for i in wanted], [ts[i] for i in wanted]
            if not wanted or order < 1 or not t.requires_grad:
                continue
            v = _weights(1, y.shape, dtype)
            first = mt.grad(y, leaves, mt.Tensor(v), create_graph=order > 1, allow_unused=True)
            theirs_first = torch.autograd.grad(t, other, torch.tensor(v), create_graph=order > 1, allow_unused=True)
            for k, (g, h) in enumerate(zip(first, theirs_first, strict=True)):
                _compare(g, h, TOLERANCE[dtype], f"gradient {k} in {dtype}")
            if order < 2:
                continue
            pairs = [(g, h) for g, h in zip(first, theirs_first, strict=True) if g is not None and h is not None]
            ws = [_weights(2, tuple(h.shape), dtype) for _, h in pairs]
            scalar = sum((g * mt.Tensor(w)).sum() for (g, _), w in zip(pairs, ws, strict=True))
            other_scalar = sum((h * torch.tensor(w)).sum() for (_, h), w in zip(pairs, ws, strict=True))
            if not (isinstance(other_scalar, torch.Tensor) and other_scalar.requires_grad):
                continue
            second = (
                mt.grad(scalar, leaves, allow_unused=True)
                if isinstance(scalar, mt.Tensor) and scalar.requires_grad
                else [None] * len(leaves)
            )
            for k, (g, h) in enumerate(
                zip(second, torch.autograd.grad(other_scalar, other, allow_unused=True), strict=True)
            ):
                _compare(g, h, 10 * TOLERANCE[dtype], f"second gradient {k} in {dtype}")


def both(
    name: str,
    *args: Any,
    order: int = 2,
    constant: tuple[int, ...] = (),
    dtypes: tuple[str, ...] = ("float64", "float32"),
    **settings: Any,
) -> None:
    """Compare the function of this name in both engines, with the same settings."""
    f, g = getattr(F, name), getattr(torch.nn.functional, name)
    ours, theirs = (lambda *a: f(*a, **settings)), (lambda *a: g(*a, **settings))
    compare(ours, theirs, *args, order=order, constant=constant, dtypes=dtypes)


def _is(a: Any) -> bool:
    return isinstance(a, np.ndarray)


def _differentiable(a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"
