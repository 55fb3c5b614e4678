"""Determinants. They are polynomials of the entries, so their derivatives exist at singular matrices too.

With the singular values a = u diag(s) vᵀ, det a = ± s₁ s₂ ... sₙ, and each derivative is a product of the singular
values that are left, which needs no division: the gradient leaves out one, the second derivative two.
"""

from __future__ import annotations

import math
from types import ModuleType

from minitensor.backend import Array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.rounding import nothing
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.linalg.matrices import square
from minitensor.ops.linalg.solving import inverse
from minitensor.ops.reductions.reduce import sum

__all__ = ["cofactor", "cofactor_along", "det", "slogdet"]


def _singular(xp: ModuleType, x: Array) -> tuple[Array, Array, Array]:
    """Return u, s, vᵀ with det u det v = 1; s and u are NaN where x is not finite."""
    finite = xp.isfinite(x).all(axis=(-2, -1))
    u, s, vt = xp.linalg.svd(xp.where(finite[..., None, None], x, xp.zeros_like(x)), full_matrices=False)
    sign = xp.where(xp.linalg.det(u @ vt) < 0, -1, 1).astype(x.dtype)
    u = xp.concatenate([u[..., :1] * sign[..., None, None], u[..., 1:]], axis=-1)  # the first s takes the sign
    s = xp.concatenate([s[..., :1] * sign[..., None], s[..., 1:]], axis=-1)
    return u, xp.where(finite[..., None], s, math.nan), vt


def _others(xp: ModuleType, s: Array) -> Array:
    """Return Π of all other entries, for each along the last axis."""
    one = xp.ones_like(s[..., :1])
    before = xp.cumprod(xp.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = xp.cumprod(xp.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


@op("floating", public="linalg.det", onnx="Det")
def det(a: Array) -> Array:
    """y = det a, the factor by which a scales volumes

    (..., n, n) -> (...); of the (0, 0) matrix it is 1. The gradient is the matrix of cofactors, from the singular
    values without a division: right at singular matrices too, at the first and the second order (the third is NaN
    there). Integers give the default float; NaN gives NaN, with NumPy's warning. Raises LinAlgError, a ValueError, for
    matrices that are not square.
    Differs from NumPy: integers give float32. Differs from PyTorch: at some singular matrices its gradient is 0 unless
    `create_graph`.

    Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2.2.4.

    >>> import minitensor as mt
    >>> mt.linalg.det([[1.0, 2.0], [3.0, 4.0]])
    Tensor float32 (): -2.
    """
    xp = namespace(a)
    return xp.linalg.det(a) if square("det", a) and a.size else xp.ones(a.shape[:-2], dtype=a.dtype)


@op("floating")
def cofactor(x: Array) -> Array:
    """y = ∂ det x / ∂ x, which is det(x) x⁻ᵀ where x has an inverse"""
    xp = namespace(x)
    if not x.size:
        return x.copy()
    u, s, vt = _singular(xp, x)
    return (u * _others(xp, s)[..., None, :]) @ vt


@op("floating")
def cofactor_along(x: Array, v: Array) -> Array:
    """y[i, j] = Σ ∂² det x / (∂ x[i, j] ∂ x[k, l]) v[k, l]: how the cofactors change along v"""
    xp = namespace(x)
    n = x.shape[-1]
    if not x.size:
        return x.copy()
    u, s, vt = _singular(xp, x)
    unit = xp.eye(n, dtype=bool)
    pairs = xp.where(unit, 0.0, _others(xp, xp.where(unit, 1.0, s[..., None, :])))  # Π of all but two: (..., n, n)
    turned = u.mT @ v @ vt.mT
    own = (pairs @ xp.diagonal(turned, axis1=-2, axis2=-1)[..., None])[..., 0]  # (..., n)
    middle = xp.where(unit, own[..., None, :], -pairs * turned.mT)
    return (u @ middle @ vt).astype(x.dtype, copy=False)


def _third(g: Array, x: Array, v: Array) -> Array:
    """The third derivative of det, along v and g, where x has an inverse; NaN elsewhere."""
    h = inverse(x, instead=math.nan).mT
    hv, hg = bmm(bmm(h, v.mT), h), bmm(bmm(h, g.mT), h)
    sv, sg = (sum(h * w, axis=(-2, -1), keepdims=True) for w in (v, g))
    sgv = sum(g * hv, axis=(-2, -1), keepdims=True)
    mixed = bmm(bmm(hv, g.mT), h) + bmm(bmm(hg, v.mT), h)
    return det(x)[..., None, None] * ((sv * sg - sgv) * h - sg * hv - sv * hg + mixed)


det.vjp(a=lambda g, a: g[..., None, None] * cofactor(a))
cofactor.vjp(x=lambda g, x: cofactor_along(x, g))
cofactor_along.vjp(x=_third, v=lambda g, x: cofactor_along(x, g))  # second derivatives are symmetric


@op("floating")
def slogdet(a: Array) -> tuple[Array, Array]:
    """The sign of det a and log |det a|, which neither over- nor underflows

    (..., n, n) -> (sign (...), logabsdet (...)), a named tuple; a singular matrix has sign 0 and -inf. The gradient of
    logabsdet is a⁻ᵀ, and NaN for a singular matrix; that of the sign is 0. Integers give the default float. Raises
    LinAlgError, a ValueError, for matrices that are not square.
    Differs from NumPy: integers give float32. Differs from PyTorch: for a singular matrix it is NaN, not ±inf.

    >>> import minitensor as mt
    >>> mt.linalg.slogdet([[1.0, 2.0], [3.0, 4.0]]).logabsdet
    Tensor float32 (): 0.6931
    """
    xp = namespace(a)
    if not square("slogdet", a) or not a.size:
        return xp.ones(a.shape[:-2], dtype=a.dtype), xp.zeros(a.shape[:-2], dtype=a.dtype)
    return tuple(xp.linalg.slogdet(a))


def _slogdet_rule(g: Array, a: Array) -> Array:
    return nothing(a) if g[1] is None else g[1][..., None, None] * inverse(a, instead=math.nan).mT


slogdet.vjp(a=_slogdet_rule)
