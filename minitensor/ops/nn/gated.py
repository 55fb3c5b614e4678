"""Activations that gate one half of an axis by the other."""

from __future__ import annotations

from numpy.lib.array_utils import normalize_axis_index

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import sigmoid
from minitensor.ops.nn.activation import silu

__all__ = ["glu", "swiglu"]


def _halves(name: str, x: Array, dim: int) -> tuple[Array, Array]:
    """Return the first and the second half along an axis."""
    if not x.shape:
        raise ValueError(f"{name} halves an axis; a number, of shape (), has none")
    axis = normalize_axis_index(dim, len(x.shape), name)
    n = x.shape[axis]
    if n % 2:
        raise ValueError(f"{name} halves axis {dim}, which must have an even length; got {n} in shape {x.shape}")
    before = (slice(None),) * axis
    return x[(*before, slice(0, n // 2))], x[(*before, slice(n // 2, n))]


@composite
def glu(input: Array, dim: int = -1) -> Array:
    """y = a σ(b) for the halves a, b of the input along `dim`: the gated linear unit.

    (..., 2n, ...) -> (..., n, ...). Raises ValueError for an odd length. Reference: Dauphin et al. 2017.

    >>> import minitensor as mt
    >>> mt.nn.functional.glu(mt.Tensor([2.0, 4.0, 0.0, 100.0]))
    Tensor float32 (2,): [1. 4.]
    """
    a, b = _halves("glu", input, dim)
    return a * sigmoid(b)


@composite
def swiglu(input: Array, dim: int = -1) -> Array:
    """y = silu(a) b for the halves a, b of the input along `dim`: the first half is the gate, silu(a) = a σ(a).

    (..., 2n, ...) -> (..., n, ...). Raises ValueError for an odd length. Reference: Shazeer 2020.
    Differs from PyTorch: it has no such function; there one writes silu(a) * b.

    >>> import minitensor as mt
    >>> mt.nn.functional.swiglu(mt.Tensor([0.0, 100.0, 3.0, 2.0]))
    Tensor float32 (2,): [ 0. 200.]
    """
    a, b = _halves("swiglu", input, dim)
    return silu(a) * b
