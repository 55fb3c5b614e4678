"""New Tensors: of given values, and of random ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.backend import default_generator
from minitensor.promotion import default_float
from minitensor.tensor import Tensor

__all__ = ["arange", "eye", "full", "ones", "ones_like", "rand", "randn", "zeros", "zeros_like"]


def zeros(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return zeros."""
    return Tensor(np.zeros(shape, dtype), device=device)


def ones(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return ones."""
    return Tensor(np.ones(shape, dtype), device=device)


def full(shape: int | tuple[int, ...], value: float, dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return one value everywhere."""
    return Tensor(np.full(shape, value, dtype), device=device)


def eye(n: int, dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return the unit matrix."""
    return Tensor(np.eye(n, dtype=dtype), device=device)


def arange(*limits: float, dtype: Any = None, device: str = "cpu") -> Tensor:
    """Return evenly spaced numbers as `numpy.arange` does; floats are float32."""
    x = np.arange(*limits, dtype=dtype)
    return Tensor(x.astype(default_float) if dtype is None and x.dtype.kind == "f" else x, device=device)


def zeros_like(x: Tensor) -> Tensor:
    """Return zeros of x's shape, dtype and device."""
    return zeros(x.shape, x.dtype, x.device)


def ones_like(x: Tensor) -> Tensor:
    """Return ones of x's shape, dtype and device."""
    return ones(x.shape, x.dtype, x.device)


def randn(
    *shape: int, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from N(0, 1), made on the host by the default generator or the one passed.

    >>> randn(2, 3, generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return Tensor((generator or default_generator()).standard_normal(shape).astype(dtype), device=device)


def rand(
    *shape: int, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from the uniform distribution on [0, 1)."""
    return Tensor((generator or default_generator()).random(shape).astype(dtype), device=device)
