"""Arrays from other libraries without a copy, by DLPack; the way out is `Tensor.__dlpack__`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.backend import from_device_dlpack
from minitensor.doors import may_leave
from minitensor.tensor import Tensor

__all__ = ["from_dlpack"]

CPU = 1  # DLDeviceType of the DLPack specification


def from_dlpack(x: Any) -> Tensor:
    """Return a Tensor on the memory of another library's array: a change in one is seen in the other.

    x: anything with `__dlpack__` and `__dlpack_device__`, such as a PyTorch, JAX or CuPy array. The result is a leaf
    without history; BufferError for a Tensor that has one. Memory that may not be written (a JAX array) gives a Tensor
    that cannot be changed in place.
    Differs from NumPy and PyTorch: no device and copy; use .to(device).

    >>> a = np.arange(3.0)
    >>> t = from_dlpack(a)
    >>> a[0] = 9.0
    >>> t
    Tensor float64 (3,): [9. 1. 2.]
    """
    if not (hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")):
        raise TypeError(f"from_dlpack takes an array with __dlpack__; a {type(x).__name__} has none")
    if isinstance(x, Tensor):
        may_leave(x, "DLPack")
        return x.detach()
    kind, _ = x.__dlpack_device__()
    return Tensor(np.from_dlpack(x) if int(kind) == CPU else from_device_dlpack(x))
