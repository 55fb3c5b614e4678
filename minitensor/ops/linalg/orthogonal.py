"""Orthogonal columns: the QR decomposition."""

from __future__ import annotations

from typing import Any

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.linalg.matrices import matrices, rows_of_eye
from minitensor.ops.linalg.solving import solve_columns
from minitensor.ops.shaping.diagonal import tril
from minitensor.ops.shaping.join import concatenate

__all__ = ["qr", "qr_tall"]


@op("floating")
def qr_tall(x: Array, complete: bool = False) -> tuple[Array, Array]:
    """x = q r for matrices with no more columns than rows: q (..., n, m) or, if `complete`, (..., n, n)"""
    n, m = x.shape[-2:]
    if not x.size:
        return rows_of_eye(x, n, n if complete else m), namespace(x).zeros(
            (*x.shape[:-2], n if complete else m, m), dtype=x.dtype
        )
    return tuple(namespace(x).linalg.qr(x, mode="complete" if complete else "reduced"))


def _qr_rule(g: Array, y: Array) -> Array:
    (gq, gr), (q, r) = g, y
    m = r.shape[-1]
    q1, r1 = q[..., :m], r[..., :m, :]
    middle: Array = 0.0
    h: Array = 0.0
    if gr is not None:
        middle = bmm(r1, gr[..., :m, :].mT)
    if gq is not None:
        h = gq[..., :m]
        if q.shape[-1] > m:  # the further columns turn the other way
            h = h - bmm(q[..., m:], bmm(gq[..., m:].mT, q1))
        middle = middle - bmm(h.mT, q1)
    low = tril(middle)
    h = h + bmm(q1, low + tril(middle, k=-1).mT)
    return solve_columns(r1, h.mT).mT  # h r⁻ᵀ


qr_tall.vjp(x=_qr_rule)


@composite
def qr(a: Array, mode: str = "reduced") -> Any:
    """a = Q R with orthogonal columns in Q and R upper triangular

    (..., n, m) -> (Q (..., n, k), R (..., k, m)), k = min(n, m), a named tuple; k = n for mode "complete"; R alone for
    mode "r". The signs are LAPACK's: R's diagonal may be negative. With M = R gRᵀ - gQᵀ Q, of which the lower triangle
    is mirrored up, the gradient is (gQ + Q M) R⁻ᵀ; it exists where the first k columns are independent, else it raises
    LinAlgError. For n < m the further columns of R are Qᵀ a. Integers give the default float. Raises LinAlgError, a
    ValueError, for fewer than two axes, ValueError for another mode.
    Differs from NumPy: no mode "raw". Differs from PyTorch: "complete" has a gradient for n > m too, through a function
    that does not depend on how the further columns span their space.

    Seeger, Hetzel, Dai and Lawrence (2017), Auto-differentiating linear algebra, arXiv:1710.08717.

    >>> import minitensor as mt
    >>> mt.abs(mt.linalg.qr([[3.0, 1.0], [4.0, 2.0]]).R)
    Tensor float32 (2, 2): [[5. 2.2] [0. 0.4]]
    """
    (a,) = operands(a)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode is 'reduced', 'complete' or 'r'; got {mode!r}")
    n, m = matrices("qr", a)
    if n >= m:
        q, r = qr_tall(a, complete=mode == "complete")
    else:
        q, r = qr_tall(a[..., :n])
        r = concatenate(r, bmm(q.mT, a[..., n:]), axis=-1)
    return r if mode == "r" else (q, r)
