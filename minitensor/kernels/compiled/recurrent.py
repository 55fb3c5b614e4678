"""The pointwise part of an LSTM's steps, gate by gate over rows that stay in the processor's cache.

With a = [i, f, z, o] = [σ(v), σ(v), tanh(v), σ(v)] of the four parts of a row, σ(v) = (1 + tanh(v/2))/2, k = tanh c',
and dh and dc' what later steps ask:

    c' = f c + i z      h = o k
    dc' += dh o (1 - k²)      d = [dc' z i (1 - i), dc' c f (1 - f), dc' i (1 - z²), dh k o (1 - o)]      dc = dc' f
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import compiled
from minitensor.kernels.compiled.elementary import tanh
from minitensor.kernels.compiled.layout import packed
from minitensor.kernels.cpu.recurrent import lstm_by
from minitensor.ops.nn.recurrent import lstm_step, lstm_walk

Array = np.ndarray[Any, Any]


@compiled
def lstm_ahead(a: Array, before: Array, after: Array, y: Array) -> None:
    """Replace v by the gates, and write the next c and h."""
    rows, n = before.shape
    for r in range(rows):
        for j in range(4 * n):
            half = select((j >= 2 * n) & (j < 3 * n), 1.0, 0.5)
            a[r, j] = half * tanh(half * a[r, j]) + (1.0 - half)
        for j in range(n):
            after[r, j] = a[r, n + j] * before[r, j] + a[r, j] * a[r, 2 * n + j]
        for j in range(n):
            y[r, j] = a[r, 3 * n + j] * tanh(after[r, j])


@compiled
def lstm_back(a: Array, before: Array, after: Array, dh: Array, dc: Array, d: Array, h: Array) -> None:
    """Write d and h again, and replace dc by that of the c before."""
    rows, n = before.shape
    k = np.empty(n, a.dtype)
    for r in range(rows):
        for j in range(n):
            k[j] = tanh(after[r, j])
        for j in range(n):
            h[r, j] = a[r, 3 * n + j] * k[j]
        for j in range(n):
            o = a[r, 3 * n + j]
            dc[r, j] += dh[r, j] * (o * (1.0 - k[j] * k[j]))
        for j in range(n):
            o = a[r, 3 * n + j]
            d[r, 3 * n + j] = dh[r, j] * k[j] * (o * (1.0 - o))
        for j in range(n):
            i = a[r, j]
            d[r, j] = dc[r, j] * a[r, 2 * n + j] * (i * (1.0 - i))
        for j in range(n):
            z = a[r, 2 * n + j]
            d[r, 2 * n + j] = dc[r, j] * a[r, j] * (1.0 - z * z)
        for j in range(n):
            f = a[r, n + j]
            d[r, n + j] = dc[r, j] * before[r, j] * (f * (1.0 - f))
        for j in range(n):
            dc[r, j] *= a[r, n + j]


class LstmLoops:
    """What `LstmSteps` is in NumPy."""

    def __init__(self, batch: int, n: int, dtype: Any) -> None:
        self.ahead, self.back = lstm_ahead, lstm_back


@lstm_walk.fused("compiled")
def lstm_compiled(
    x: Array, weight: Array, h: Array, c: Array, *, needs: tuple[bool, ...], reverse: bool = False
) -> Any:
    """Run all steps of an LSTM; keeps the gates and c."""
    return lstm_by(LstmLoops, x, weight, h, c, needs, reverse) if x.dtype.char in "fd" else NotImplemented


@lstm_step.fused("compiled")
def lstm_step_compiled(gates: Array, cell: Array, *, needs: tuple[bool, ...]) -> Any:
    """Run one step; keeps the gates, c and the next c."""
    n = cell.shape[-1] if cell.ndim else 0
    if not cell.size or gates.shape != (*cell.shape[:-1], 4 * n) or cell.dtype.char not in "fd":
        return NotImplemented
    shape = cell.shape
    a, before = np.array(gates, order="C").reshape(-1, 4 * n), packed(cell).reshape(-1, n)
    after, y = np.empty((2, *before.shape), cell.dtype)
    lstm_ahead(a, before, after, y)

    def pullback(g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        dh, dc = (np.zeros_like(before) if v is None else np.array(v, order="C").reshape(-1, n) for v in g)
        d = np.empty_like(a)
        lstm_back(a, before, after, dh, dc, d, np.empty_like(before))
        return d.reshape(*shape[:-1], 4 * n), dc.reshape(shape)

    return (y.reshape(shape), after.reshape(shape)), pullback if any(needs) else None
