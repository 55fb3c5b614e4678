"""Cross-entropy of rows X (n, classes) with a class t for each, in blocks of rows that stay in the processor's cache.

With d = x - m and Z = Σ_c e^(d_c) for any m, the loss of a row, its target smoothed by s, and its gradient are

    L = ln Z - (1 - s) d_t - s mean(d)      dx = g (e^d / Z - s/classes - (1 - s) [c = t])

so that ln softmax is never written down: e^d is the one large array, and kept.
"""

from __future__ import annotations

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.softmax import BLOCK, powers
from minitensor.ops.loss.classification import cross_entropy

Array = np.ndarray


@cross_entropy.fused("cpu")
def cross_entropy_cpu(
    x: Array,
    target: Array,
    weight: Array | None,
    *,
    needs: tuple[bool, ...],
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Outcome:
    """Run cross_entropy of classes without weights; keeps e^d and Z."""
    if x.ndim != 2 or target.shape != x.shape[:1] or target.dtype.kind not in "iu" or weight is not None or not x.size:
        return NotImplemented
    n, classes = x.shape
    kept = target != ignore_index
    index = np.where(kept, target, 0)
    count = int(np.count_nonzero(kept))
    fits = index.min() >= 0 and index.max() < classes and 0 <= label_smoothing <= 1
    if not fits or not count or reduction not in ("mean", "sum", "none"):
        return NotImplemented  # the plain Python says what is wrong
    step = max(1, BLOCK // classes)
    exponentials = np.empty((n if needs[0] else min(n, step), classes), x.dtype)
    total, level = np.empty((2, n), x.dtype)
    ones, average = np.ones(classes, x.dtype), np.full(classes, label_smoothing / classes, x.dtype)
    for start in range(0, n, step):
        part = slice(start, start + step)
        rows = x[part]
        total[part], m = powers(rows, exponentials[part if needs[0] else slice(len(rows))], ones)
        level[part] = (1 - label_smoothing) * (rows[np.arange(len(rows)), index[part]] - np.ravel(m))
        if label_smoothing:
            level[part] += (rows - m) @ average
    loss = np.where(kept, np.log(total) - level, 0)
    y = loss if reduction == "none" else loss.sum() / (count if reduction == "mean" else 1)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        each = g * kept.astype(x.dtype)  # (n,)
        if reduction == "mean":
            each /= count
        dx = exponentials * (each / total)[:, None]
        if label_smoothing:
            dx -= (each * (label_smoothing / classes))[:, None]
        dx[np.arange(n), index] -= (1 - label_smoothing) * each
        return dx, None, None

    return y, pullback
