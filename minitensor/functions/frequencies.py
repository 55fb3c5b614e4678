"""The frequencies of the bins of a discrete Fourier transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from minitensor.ops.fft.several_axes import ifftshift
from minitensor.promotion import default_float
from minitensor.tensor import Tensor

__all__ = ["fftfreq", "rfftfreq"]


def _frequencies(name: str, n: int, d: float, first: int, last: int, dtype: DTypeLike, device: str) -> Tensor:
    least = 1 if name == "rfftfreq" else 0
    if n < least or not d:
        raise ValueError(f"{name}: n is {least} or more and the spacing d is not 0; got n={n}, d={d}")
    return Tensor((np.arange(first, last) / (max(n, 1) * d)).astype(dtype), device=device)


def fftfreq(n: int, d: float = 1.0, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return the frequency of each bin of `fft` of n points d apart: 0, 1, ..., -2, -1 over n d.

    (n,), in cycles per unit of d; of an even n the bin n/2 counts as negative. Raises ValueError for n < 0 or d = 0.
    Differs from NumPy: float32 unless a dtype is given; n = 0 gives nothing. Differs from PyTorch: d = 0 is refused.

    >>> fftfreq(5)
    Tensor float32 (5,): [ 0. 0.2 0.4 -0.4 -0.2]
    """
    return ifftshift(_frequencies("fftfreq", n, d, -(n // 2), (n + 1) // 2, dtype, device))


def rfftfreq(n: int, d: float = 1.0, dtype: DTypeLike = default_float, device: str = "cpu") -> Tensor:
    """Return the frequency of each bin of `rfft` of n points d apart: 0, 1, ..., n/2 over n d.

    (n // 2 + 1,), in cycles per unit of d. Raises ValueError for n < 1 or d = 0.
    Differs from NumPy: float32 unless a dtype is given. Differs from PyTorch: n = 0 and d = 0 are refused.

    >>> rfftfreq(5)
    Tensor float32 (3,): [0. 0.2 0.4]
    """
    return _frequencies("rfftfreq", n, d, 0, n // 2 + 1, dtype, device)
