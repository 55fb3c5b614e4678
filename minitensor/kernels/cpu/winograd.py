"""Convolution of 3x3 with stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36 multiplications where 144 stand.

Four neighboring outputs of a one-dimensional filter g of length 3 need six inputs d. To multiply two polynomials, of
degrees 3 and 2, one may multiply their values at six points and interpolate; transposed (Lavin & Gray 2016), that is

    y = Aᵀ ((G g) ∘ (Bᵀ d)),   A (6, 4) and G (6, 3) the powers of the points,   B (6, 6) the inverse of all six powers

and in two dimensions each transform is applied along both axes: one matrix product with its Kronecker square. What is
left, for each of the 36 places of a tile, is the product over the channels, (tiles, c) @ (c, o). The images' gradient
is such a convolution again, with the weight turned by half a turn; the weight's is the transpose of every step, with
the transformed images computed again instead of being kept.

The price is rounding, which grows with the entries of the transforms. With the points 0, ±2/3, ±3/2 and infinity a
result in float32 is off by about 1e-6 of the largest, five times as much as a plain sum of products
(`mt.set_conv_algorithm`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

OUT, TAPS, TILE = 4, 3, 6
POINTS = np.array([0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2])  # and infinity
CHANNELS = 32  # of images and results at least, to be worth the transforms
ENTRIES = 300_000  # of the transformed images at a time: they and the result stay near the core
PAIRS = 1 << 14  # of channels, whose transformed weights are made at a time where each is read once
ROWS = 64  # tiles at least, for each time that the weights are read


def matrices() -> tuple[Array, Array, Array]:
    """Return A (6, 4), B (6, 6) and G (6, 3).

    >>> a, b, g = matrices()
    >>> d, taps = np.arange(6.0) ** 2, np.array([1.0, -2.0, 3.0])
    >>> np.allclose(a.T @ ((g @ taps) * (b.T @ d)), np.correlate(d, taps, "valid"))
    True
    """

    def powers(count: int) -> Array:
        infinity = np.eye(count)[-1:]  # of a polynomial there: its highest coefficient
        return np.concatenate([np.vander(POINTS, count, increasing=True), infinity])

    differences = POINTS[:, None] - POINTS + np.eye(len(POINTS))
    scale = np.append(differences.prod(axis=1), 1.0)  # what keeps the entries of B and of G near 1
    return powers(OUT), np.linalg.inv(powers(TILE)) * scale, powers(TAPS) / scale[:, None]


@cache
def transforms(dtype: np.dtype) -> tuple[Array, Array, Array]:
    """Return Aᵀ⊗Aᵀ (16, 36), Bᵀ⊗Bᵀ (36, 36) and G⊗G (36, 9)."""
    a, b, g = matrices()
    a, b, g = (np.kron(m, m).astype(dtype) for m in (a.T, b.T, g))
    return a, b, g


def _weights(weight: Array, turned: bool = False) -> Array:
    """(o, c, 3, 3) -> (36, o, c), of the taps first to last, or last to first."""
    o, c = weight.shape[:2]
    matrix = transforms(weight.dtype)[2][:, :: -1 if turned else 1]
    return (matrix @ weight.reshape(o * c, TAPS * TAPS).T).reshape(TILE * TILE, o, c)


class Tiling:
    """How images (n, h, w, c) with a padding fall into tiles whose results lie side by side."""

    def __init__(self, x: Array, padding: Pair, outputs: int) -> None:
        self.x, self.padding = x, padding
        n, h, w, c = x.shape
        self.counts = h + 2 * padding[0] - TAPS + 1, w + 2 * padding[1] - TAPS + 1
        self.tiles = tuple(-(-count // OUT) for count in self.counts)
        self.each = math.prod(self.tiles)
        fitting = max(ENTRIES // (TILE * TILE * max(c, outputs)), ROWS)
        few = n * self.each <= outputs  # the weight is larger than the images: it is what is worked on in blocks
        self.images = n if few else max(1, min(n, fitting // self.each))

    def overlapping(self, padded: Array) -> Array:
        """Return the tiles of padded images as a view, (6, 6, images, rows, columns, c)."""
        a, b, e, f = padded.strides
        shape = TILE, TILE, len(padded), *self.tiles, padded.shape[3]
        return as_strided(padded, shape, (b, e, a, OUT * b, OUT * e, f))

    def padded(self) -> Array:
        """Return zeros for as many images as are worked on at a time, as large as their tiles."""
        rows, columns = self.tiles
        c = self.x.shape[3]
        return np.zeros((self.images, OUT * rows + TILE - OUT, OUT * columns + TILE - OUT, c), self.x.dtype)

    def inside(self, padded: Array) -> Array:
        """Return the part of padded images that is no padding."""
        (p, q), (_, h, w, _) = self.padding, self.x.shape
        return padded[:, p : p + h, q : q + w]

    def transformed(self) -> Iterator[tuple[slice, int, Array]]:
        """Yield (images, number of tiles r, Bᵀ d of their tiles (36, r, c)); its memory is reused."""
        n, c = len(self.x), self.x.shape[3]
        padded = self.padded()
        tiles = self.overlapping(padded)
        copied, product = np.empty((2, TILE * TILE * self.images * self.each * c), self.x.dtype)
        matrix = transforms(self.x.dtype)[1]
        for i in range(0, n, self.images):
            m = min(self.images, n - i)
            self.inside(padded)[:m] = self.x[i : i + m]
            r = m * self.each
            flat, out = (a[: TILE * TILE * r * c].reshape(TILE * TILE, r * c) for a in (copied, product))
            np.copyto(flat.reshape(tiles[:, :, :m].shape), tiles[:, :, :m])
            yield slice(i, i + m), r, np.matmul(matrix, flat, out=out).reshape(TILE * TILE, r, c)

    def placed(self, y: Array) -> Array:
        """Return images (m, 4 rows, 4 columns, o), seen as their tiles (4, 4, m, rows, columns, o)."""
        rows, columns = self.tiles
        return y.reshape(len(y), rows, OUT, columns, OUT, -1).transpose(2, 4, 0, 1, 3, 5)


def input_weights(weight: Array, tiling: Tiling, turned: bool) -> Iterable[tuple[slice, Array]]:
    """Return (outputs, the part of the transformed weight that makes them, (36, c, o)) for all outputs.

    Where images are worked on in chunks the weight is read for each of them: it is a list. Else each part is made when
    it is asked for.
    """

    def transformed(outputs: slice) -> Array:
        return _weights(weight[:, outputs], True) if turned else _weights(weight[outputs]).swapaxes(1, 2)

    o, chunked = weight.shape[turned], tiling.images < len(tiling.x)
    some = o if chunked else max(1, PAIRS // tiling.x.shape[3])
    slices = (slice(i, i + some) for i in range(0, o, some))
    blocks = ((outputs, transformed(outputs)) for outputs in slices)
    return [(outputs, np.ascontiguousarray(u)) for outputs, u in blocks] if chunked else blocks


def _correlate(x: Array, weight: Array, padding: Pair, turned: bool = False) -> Array:
    """(n, h, w, c) with the weight (o, c, 3, 3), turned (c, o, 3, 3) -> (n, h', w', o)"""
    o = weight.shape[turned]
    tiling = Tiling(x, padding, o)
    blocks = input_weights(weight, tiling, turned)
    matrix = transforms(x.dtype)[0]
    rows, columns = (OUT * count for count in tiling.tiles)
    y = np.empty((len(x), *tiling.counts, o), x.dtype)
    whole = y.shape[1:3] == (rows, columns)
    for images, r, d in tiling.transformed():
        part = y[images] if whole else np.empty((images.stop - images.start, rows, columns, o), x.dtype)
        placed = tiling.placed(part)
        for outputs, u in blocks:
            z = matrix @ (d @ u).reshape(TILE * TILE, r * u.shape[2])
            placed[..., outputs] = z.reshape(*placed.shape[:-1], -1)
        if not whole:
            y[images] = part[:, : y.shape[1], : y.shape[2]]
    return y


def correlate(x: Array, weight: Array, padding: Pair) -> Array:
    """(n, h, w, c) with the weight (o, c, 3, 3) -> (n, h', w', o)"""
    return _correlate(x, weight, padding)


def image_gradient(weight: Array, g: Array, padding: Pair) -> Array:
    """Return the gradient of images (n, h, w, c): the convolution of g (n, h', w', o) with the turned weight."""
    return _correlate(g, weight, (TAPS - 1 - padding[0], TAPS - 1 - padding[1]), turned=True)


def weight_gradient(x: Array, g: Array, padding: Pair) -> Array:
    """Return the gradient of the weight (o, c, 3, 3), of images (n, h, w, c) and g (n, h', w', o)."""
    c, o = x.shape[3], g.shape[3]
    tiling = Tiling(x, padding, o)
    out, _, taps = transforms(x.dtype)
    du = None
    rows, columns = (OUT * count for count in tiling.tiles)
    whole = g.shape[1:3] == (rows, columns)
    full = g[:0] if whole else np.zeros((tiling.images, rows, columns, o), g.dtype)
    for images, r, d in tiling.transformed():
        part = g[images]
        if not whole:
            full[: len(part), : g.shape[1], : g.shape[2]] = part
            part = full[: len(part)]
        z = np.ascontiguousarray(tiling.placed(part)).reshape(OUT * OUT, r * o)
        part = (out.T @ z).reshape(TILE * TILE, r, o).swapaxes(1, 2) @ d
        du = part if du is None else np.add(du, part, out=du)
    assert du is not None
    y: Array = (du.reshape(TILE * TILE, o * c).T @ taps).reshape(o, c, TAPS, TAPS)
    return y
