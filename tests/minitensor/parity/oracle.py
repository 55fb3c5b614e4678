"""Values and gradients of one call in both engines."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt

torch = pytest.importorskip("torch")
rng = np.random.default_rng(4)


def normal(*shape: int) -> np.ndarray:
    return np.asarray(rng.standard_normal(shape))


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any, tolerance: float = 1e-10) -> None:
    """Compare values, and the gradients of Σ v y for random v, in float64."""
    xs = [mt.Tensor(a.copy(), requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in args]
    ts = [torch.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in args]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 ** -1 and the like
        y, t = ours(*xs), theirs(*ts)
        assert y.shape == tuple(t.shape) and str(t.dtype) == f"torch.{y.dtype}"
        np.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=tolerance, atol=tolerance)
        v = np.random.default_rng(0).standard_normal(y.shape)
        y.backward(v)
        t.backward(torch.tensor(v))
    for x, u in zip(xs, ts, strict=True):
        if isinstance(x, mt.Tensor) and x.requires_grad:
            np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=tolerance, atol=tolerance)
