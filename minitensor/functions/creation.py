"""New Tensors: of given values, and of random ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import is_complex
from minitensor.generators import generator_of
from minitensor.promotion import default_complex, default_float
from minitensor.tensor import Shape, Tensor

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


def _lengths(name: str, shape: Shape, dtype: DTypeLike) -> Shape:
    if isinstance(dtype, int):
        raise TypeError(f"{name} takes one shape, as NumPy does: {name}(({shape}, {dtype}))")
    return shape


def zeros(shape: Shape, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return zeros, float32 unless a dtype is given.

    Differs from NumPy: float32, not float64; a device. Differs from PyTorch: one shape, not several lengths.

    >>> import minitensor as mt
    >>> mt.zeros((2, 2))
    Tensor float32 (2, 2): [[0. 0.] [0. 0.]]
    """
    return Tensor(np.zeros(_lengths("zeros", shape, dtype), dtype), device=device)


def ones(shape: Shape, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return ones, float32 unless a dtype is given.

    Differs from NumPy: float32, not float64; a device. Differs from PyTorch: one shape, not several lengths.

    >>> import minitensor as mt
    >>> mt.ones(2, "int64")
    Tensor int64 (2,): [1 1]
    """
    return Tensor(np.ones(_lengths("ones", shape, dtype), dtype), device=device)


def full(shape: Shape, value: complex, dtype: DTypeLike | None = None, device: str = "cpu") -> Tensor:
    """Return one value everywhere, float32 unless a dtype is given, complex64 for a complex number.

    Differs from NumPy: float32 for integers too; a device. Differs from PyTorch: float32 for integers too.

    >>> import minitensor as mt
    >>> mt.full(2, 0.5)
    Tensor float32 (2,): [0.5 0.5]
    """
    if is_complex(value):  # a dtype without imaginary parts is refused
        return Tensor(np.full(shape, value), default_complex if dtype is None else dtype, device=device)
    return Tensor(np.full(shape, value, default_float if dtype is None else dtype), device=device)


def eye(n: int, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return the unit matrix (n, n).

    Differs from NumPy: float32; square, on the main diagonal (no `M` and `k`). Differs from PyTorch: square.

    >>> import minitensor as mt
    >>> mt.eye(2)
    Tensor float32 (2, 2): [[1. 0.] [0. 1.]]
    """
    return Tensor(np.eye(n, dtype=dtype), device=device)


def arange(*limits: float, dtype: DTypeLike | None = None, device: str = "cpu") -> Tensor:
    """Return start, start + step, ... below stop: `arange(stop)`, `arange(start, stop)`, `arange(start, stop, step)`.

    Differs from NumPy: floats are float32; the limits start, stop and step by position only.

    >>> import minitensor as mt
    >>> mt.arange(1, 7, 2)
    Tensor int64 (3,): [1 3 5]
    """
    x = np.arange(*limits, dtype=dtype)
    return Tensor(x.astype(default_float) if dtype is None and x.dtype.kind == "f" else x, device=device)


def zeros_like(x: Tensor) -> Tensor:
    """Return zeros of x's shape, dtype and device.

    Differs from NumPy: no dtype, shape and device. Differs from PyTorch: no dtype and device.

    >>> import minitensor as mt
    >>> mt.zeros_like(mt.Tensor([1, 2]))
    Tensor int64 (2,): [0 0]
    """
    return zeros(x.shape, x.dtype, x.device)


def ones_like(x: Tensor) -> Tensor:
    """Return ones of x's shape, dtype and device.

    Differs from NumPy: no dtype, shape and device. Differs from PyTorch: no dtype and device.

    >>> import minitensor as mt
    >>> mt.ones_like(mt.Tensor([0.5]))
    Tensor float32 (1,): [1.]
    """
    return ones(x.shape, x.dtype, x.device)


def full_like(x: Tensor, value: complex) -> Tensor:
    """Return one value everywhere, in x's shape, dtype and device.

    Differs from NumPy: no dtype, shape and device. Differs from PyTorch: no dtype and device.

    >>> import minitensor as mt
    >>> mt.full_like(mt.Tensor([0.5]), 3)
    Tensor float32 (1,): [3.]
    """
    return full(x.shape, value, x.dtype, x.device)


def linspace(start: float, stop: float, num: int = 50, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return `num` evenly spaced numbers from start to stop, both included.

    A dtype of integers takes the floor, as in NumPy.
    Differs from NumPy: float32; no endpoint, retstep and axis. Differs from PyTorch: num is 50 unless given; there
    integers are cut towards 0.

    >>> linspace(0, 1, 5)
    Tensor float32 (5,): [0. 0.25 0.5 0.75 1. ]
    """
    whole = np.dtype(dtype).kind in "iu"
    return Tensor(np.linspace(start, stop, num, dtype=dtype if whole else None), dtype, device=device)


def _plain_shape(shape: tuple[Any, ...]) -> Sequence[int]:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def randn(
    *shape: Shape, dtype: DTypeLike = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from N(0, 1), made on the host by the default generator or the one passed.

    The shape is one tuple or several lengths.
    Differs from NumPy: there it is random.randn, of float64. Differs from PyTorch: its own sequence of numbers.

    >>> randn(2, 3, generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return Tensor(generator_of(generator).standard_normal(_plain_shape(shape)).astype(dtype), device=device)


def rand(
    *shape: Shape, dtype: DTypeLike = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from the uniform distribution on [0, 1), made on the host.

    By the default generator, or the one passed. The shape is one tuple or several lengths.
    Differs from NumPy: there it is random.rand, of float64. Differs from PyTorch: its own sequence of numbers.

    >>> import minitensor as mt
    >>> mt.rand(2, 3).shape
    (2, 3)
    """
    return Tensor(generator_of(generator).random(_plain_shape(shape)).astype(dtype), device=device)
