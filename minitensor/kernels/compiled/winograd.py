"""The transforms of Winograd's convolution F(4x4, 3x3), tile by tile, eight channels at a time.

`minitensor.kernels.cpu.winograd` says what they compute, y = Aᵀ ((G g) ∘ (Bᵀ d)), by products with the Kronecker
squares of its matrices. Written out along one axis after the other, with what the points ±2/3 and ±3/2 share computed
once, a transform takes a tenth of the operations.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Loop, compiled
from minitensor.kernels.compiled.lanes import WIDTH, line
from minitensor.kernels.cpu.winograd import OUT, TAPS, TILE, Tiling, input_weights, transforms

__all__ = ["correlate", "image_gradient", "weight_gradient"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

PLACES = TILE * TILE
P, Q = 2 / 3, 3 / 2  # the points are 0, ±P, ±Q and infinity
P2, Q2, P3, Q3 = P * P, Q * Q, P * P * P, Q * Q * Q


def spread(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Any:
    """Bᵀ d of six entries"""
    even, odd = d4 - Q2 * d2, P * d3 - Q * d1
    other, another = d4 - P2 * d2, Q * d3 - P * d1
    return (
        d0 - (P2 + Q2) * d2 + d4, even + odd, even - odd, other + another, other - another, d1 - (P2 + Q2) * d3 + d5,
    )  # fmt: skip


def gathered(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Aᵀ m of six entries"""
    a, b, c, d = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return m0 + a + c, P * b + Q * d, P2 * a + Q2 * c, P3 * b + Q3 * d + m5


def evaluated(g0: Any, g1: Any, g2: Any, g3: Any) -> Any:
    """A g of four entries"""
    a, b, c, d = g0 + P2 * g2, P * g1 + P3 * g3, g0 + Q2 * g2, Q * g1 + Q3 * g3
    return g0, a + b, a - b, c + d, c - d, g3


transform: Any  # a part, which `of_parts` puts in


@compiled
def transformed(x: Array, y: Array, scratch: Array, counts: Any, places: Any, apart: Any, stride: Any) -> None:
    """Transform each tile of x along one axis into scratch, and along the other into y.

    counts: images, rows and columns of tiles, channels; places: of a tile's side in x and in y. apart, stride: how many
    entries of x, and of y, lie between two images, rows of tiles, columns of tiles, rows of a tile, columns of a tile.
    """
    n, rows, columns, channels = counts
    taken, made = places
    for tile in range(n * rows):
        image, row = tile // rows, tile % rows
        for column in range(columns):
            a = image * apart[0] + row * apart[1] + column * apart[2]
            b = image * stride[0] + row * stride[1] + column * stride[2]
            for c in range(0, channels, WIDTH):
                for i in range(taken):
                    transform(x, a + c + i * apart[4], apart[3], scratch, i * WIDTH, taken * WIDTH)  # noqa: F821
                for i in range(made):
                    transform(scratch, i * taken * WIDTH, WIDTH, y, b + c + i * stride[3], stride[4])  # noqa: F821


to_tiles = transformed.of_parts(transform=line(spread, TILE))
to_images = transformed.of_parts(transform=line(gathered, TILE))
to_gradients = transformed.of_parts(transform=line(evaluated, OUT))


def _run(loop: Loop, x: Array, y: Array, tiling: Tiling, n: int, c: int, taken: int) -> None:
    """Transform n images' tiles of c channels; of x and y one is tiles (36, r, c), the other images."""
    rows, columns = tiling.tiles
    strides = []
    for array in (x, y):
        if array.ndim == 3:
            strides.append((rows * columns * c, columns * c, c, TILE * array.shape[1] * c, array.shape[1] * c))
        else:
            _, h, w, _ = array.shape
            strides.append((h * w * c, OUT * w * c, OUT * c, w * c, c))
    made = TILE if y.ndim == 3 else OUT
    scratch = np.empty(PLACES * WIDTH, x.dtype)
    loop(x.reshape(-1), y.reshape(-1), scratch, (n, rows, columns, c), (taken, made), *strides)


def _tiles(tiling: Tiling) -> Iterator[tuple[slice, int, Array]]:
    """Yield (images, number of tiles r, Bᵀ d of their tiles (36, r, c)); its memory is reused."""
    n, c = len(tiling.x), tiling.x.shape[3]
    padded = tiling.padded()
    memory = np.empty(PLACES * tiling.images * tiling.each * c, padded.dtype)
    for i in range(0, n, tiling.images):
        m = min(tiling.images, n - i)
        tiling.inside(padded)[:m] = tiling.x[i : i + m]
        r = m * tiling.each
        d = memory[: PLACES * r * c].reshape(PLACES, r, c)
        _run(to_tiles, padded, d, tiling, m, c, TILE)
        yield slice(i, i + m), r, d


def _correlate(x: Array, weight: Array, padding: Pair, turned: bool = False) -> Array:
    """(n, h, w, c) with the weight (o, c, 3, 3), turned (c, o, 3, 3) -> (n, h', w', o)"""
    o = weight.shape[turned]
    tiling = Tiling(x, padding, o)
    blocks = input_weights(weight, tiling, turned)
    rows, columns = (OUT * count for count in tiling.tiles)
    y = np.empty((len(x), *tiling.counts, o), x.dtype)
    whole = y.shape[1:3] == (rows, columns)
    memory = np.empty(PLACES * tiling.images * tiling.each * o, x.dtype)
    for images, r, d in _tiles(tiling):
        m = images.stop - images.start
        product = memory[: PLACES * r * o].reshape(PLACES, r, o)
        for outputs, u in blocks:
            np.matmul(d, u, out=product[..., outputs])
        part = y[images] if whole else np.empty((m, rows, columns, o), x.dtype)
        _run(to_images, product, part, tiling, m, o, TILE)
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
    du = None
    memory = np.empty(PLACES * tiling.images * tiling.each * o, x.dtype)
    rows, columns = (OUT * count for count in tiling.tiles)
    whole = g.shape[1:3] == (rows, columns)
    full = g[:0] if whole else np.zeros((tiling.images, rows, columns, o), g.dtype)
    for images, r, d in _tiles(tiling):
        part = g[images]
        if not whole:
            full[: len(part), : g.shape[1], : g.shape[2]] = part
            part = full[: len(part)]
        z = memory[: PLACES * r * o].reshape(PLACES, r, o)
        _run(to_gradients, part, z, tiling, len(part), o, OUT)
        product = z.swapaxes(1, 2) @ d
        du = product if du is None else np.add(du, product, out=du)
    assert du is not None
    taps = transforms(x.dtype)[2]
    return (du.reshape(PLACES, o * c).T @ taps).reshape(o, c, TAPS, TAPS)
