"""PyTorch's unfold and fold: windows of images as columns of a matrix (im2col), and back (col2im)."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import describe
from minitensor.ops.shaping.border import border
from minitensor.ops.windows import sliding
from minitensor.ops.windows.sliding import each, window_count

__all__ = ["fold", "unfold"]

Setting = int | tuple[int, ...]


@composite("moves")
def unfold(
    input: Array, kernel_size: Setting, dilation: Setting = 1, padding: Setting = 0, stride: Setting = 1
) -> Array:
    """y[n, (c, p, q), (i, j)] = x[n, c, i·stride + p·dilation - padding, j·stride + q·dilation - padding]

    (n, c, h, w) -> (n, c kh kw, h' w'), or without n: each window a column (im2col). h' is that of `conv2d`; padding is
    of zeros. Raises ValueError for other shapes, or if no window fits.
    Differs from NumPy: not there; `mt.unfold` keeps the axes apart. Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.nn.functional.unfold(mt.arange(6.0).reshape(1, 2, 3), 2)
    Tensor float32 (4, 2): [[0. 1.] [1. 2.] [3. 4.] [4. 5.]]
    """
    if len(input.shape) not in (3, 4) or 0 in input.shape[-3:]:
        raise ValueError(f"unfold takes images (n, c, h, w) or (c, h, w) that are not empty; got {describe(input)}")
    if len(input.shape) == 3:
        return unfold(input[None], kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)[0]
    names = {"kernel_size": kernel_size, "dilation": dilation, "stride": stride}
    size, d, s = (each("unfold", k, v, 2) for k, v in names.items())
    widths = [(p, p) for p in each("unfold", "padding", padding, 2, least=0)]
    x = border(input, widths) if any(map(any, widths)) else input
    y = sliding.unfold(x, size=size, stride=s, dilation=d)  # (n, c, kh, kw, h', w')
    return y.reshape((y.shape[0], math.prod(y.shape[1:4]), math.prod(y.shape[4:])))


@composite("complex")
def fold(
    input: Array,
    output_size: Setting,
    kernel_size: Setting,
    dilation: Setting = 1,
    padding: Setting = 0,
    stride: Setting = 1,
) -> Array:
    """y = the columns of `unfold` added back where they were read, in images of `output_size`: its adjoint (col2im)

    (n, c kh kw, h' w') -> (n, c, h, w), or without n; what was read of the padding is dropped. Raises ValueError if the
    columns are not those that `unfold` makes of images of this size.
    Differs from NumPy: not there. Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.nn.functional.fold(mt.ones((4, 2)), (2, 3), 2)
    Tensor float32 (1, 2, 3): [[[1. 2. 1.] [1. 2. 1.]]]
    """
    if len(input.shape) not in (2, 3) or 0 in input.shape[-2:]:
        raise ValueError(f"fold takes columns (n, c kh kw, count) or without n, not empty; got {describe(input)}")
    if len(input.shape) == 2:
        settings = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
        return fold(input[None], output_size=output_size, **settings)[0]
    names = {"output_size": output_size, "kernel_size": kernel_size, "dilation": dilation, "stride": stride}
    lengths, size, d, s = (each("fold", k, v, 2) for k, v in names.items())
    p = each("fold", "padding", padding, 2, least=0)
    full = tuple(n + 2 * a for n, a in zip(lengths, p, strict=True))
    counts = tuple(window_count(*a) for a in zip(full, size, s, d, strict=True))
    n, rows, columns = input.shape
    if rows % math.prod(size) or min(counts) < 1 or math.prod(counts) != columns:
        raise ValueError(
            f"fold: images {lengths} with padding {p} have {counts} windows of {math.prod(size)} entries; "
            f"the input has {columns} columns of {rows}"
        )
    y = sliding.fold(input.reshape((n, rows // math.prod(size), *size, *counts)), lengths=full, stride=s, dilation=d)
    return border(y, [(-a, -a) for a in p]) if any(p) else y
