"""Batch normalisation of images with their channels last, in blocks that stay in the cache; r places in all.

With x̂ = (x - mean)/σ, σ = √(var + eps), and h = g w the gradient of x̂ (Ioffe & Szegedy 2015, section 3):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - Σh/r - x̂ Σ(h x̂)/r) / σ

x is centred first, and again in backward: that costs less than reading it from memory, and rounds less than a mean that
is taken out later. The statistics that are returned beside y have gradients of their own: that of the mean is spread
evenly, that of the variance goes along 2 (x - mean)/r. Where x is a part of a batch (`data_parallel`), r and all sums
but those of dw and db are the whole batch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minitensor.kernels.cpu.layout import channel_sum, to_first, to_last
from minitensor.ops.collective import all_sum
from minitensor.ops.normalisation import batch_norm

Array = np.ndarray[Any, Any]
BLOCK = 65_536  # entries


class _Blocks:
    """A batch (n, h, w, c) as one long array, block by block, with vectors (c,) repeated to a block's length.

    NumPy takes half the time for two arrays of one shape than for one that is broadcast along the other's rows.
    """

    def __init__(self, x: Array) -> None:
        self.c = x.shape[3]
        self.size, self.length = x.size, self.c * max(1, min(BLOCK, x.size) // self.c)

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Yield each block, and what it takes of a buffer or a repeated vector."""
        for start in range(0, self.size, self.length):
            stop = min(start + self.length, self.size)
            yield slice(start, stop), slice(stop - start)

    def repeated(self, *vectors: Array) -> list[Array]:
        """Return vectors (c,) repeated to the length of a block."""
        return [np.tile(v, self.length // self.c) for v in vectors]

    def moment(self, x: Array, other: Array | None, mean: Array) -> Array:
        """Return Σ (x - mean) · other over the places, with x - mean itself for None: (c,)"""
        (middle,) = self.repeated(mean)
        buffer, ones = np.empty_like(middle), np.ones(self.length // self.c, x.dtype)
        total = np.zeros(self.c)  # float64: a sum of many blocks
        for part, here in self:
            d = np.subtract(x[part], middle[here], out=buffer[here])
            np.multiply(d, d if other is None else other[part], out=d)
            places = d.reshape(-1, self.c)
            total += ones[: len(places)] @ places
        return total.astype(x.dtype)


@batch_norm.fused("cpu")
def batch_norm_cpu(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], eps: float = 1e-5
) -> Any:
    """Run batch_norm on images (n, c, h, w); keeps x and the statistics."""
    if x.ndim != 4 or 0 in x.shape:
        return NotImplemented
    images = to_last(x)
    blocks = _Blocks(images)
    flat, c = images.reshape(-1), blocks.c
    count = x.dtype.type(float(all_sum(np.asarray(float(x.size // c)))))
    mean = all_sum(channel_sum(images.reshape(-1, c))) / count
    var = all_sum(blocks.moment(flat, None, mean)) / count
    inverse = 1 / np.sqrt(var + np.asarray(eps, x.dtype))
    scale = inverse if weight is None else weight * inverse
    y = np.empty_like(flat)
    middle, slope, level = blocks.repeated(mean, scale, np.zeros_like(mean) if bias is None else bias)
    for part, here in blocks:
        v = np.subtract(flat[part], middle[here], out=y[part])
        v *= slope[here]
        v += level[here]

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, g_mean, g_var = gradients
        upstream = np.zeros_like(images) if g is None else to_last(g)
        total, g = channel_sum(upstream.reshape(-1, c)), upstream.reshape(-1)
        along = blocks.moment(flat, g, mean) * inverse  # Σ g x̂
        dx, zero = None, np.zeros_like(mean)
        if needs[0]:
            sums = (along, total, zero if g_var is None else g_var, zero if g_mean is None else g_mean)
            all_along, all_total, all_var, all_mean = all_sum(np.stack(sums)) / count
            dx = np.empty_like(flat)
            middle, factor, slope, level = blocks.repeated(
                mean, scale, all_along * inverse * scale - all_var * 2, all_total * scale - all_mean
            )
            buffer = np.empty_like(middle)
            for part, here in blocks:
                d = np.subtract(flat[part], middle[here], out=buffer[here])
                d *= slope[here]
                d += level[here]
                v = np.multiply(g[part], factor[here], out=dx[part])
                v -= d
            dx = to_first(dx.reshape(images.shape))
        return dx, along if weight is not None and needs[1] else None, total if bias is not None and needs[2] else None

    return (to_first(y.reshape(images.shape)), mean, var), pullback
