"""Losses that are a sum over the entries of two arrays of one shape: L = Σ value(x, t), dx = g gradient(x, t).

Values are computed and added up in one pass, BLOCK at a time, and the sums of blocks in float64; the gradient is
computed from x and t, and nothing else is kept.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.declaration import Declaration
from minitensor.kernels.compiled.activation import logsigmoid_value
from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import Inlined, Number, compiled, inlined
from minitensor.kernels.compiled.elementary import log, sigmoid
from minitensor.kernels.compiled.layout import BLOCK, flat, flat_as, share
from minitensor.kernels.compiled.piecewise import clipped
from minitensor.ops.loss.binary import binary_cross_entropy_with_logits
from minitensor.ops.loss.likelihood import kl_div
from minitensor.ops.loss.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

Array = np.ndarray

value: Any  # parts, which `of_parts` puts in
gradient: Any


@compiled(sums=True)
def forward(x: Array, t: Array, sums: Array, settings: tuple[float, ...]) -> None:
    """sums = Σ value(x, t) of each BLOCK entries"""
    for k in range(len(sums)):
        start = k * BLOCK
        u, v = x[start : start + BLOCK], t[start : start + BLOCK]
        total = 0.0
        for i in range(u.size):
            total += value(u[i], v[i], *settings)  # noqa: F821
        sums[k] = total


@compiled
def backward(x: Array, t: Array, dx: Array, scale: float, settings: tuple[float, ...]) -> None:
    """dx = scale gradient(x, t)"""
    for i in range(x.size):
        dx[i] = scale * gradient(x[i], t[i], *settings)  # noqa: F821


def summed(value: Inlined, gradient: Inlined, other: Inlined | None = None) -> Callable[..., Any]:
    """Return f(x, t, needs, scale, *settings) -> (scale Σ value, pullback).

    other: the gradient of t; without it dt = -dx.
    """
    ahead, back = forward.of_parts(value=value), backward.of_parts(gradient=gradient)
    aside = backward.of_parts(gradient=other) if other else None

    def run(x: Array, t: Array, needs: tuple[bool, ...], scale: float, *settings: float) -> Any:
        if x.shape != t.shape or x.dtype != t.dtype or not x.size or x.dtype.char not in "fd":
            return NotImplemented  # the plain Python says what is wrong
        entries, targets = flat(x), flat_as(t, x)
        sums = np.empty(-(-x.size // BLOCK), x.dtype)
        share(ahead, (entries, targets), settings, blocks=(sums,), rows=BLOCK)
        y = np.asarray(sums.sum(dtype=np.float64) * scale, x.dtype)

        def pullback(g: Array) -> tuple[Array | None, ...]:
            dx, dt = np.empty_like(x), None
            share(back, (flat(x), flat_as(t, x), flat(dx)), float(g) * scale, settings)
            if needs[1] and aside:
                dt = np.empty_like(x)
                share(aside, (flat(x), flat_as(t, x), flat(dt)), float(g) * scale, settings)
            elif needs[1]:
                dt = -dx
            return (dx if needs[0] else None, dt, *[None] * (len(needs) - 2))

        return y, pullback if any(needs) else None

    return run


def scale_of(reduction: str, x: Array) -> float | None:
    """Return by what the sum of all entries is multiplied; None where it is not wanted."""
    known = {"mean": x.size, "sum": 1, "batchmean": x.shape[0] if x.ndim else 1}
    return 1 / known[reduction] if known.get(reduction) else None


@inlined
def huber(x: Number, t: Number, edge: Number, share: Number) -> Number:
    """c (d - c/2) share, d = x - t, c = d brought into ±edge"""
    d = x - t
    c = clipped(d, -edge, edge)
    return c * (d - 0.5 * c) * share


@inlined
def huber_gradient(x: Number, t: Number, edge: Number, share: Number) -> Number:
    """c share"""
    return clipped(x - t, -edge, edge) * share


@inlined
def squared(x: Number, t: Number) -> Number:
    """(x - t)²"""
    return (x - t) * (x - t)


@inlined
def squared_gradient(x: Number, t: Number) -> Number:
    """2 (x - t)"""
    return 2.0 * (x - t)


@inlined
def distance(x: Number, t: Number) -> Number:
    """|x - t|"""
    return abs(x - t)


@inlined
def distance_gradient(x: Number, t: Number) -> Number:
    """The sign of x - t, 0 where they are equal"""
    d = x - t
    return select(d > 0.0, 1.0, select(d < 0.0, -1.0, 0.0))


@inlined
def binary(x: Number, t: Number) -> Number:
    """(1 - t) x - ln σ(x)"""
    return (1.0 - t) * x - logsigmoid_value(x)


@inlined
def binary_gradient(x: Number, t: Number) -> Number:
    """σ(x) - t"""
    return sigmoid(x) - t


@inlined
def binary_other(x: Number, t: Number) -> Number:
    """-x"""
    return -x


@inlined
def divergence(x: Number, t: Number) -> Number:
    """t ln t - t x, where 0 ln 0 is 0"""
    return t * log(select(t == 0.0, 1.0, t)) - t * x


@inlined
def divergence_gradient(x: Number, t: Number) -> Number:
    """-t"""
    return -t


@inlined
def divergence_other(x: Number, t: Number) -> Number:
    """ln t + 1 - x, or -x at 0"""
    return select(t == 0.0, 0.0, log(t) + 1.0) - x


huber_sum = summed(huber, huber_gradient)
divergence_sum = summed(divergence, divergence_gradient, divergence_other)


def attach(declared: Declaration[Any], run: Callable[..., Any]) -> None:
    """Attach a loss of x and t whose only settings are `reduction` and weights, which it does not take."""

    @declared.fused("compiled")
    def kernel(x: Array, t: Array, *weights: Any, needs: tuple[bool, ...], reduction: str = "mean", **more: Any) -> Any:
        scale = scale_of(reduction, x) if reduction != "batchmean" else None
        if scale is None or any(w is not None for w in (*weights, *more.values())):
            return NotImplemented
        return run(x, t, needs, scale)


attach(mse_loss, summed(squared, squared_gradient))
attach(l1_loss, summed(distance, distance_gradient))
attach(binary_cross_entropy_with_logits, summed(binary, binary_gradient, binary_other))


@smooth_l1_loss.fused("compiled")
def smooth_l1_compiled(
    x: Array, target: Array, *, needs: tuple[bool, ...], reduction: str = "mean", beta: float = 1.0
) -> Any:
    """Run smooth_l1_loss, which is huber_loss / beta."""
    scale = scale_of(reduction, x) if reduction != "batchmean" and beta > 0 else None
    return huber_sum(x, target, needs, scale, float(beta), 1 / beta) if scale is not None else NotImplemented


@huber_loss.fused("compiled")
def huber_compiled(
    x: Array,
    target: Array,
    *,
    needs: tuple[bool, ...],
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Array | None = None,
) -> Any:
    """Run huber_loss without weights."""
    scale = scale_of(reduction, x) if reduction != "batchmean" and delta > 0 and weight is None else None
    return huber_sum(x, target, needs, scale, float(delta), 1.0) if scale is not None else NotImplemented


@kl_div.fused("compiled")
def kl_div_compiled(
    x: Array, target: Array, *, needs: tuple[bool, ...], reduction: str = "mean", log_target: bool = False
) -> Any:
    """Run kl_div."""
    scale = scale_of(reduction, x)
    return NotImplemented if log_target or scale is None else divergence_sum(x, target, needs, scale)
