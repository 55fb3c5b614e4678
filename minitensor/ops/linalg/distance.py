"""Norms along an axis, and what is made of them: unit vectors, distances, cosines."""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import abs, astype, equal, not_equal, power, sign, sqrt, square, where
from minitensor.ops.linalg.matmul import operands
from minitensor.ops.reductions.reduce import max, sum
from minitensor.ops.shaping.shape import broadcast_to, common_shape
from minitensor.promotion import default_float

__all__ = ["cdist", "cosine_similarity", "normalize", "pairwise_distance", "raised", "vector_norm"]


@op("floating")
def raised(x: Array, least: float) -> Array:
    """y = max(x, least), with the gradient of y = x: a floor that a denominator stands on, not a choice"""
    return namespace(x).maximum(x, least)


raised.vjp(x=lambda g: g)


def vector_norm(x: Array, p: float, dim: int | tuple[int, ...] | None, keepdim: bool) -> Array:
    """Return (Σ |x|ᵖ)^(1/p) along axes, p > 0 or inf, or the number of entries that are not 0 for p = 0.

    The gradient is 0 where x is 0, and where the norm is; ties share the gradient of the largest equally.
    """
    if p == 2:
        total = sum(square(x), axis=dim, keepdims=keepdim)
        zero = equal(total, 0)
        return where(zero, 0.0, sqrt(where(zero, 1.0, total)))
    if p == 1:
        return sum(abs(x), axis=dim, keepdims=keepdim)
    if p == math.inf:
        return max(abs(x), axis=dim, keepdims=keepdim)
    if p == 0:
        return sum(astype(not_equal(x, 0), dtype=x.dtype), axis=dim, keepdims=keepdim)
    if p < 0:
        raise ValueError(f"a norm has p >= 0 or inf; got {p}")
    zero = equal(x, 0)
    total = sum(where(zero, 0.0, power(where(zero, 1.0, abs(x)), float(p))), axis=dim, keepdims=keepdim)
    zero = equal(total, 0)
    return where(zero, 0.0, power(where(zero, 1.0, total), 1 / p))


@composite
def normalize(input: Array, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Array:
    """y = x / max(‖x‖_p, eps) along `dim`: vectors of length 1.

    Any shape, the same out. A vector of zeros stays 0, with the gradient g / eps. p >= 0 or inf.
    Differs from PyTorch: no `out`; a negative p is refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.normalize(mt.Tensor([[3.0, 4.0]]))
    Tensor float32 (1, 2): [[0.6 0.8]]
    """
    norm = vector_norm(input, p, dim, True)
    return input / where(norm < eps, eps, norm)


@composite(autocast="float32")
def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    """y = x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`.

    x1 and x2 broadcast to one shape, which loses the axis `dim`. A vector of zeros gives 0; the floor eps counts as
    the norm itself in the gradient, and the norm's gradient at 0 is 0.

    >>> import minitensor as mt
    >>> mt.nn.functional.cosine_similarity(mt.Tensor([[1.0, 0.0]]), mt.Tensor([[1.0, 1.0]]))
    Tensor float32 (1,): [0.7071]
    """
    shape = np.broadcast_shapes(x1.shape, x2.shape)  # `dim` is an axis of it
    x1, x2 = broadcast_to(x1, shape=shape), broadcast_to(x2, shape=shape)
    n1 = raised(vector_norm(x1, 2, dim, True), least=eps)
    n2 = raised(vector_norm(x2, 2, dim, True), least=eps)
    return sum((x1 / n1) * (x2 / n2), axis=dim)


@composite
def pairwise_distance(x1: Array, x2: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Array:
    """y = ‖x1 - x2 + eps‖_p along the last axis; eps keeps the gradient of equal vectors finite.

    x1 and x2 broadcast to (..., d) -> (...), or (..., 1) with keepdim. p >= 0 or inf.
    Differs from PyTorch: a negative p is refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.pairwise_distance(mt.Tensor([[0.0, 0.0]]), mt.Tensor([[3.0, 4.0]]))
    Tensor float32 (1,): [5.]
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


@composite(public="cdist")
def cdist(x1: Array, x2: Array, p: float = 2.0) -> Array:
    """y[..., i, j] = ‖x1[..., i, :] - x2[..., j, :]‖_p: the distance of each point to each other one

    (..., n, d), (..., m, d) -> (..., n, m); leading axes broadcast. p >= 0 or inf; p = 0 counts the coordinates that
    differ. Integers give the default float. The gradient at points that coincide is 0, of any order; for p = inf,
    coordinates that are equally far share it. Raises ValueError for other shapes, a negative p.
    Differs from NumPy: not there. Differs from PyTorch: it can be differentiated twice; there each of several largest
    coordinates gets the whole gradient; no compute_mode, the differences are always taken.

    >>> import minitensor as mt
    >>> mt.cdist([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]])
    Tensor float32 (2, 1): [[0.] [5.]]
    """
    x1, x2 = (astype(x, dtype=default_float) if x.dtype.kind in "biu" else x for x in operands(x1, x2))
    if len(x1.shape) < 2 or len(x2.shape) < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(
            f"cdist takes points in rows, (..., n, d) and (..., m, d); got shapes {tuple(x1.shape)}, {tuple(x2.shape)}"
        )
    common_shape("cdist", [x1.shape[:-2], x2.shape[:-2]])
    apart = x1[..., :, None, :] - x2[..., None, :, :]  # (..., n, m, d)
    if p == 0:
        return sum(square(sign(apart)), axis=-1)  # of gradient 0
    return vector_norm(apart, p if apart.shape[-1] else 1, -1, False)
