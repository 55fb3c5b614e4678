"""Covariances and correlations of variables that were observed together."""

from __future__ import annotations

import math
from operator import index as integer

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.ops.elementwise import astype, clip, sqrt
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.shaping.diagonal import diagonal
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.shape import reshape
from minitensor.promotion import default_float

__all__ = ["corrcoef", "cov"]


def _variables(name: str, x: Array, rowvar: bool) -> Array:
    """Return (variables, observations) as floats."""
    (x,) = operands(x)
    if len(x.shape) > 2:
        raise ValueError(f"{name} takes a matrix, variables by observations; got shape {tuple(x.shape)}")
    x = astype(x, dtype=default_float) if x.dtype.kind in "biu" else x
    if len(x.shape) < 2:
        return reshape(x, shape=(1, -1))
    return x if rowvar else x.mT


def _weights(name: str, w: Array, n: int, kinds: str) -> Array:
    """Check that there is one weight for each observation."""
    (w,) = operands(w)
    if w.dtype.kind not in kinds:
        raise TypeError(f"cov: {name} counts how often each observation was made, in integers; got {w.dtype}")
    if tuple(w.shape) != (n,):
        raise ValueError(f"cov: {name} has one entry for each of the {n} observations; got shape {tuple(w.shape)}")
    plain = w.data if isinstance(w, Variable) else w
    if w.dtype.kind != "b" and (plain < 0).any():
        raise ValueError(f"cov: {name} counts observations: none is negative; the smallest is {plain.min().item()}")
    return w


@composite
def cov(
    m: Array,
    more: Array | None = None,
    fweights: Array | None = None,
    aweights: Array | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
) -> Array:
    """C[i, j] = Σₖ (xᵢₖ - x̄ᵢ)(xⱼₖ - x̄ⱼ) / (n - ddof): the covariances of variables over n observations

    (variables, n) -> (variables, variables), a vector -> (); `rowvar=False` reads (n, variables), y adds variables.
    ddof is PyTorch's `correction`: 1 unless given, 0 with `bias`. fweights (n,) says how often each observation was
    made, aweights (n,) how much it counts: x̄ and the sum are weighted, and n is Σ w. Integers give the default float;
    n <= ddof gives inf or NaN. Raises ValueError for more than two axes, weights of another shape, below 0 or of sum 0.
    Differs from NumPy: integers give float32, no warning; no dtype. Differs from PyTorch: variables need not be rows.

    >>> import minitensor as mt
    >>> mt.cov([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    Tensor float32 (2, 2): [[ 1. -1.] [-1. 1.]]
    """
    x = _variables("cov", m, rowvar)
    if more is not None:
        other = _variables("cov", more, rowvar)
        if other.shape[1] != x.shape[1]:
            raise ValueError(f"cov: m has {x.shape[1]} observations and y {other.shape[1]}: they need as many")
        x = concatenate(x, other, axis=0)
    variables, n = x.shape
    ddof = (0 if bias else 1) if ddof is None else integer(ddof)
    w: Array = None
    if fweights is not None:
        w = astype(_weights("fweights", fweights, n, "iu"), dtype=x.dtype)
    if aweights is not None:
        a = astype(_weights("aweights", aweights, n, "biuf"), dtype=x.dtype)
        w = a if w is None else w * a
    if w is None:
        centered = scaled = x - sum(x, axis=1, keepdims=True) * (1 / n if n else math.nan)
        freedom: Array = n - ddof
        c = bmm(scaled, centered.mT) * (1 / freedom if freedom > 0 else math.inf)
    else:
        total = sum(w)
        if n and not bool(total != 0):
            raise ValueError("cov: the weights add up to 0, so no observation counts")
        centered = x - sum(x * w, axis=1, keepdims=True) / total
        freedom = total - (ddof if aweights is None else ddof * (sum(w * a) / total))
        c = bmm(centered * w, centered.mT) / clip(freedom, min=0.0)
    return reshape(c, shape=()) if variables == 1 else c


@composite
def corrcoef(x: Array, more: Array | None = None, rowvar: bool = True) -> Array:
    """R[i, j] = C[i, j] / √(C[i, i] C[j, j]), the covariances C of variables of standard deviation 1, in [-1, 1]

    Shapes and dtypes as in `cov`. A constant variable gives NaN. Raises ValueError for more than two axes.
    Differs from NumPy: integers give float32; no dtype. Differs from PyTorch: variables need not be rows.

    >>> import minitensor as mt
    >>> mt.corrcoef([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]])
    Tensor float32 (2, 2): [[ 1. -1.] [-1. 1.]]
    """
    c = cov(x, more, rowvar=rowvar)
    if not c.shape:
        return c / c
    s = sqrt(diagonal(c))
    return clip(c / s[:, None] / s[None, :], min=-1.0, max=1.0)
