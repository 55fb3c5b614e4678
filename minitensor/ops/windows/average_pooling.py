"""Average pooling of signals, images and volumes: the mean of each window, and power means."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable, describe
from minitensor.ops.elementwise import abs, astype, not_equal, where
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.shaping.border import border
from minitensor.ops.windows.max_pooling import Setting, geometry, max_pool1d, max_pool2d, max_pool3d
from minitensor.ops.windows.sliding import PerAxis, each, unfold

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]


def _avg_pool(
    name: str,
    n: int,
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    if input.dtype.kind == "b":
        raise TypeError(f"{name} takes numbers; got {describe(input)}")
    lengths, size, stride, padding, ones, counts = geometry(name, n, input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is not None and (not hasattr(divisor_override, "__index__") or not divisor_override):
        raise ValueError(f"{name}: divisor_override is an integer other than 0; got {divisor_override!r}")
    axes = [*zip(lengths, size, stride, padding, counts, strict=True)]
    widths = [(p, (c - 1) * s + k - m - p) for m, k, s, p, c in axes]  # up to the end of the last window
    x = border(input, widths) if any(map(any, widths)) else input
    y = sum(unfold(x, size=size, stride=stride, dilation=ones), axis=tuple(range(-2 * n, -n)))
    divisor: Array = divisor_override
    if divisor is None:
        divisor = [1]
        for m, k, s, p, c in axes:
            spans = [(i * s - p, min(i * s - p + k, m + p)) for i in range(c)]
            count = [b - a if count_include_pad else min(b, m) - max(a, 0) for a, b in spans]
            divisor = [d * e for d in divisor for e in count]
        if len(set(divisor)) == 1:
            divisor = divisor[0]
        else:
            xp = namespace(input.data if isinstance(input, Variable) else input)
            divisor = xp.asarray(divisor, dtype="float64" if y.dtype.kind in "iu" else y.dtype).reshape(counts)
    if y.dtype.kind in "iu":  # rounded towards 0
        return astype(astype(y, dtype="float64") / divisor, dtype=input.dtype)
    return y / divisor


@composite
def avg_pool1d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """y[..., i] = 1/k Σ_p x[..., i·stride + p - padding]; conventions and errors are those of `avg_pool2d`

    (n, c, l) -> (n, c, l'), or without n.

    >>> import minitensor as mt
    >>> mt.nn.functional.avg_pool1d(mt.Tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    Tensor float32 (1, 2): [[2. 1.]]
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@composite
def avg_pool2d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[..., i, j] = 1/(kh kw) Σ_pq x[..., i·stride + p - padding, j·stride + q - padding]

    (n, c, h, w) -> (n, c, h', w'), or without n; h' = (h + 2 padding - k) // stride + 1, rounded up with `ceil_mode`,
    whose last window still starts in x or before it. `stride` None is the kernel's size. Padding counts as zeros in the
    mean, unless `count_include_pad` is False; what a last window has beyond it does not count. `divisor_override` is
    divided by instead. Integers are rounded towards 0. Raises ValueError for padding of more than half the kernel, or
    if no window fits.

    >>> import minitensor as mt
    >>> mt.nn.functional.avg_pool2d(mt.arange(16.0).reshape(1, 4, 4), 2)
    Tensor float32 (1, 2, 2): [[[ 2.5 4.5] [10.5 12.5]]]
    """
    args = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_pool("avg_pool2d", 2, input, *args)


@composite
def avg_pool3d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[..., i] = 1/(kd kh kw) Σ_p x[..., i·stride + p - padding], i and p with one index per axis

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `avg_pool2d`.

    >>> import minitensor as mt
    >>> mt.nn.functional.avg_pool3d(mt.arange(8.0).reshape(1, 2, 2, 2), 2)
    Tensor float32 (1, 1, 1, 1): [[[[3.5]]]]
    """
    args = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_pool("avg_pool3d", 3, input, *args)


def _lp_pool(
    n: int,
    input: Array,
    norm_type: float,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None,
    ceil_mode: bool,
) -> Array:
    name = f"lp_pool{n}d"
    if not norm_type:
        raise ValueError(f"{name}: norm_type is not 0")
    if math.isinf(norm_type):  # the largest absolute value, or the smallest
        sign = 1 if norm_type > 0 else -1
        largest = (max_pool1d, max_pool2d, max_pool3d)[n - 1]
        return sign * largest(sign * abs(input), kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)
    y = _avg_pool(name, n, input**norm_type, kernel_size, stride, 0, ceil_mode, True, None)
    y = where(not_equal(y, 0), y, 0.0)  # no gradient at 0, where that of the root is infinite
    return (y * math.prod(each(name, "kernel_size", kernel_size, n))) ** (1 / norm_type)


@composite
def lp_pool1d(
    input: Array,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Array:
    """y[..., i] = (Σ_p x[..., i·stride + p]^norm)^(1/norm); conventions and errors are those of `lp_pool2d`

    (n, c, l) -> (n, c, l'), or without n.

    >>> import minitensor as mt
    >>> mt.nn.functional.lp_pool1d(mt.Tensor([[3.0, 4.0, 0.0, 0.0]]), 2, 2)
    Tensor float32 (1, 2): [[5. 0.]]
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@composite
def lp_pool2d(
    input: Array,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Array:
    """y[..., i, j] = (Σ_pq x[..., i·stride + p, j·stride + q]^norm)^(1/norm)

    (n, c, h, w) -> (n, c, h', w'), or without n. Norm inf is the largest absolute value; the power is of x itself, so
    an odd norm of negative numbers is NaN. A sum of 0 has gradient 0. With `ceil_mode` a window that reaches beyond the
    end counts as if it were full. Raises ValueError for norm 0, or if no window fits.

    >>> import minitensor as mt
    >>> mt.nn.functional.lp_pool2d(mt.Tensor([[[3.0, 4.0], [0.0, 0.0]]]), 2, (1, 2))
    Tensor float32 (1, 2, 1): [[[5.] [0.]]]
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@composite
def lp_pool3d(
    input: Array,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Array:
    """y[..., i] = (Σ_p x[..., i·stride + p]^norm)^(1/norm), i and p with one index per axis

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `lp_pool2d`.

    >>> import minitensor as mt
    >>> mt.nn.functional.lp_pool3d(mt.ones((1, 2, 2, 1)), 2, (2, 2, 1))
    Tensor float32 (1, 1, 1, 1): [[[[2.]]]]
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
