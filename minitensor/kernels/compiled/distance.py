"""Euclidean distances of points X (n, d) and Z (m, d), without their differences (n, m, d).

With D the distance of two points the gradient of the first is Σ g (x - z) / D over the points z, where D is not 0; that
of the second is the same, with the roles changed. Sums of RUN terms are added up in float64.
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Number, compiled, inlined, real
from minitensor.kernels.compiled.layout import packed, share, turned
from minitensor.ops.linalg.distance import cdist

Array = np.ndarray
RUN = 64


@compiled
def forward(x: Array, y: Array, z: Array) -> None:
    """y (n, m) = ‖x - z‖ of points x (n, d) and z (d, m)"""
    n, d = x.shape
    m = z.shape[1]
    part, total = np.empty(m, x.dtype), np.empty(m, np.float64)
    for i in range(n):
        for j in range(m):
            total[j] = np.float64(0.0)
        for start in range(0, d, RUN):
            for j in range(m):
                part[j] = 0.0
            for c in range(start, min(start + RUN, d)):
                u = x[i, c]
                for j in range(m):
                    part[j] += (u - z[c, j]) * (u - z[c, j])
            for j in range(m):
                total[j] += part[j]
        for j in range(m):
            y[i, j] = real(np.sqrt(total[j]))


@inlined
def share_of(g: Number, y: Number) -> Number:
    """g / y, or 0 where points coincide"""
    return 0.0 if y == 0.0 else g / y


@inlined
def add_points(g: Any, x: Any, y: Any, z: Any, i: Any, start: Any, stop: Any, part: Any) -> None:
    """Add to part what the points z from start to stop give point i: four in a pass over the coordinates."""
    d = part.size
    for j in range(start, stop - 3, 4):
        w0, w1 = share_of(g[i, j], y[i, j]), share_of(g[i, j + 1], y[i, j + 1])
        w2, w3 = share_of(g[i, j + 2], y[i, j + 2]), share_of(g[i, j + 3], y[i, j + 3])
        for c in range(d):
            u = x[i, c]
            a = w0 * (u - z[j, c]) + w1 * (u - z[j + 1, c])
            part[c] += a + (w2 * (u - z[j + 2, c]) + w3 * (u - z[j + 3, c]))
    for j in range(start + (stop - start) // 4 * 4, stop):
        w = share_of(g[i, j], y[i, j])
        for c in range(d):
            part[c] += w * (x[i, c] - z[j, c])


@compiled
def backward(g: Array, x: Array, y: Array, dx: Array, z: Array) -> None:
    """dx (n, d) = Σ g (x - z) / y over the points z (m, d)"""
    n, d = x.shape
    part, total = np.empty(d, x.dtype), np.empty(d, np.float64)
    for i in range(n):
        for c in range(d):
            total[c] = np.float64(0.0)
        for start in range(0, len(z), RUN):
            for c in range(d):
                part[c] = 0.0
            add_points(g, x, y, z, i, start, min(start + RUN, len(z)), part)
            for c in range(d):
                total[c] += part[c]
        for c in range(d):
            dx[i, c] = real(total[c])


@cdist.fused("compiled")
def cdist_compiled(x: Array, z: Array, *, needs: tuple[bool, ...], p: float = 2.0) -> Any:
    """Run cdist for p = 2; keeps the points and the distances."""
    fits = min(x.ndim, z.ndim) >= 2 and x.shape[:-2] == z.shape[:-2] and x.shape[-1] == z.shape[-1]
    if not fits or p != 2 or not x.size or not z.size or x.dtype.char not in "fd" or x.dtype != z.dtype:
        return NotImplemented
    shapes = x.shape, z.shape
    a, b = (packed(v).reshape(-1, *v.shape[-2:]) for v in (x, z))  # batches of points
    y = np.empty((len(a), a.shape[1], b.shape[1]), x.dtype)
    for rows, distances, others in zip(a, y, b, strict=True):
        share(forward, (rows, distances), turned(others))

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dx, dz = np.empty_like(a), np.empty_like(b)
        for k, upstream in enumerate(packed(g).reshape(y.shape)):
            if needs[0]:
                share(backward, (upstream, a[k], y[k], dx[k]), b[k])
            if needs[1]:
                share(backward, (turned(upstream), b[k], turned(y[k]), dz[k]), a[k])
        return dx.reshape(shapes[0]) if needs[0] else None, dz.reshape(shapes[1]) if needs[1] else None

    return y.reshape(*x.shape[:-1], -1), pullback if any(needs) else None
