"""Cross-entropy of rows X (n, classes) with a class t for each.

With m the largest entry of a row and Z = Σ_c e^(x_c - m), the loss, its target smoothed by s, and its gradient are

    L = ln Z - (1 - s) (x_t - m) - s mean(x - m)      dx = g (e^(x - m) / Z - s/classes - (1 - s) [c = t])

so that ln softmax is never written down; m and Z are kept.
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled, real
from minitensor.kernels.compiled.elementary import exp
from minitensor.kernels.compiled.layout import BLOCK, packed, share
from minitensor.kernels.compiled.softmax import largest
from minitensor.ops.loss.classification import cross_entropy

Array = np.ndarray


@compiled(sums=True)
def forward(x: Array, target: Array, loss: Array, top: Array, total: Array, smoothing: float) -> None:
    """Write L, m and Z of each row; a target below 0 is ignored, and its loss 0."""
    rows, n = x.shape
    for i in range(rows):
        m = largest(x, i)
        z, sum_d = np.float64(0.0), np.float64(0.0)
        for start in range(0, n, BLOCK):
            part, part_d = 0.0, 0.0
            for j in range(start, min(start + BLOCK, n)):
                d = x[i, j] - m
                part += exp(d)
                part_d += d
            z += part
            sum_d += part_d
        top[i], total[i] = m, z
        t = target[i]
        value = np.log(z) - (1.0 - smoothing) * (x[i, t] - m)
        if smoothing > 0.0:
            value -= smoothing * (sum_d / n)
        loss[i] = value if t >= 0 else 0.0


@compiled
def backward(each: Array, x: Array, target: Array, top: Array, total: Array, dx: Array, smoothing: float) -> None:
    """dx = g (e^(x - m) / Z - s/classes - (1 - s) [c = t]), with g = 0 where the target is ignored"""
    rows, n = x.shape
    share = smoothing / real(n)
    for i in range(rows):
        t, m = target[i], top[i]
        g = each[i] if t >= 0 else real(0.0)
        scale = g / total[i]
        level = g * share
        for j in range(n):
            dx[i, j] = exp(x[i, j] - m) * scale - level
        if t >= 0:
            dx[i, t] -= (1.0 - smoothing) * g


@cross_entropy.fused("compiled")
def cross_entropy_compiled(
    x: Array,
    target: Array,
    weight: Array | None,
    *,
    needs: tuple[bool, ...],
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Run cross_entropy of classes without weights."""
    if x.ndim != 2 or target.shape != x.shape[:1] or target.dtype.kind not in "iu" or weight is not None or not x.size:
        return NotImplemented
    kept = target != ignore_index
    index = np.where(kept, target, -1).astype(np.int64)
    count = int(np.count_nonzero(kept))
    fits = index.max() < x.shape[1] and not np.any(kept & (target < 0)) and 0 <= label_smoothing <= 1
    if not fits or not count or reduction not in ("mean", "sum", "none") or x.dtype.char not in "fd":
        return NotImplemented  # the plain Python says what is wrong
    rows = packed(x)
    loss, top, total = np.empty((3, len(rows)), x.dtype)
    share(forward, (rows, index, loss, top, total), float(label_smoothing))
    divisor = count if reduction == "mean" else 1
    y = loss if reduction == "none" else np.asarray(loss.sum(dtype=np.float64) / divisor, x.dtype)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        each = np.ascontiguousarray(np.broadcast_to(g / np.asarray(divisor, x.dtype), loss.shape), x.dtype)
        dx = np.empty_like(rows)
        share(backward, (packed(each), rows, index, top, total, dx), float(label_smoothing))
        return dx, None, None

    return y, pullback if needs[0] else None
