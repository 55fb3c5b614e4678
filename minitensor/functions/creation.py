"""New Tensors: of given values, and of random ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.backend import default_generator
from minitensor.promotion import default_float
from minitensor.tensor import Tensor

__all__ = [
    "arange",
    "eye",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randn",
    "zeros",
    "zeros_like",
]


def _lengths(name: str, shape: Any, dtype: Any) -> Any:
    if isinstance(dtype, int):
        raise TypeError(f"{name} takes one shape, as NumPy does: {name}(({shape}, {dtype}))")
    return shape


def zeros(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return zeros."""
    return Tensor(np.zeros(_lengths("zeros", shape, dtype), dtype), device=device)


def ones(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return ones."""
    return Tensor(np.ones(_lengths("ones", shape, dtype), dtype), device=device)


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


def full_like(x: Tensor, value: float) -> Tensor:
    """Return one value everywhere, in x's shape, dtype and device."""
    return full(x.shape, value, x.dtype, x.device)


def linspace(start: float, stop: float, num: int = 50, dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return `num` evenly spaced numbers from start to stop, both included.

    >>> linspace(0, 1, 5)
    Tensor float32 (5,): [0. 0.25 0.5 0.75 1. ]
    """
    return Tensor(np.linspace(start, stop, num).astype(dtype), device=device)


def _plain_shape(shape: tuple[Any, ...]) -> Any:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def randn(
    *shape: Any, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from N(0, 1), made on the host by the default generator or the one passed.

    The shape is one tuple or several lengths.

    >>> randn(2, 3, generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return Tensor((generator or default_generator()).standard_normal(_plain_shape(shape)).astype(dtype), device=device)


def rand(
    *shape: Any, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from the uniform distribution on [0, 1)."""
    return Tensor((generator or default_generator()).random(_plain_shape(shape)).astype(dtype), device=device)
