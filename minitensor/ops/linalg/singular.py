"""Singular values and singular vectors."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import abs, equal, where
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.linalg.matrices import attempt, hardly, matrices, module, rows_of_eye

__all__ = ["svd", "svdvals"]


@op("floating")
def svd(a: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
    """a = U diag(S) Vh: singular values S >= 0, descending, with orthogonal columns in U and rows in Vh

    (..., n, m) -> (U (..., n, n), S (..., k), Vh (..., m, m)), k = min(n, m), a named tuple; with full_matrices=False U
    has k columns and Vh k rows. The sign of each pair of vectors is not determined: a function of U and Vh must not
    depend on it, nor on how the further columns span their space. Where singular values are equal, or 0 for n != m (to
    8 rounding errors of the largest), the vectors are not determined: gradients through S alone are right (of the first
    order), those through such vectors are NaN. Integers give the default float. Raises LinAlgError, a ValueError, for
    fewer than two axes, and for NaN and inf (on a GPU: NaN).
    Differs from NumPy: integers give float32; no compute_uv (for values alone, `svdvals`) and hermitian (`eigh`).
    Differs from PyTorch: nearly equal values count as equal; the gradient through further columns is right, there it is
    left out.

    Townsend (2016), Differentiating the singular value decomposition.

    >>> import minitensor as mt
    >>> mt.linalg.svd([[3.0, 0.0], [0.0, 4.0]]).S
    Tensor float32 (2,): [4. 3.]
    """
    n, m = matrices("svd", a)
    xp = namespace(a)
    k = min(n, m)
    if not a.size:
        u, vh = rows_of_eye(a, n, n if full_matrices else k), rows_of_eye(a, m if full_matrices else k, m)
        return u, xp.zeros((*a.shape[:-2], k), dtype=a.dtype), vh
    return tuple(
        attempt(
            a,
            lambda: xp.linalg.svd(a, full_matrices=full_matrices),
            "svd: LAPACK found no singular values: does a matrix hold NaN or inf?",
        )
    )


def _svd_rule(g: Array, y: Array) -> Array:
    (gu, gs, gvh), (u, s, vh) = g, y
    k = s.shape[-1]
    u1, vh1 = u[..., :k], vh[..., :k, :]
    if 0 in s.shape:
        return bmm(u1, vh1)  # zeros of no entries, or none
    total: Array = 0.0
    if gs is not None:
        total = bmm(u1 * gs[..., None, :], vh1)
    if gu is not None:
        turned, out = _turned(u, gu, s)
        left = bmm(u1, turned * s[..., None, :])  # (..., n, k)
        total = total + bmm(left if out is None else left + _divided(out, s), vh1)
    if gvh is not None:
        turned, out = _turned(vh.mT, gvh.mT, s)
        right = bmm(turned * s[..., :, None], vh1)  # (..., k, m)
        total = total + bmm(u1, right if out is None else right + _divided(out, s).mT)
    return total


def _turned(q: Array, g: Array, s: Array) -> tuple[Array, Array]:
    """How g turns the k singular vectors among themselves, F ∘ (q₁ᵀ g₁ - g₁ᵀ q₁), and out of the space they span.

    F[i, j] = 1 / (sⱼ² - sᵢ²); q₁ and g₁ are the first k columns.
    """
    k = s.shape[-1]
    q1, g1 = q[..., :k], g[..., :k]
    n = bmm(q1.mT, g1)  # (..., k, k)
    apart = s[..., None, :] - s[..., :, None]
    near = hardly(apart, s)
    idle = equal(abs(n) + abs(n.mT), 0)
    unit = module(s).eye(k, dtype=bool)
    squares_apart = where(near, 1.0, apart * (s[..., None, :] + s[..., :, None]))  # sⱼ² - sᵢ²
    turned = (n - n.mT) * where(unit, 0.0, where(near, where(idle, 0.0, math.nan), 1 / squares_apart))
    if q.shape[-2] == k:
        return turned, None
    out = g1 - bmm(q1, n)
    if q.shape[-1] > k:  # the further columns turn the other way
        out = out - bmm(q[..., k:], bmm(g[..., k:].mT, q1))
    return turned, out


def _divided(out: Array, s: Array) -> Array:
    """Return out / s, column by column; where s is 0, NaN, but 0 where out is: nothing asks how that vector turns."""
    none = hardly(s, s)[..., None, :]
    return out * where(none, where(equal(out, 0), 0.0, math.nan), 1 / where(none, 1.0, s[..., None, :]))


svd.vjp(a=_svd_rule)


@composite(public="linalg.svdvals")
def svdvals(x: Array) -> Array:
    """Singular values, descending: how far a matrix stretches, in each of k directions

    (..., n, m) -> (..., k), k = min(n, m). As in `svd`; the gradient U diag(g) Vh exists for equal values too, if g is
    equal for them; its own gradient there is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: nearly equal values count as equal.

    >>> import minitensor as mt
    >>> mt.linalg.svdvals([[3.0, 0.0], [0.0, 4.0]])
    Tensor float32 (2,): [4. 3.]
    """
    (x,) = operands(x)
    return svd(x, full_matrices=False)[1]
