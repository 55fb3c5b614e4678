"""Channels and pixels that change places."""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import describe
from minitensor.ops.windows.sliding import each

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


@composite("moves")
def pixel_shuffle(input: Array, upscale_factor: int) -> Array:
    """y[..., c, h·r + i, w·r + j] = x[..., c·r² + i·r + j, h, w]: channels become pixels, r the upscale_factor

    (..., c r², h, w) -> (..., c, h r, w r). Raises ValueError unless r² divides the channels. Reference: Shi et al.
    2016.

    >>> import minitensor as mt
    >>> mt.nn.functional.pixel_shuffle(mt.arange(4).reshape(4, 1, 1), 2)
    Tensor int64 (1, 2, 2): [[[0 1] [2 3]]]
    """
    (r,) = each("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    if len(input.shape) < 3 or input.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle takes (..., c · {r * r}, h, w); got {describe(input)}")
    *lead, c, h, w = input.shape
    n = len(lead)
    x = input.reshape((*lead, c // (r * r), r, r, h, w))
    return x.transpose((*range(n), n, n + 3, n + 1, n + 4, n + 2)).reshape((*lead, c // (r * r), h * r, w * r))


@composite("moves")
def pixel_unshuffle(input: Array, downscale_factor: int) -> Array:
    """y[..., c·r² + i·r + j, h, w] = x[..., c, h·r + i, w·r + j]: pixels become channels, r the downscale_factor

    (..., c, h r, w r) -> (..., c r², h, w), what `pixel_shuffle` undoes. Raises ValueError unless r divides both
    lengths.

    >>> import minitensor as mt
    >>> mt.nn.functional.pixel_unshuffle(mt.arange(4).reshape(1, 2, 2), 2).tolist()
    [[[0]], [[1]], [[2]], [[3]]]
    """
    (r,) = each("pixel_unshuffle", "downscale_factor", downscale_factor, 1)
    if len(input.shape) < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ValueError(f"pixel_unshuffle takes (..., c, h · {r}, w · {r}); got {describe(input)}")
    *lead, c, h, w = input.shape
    n = len(lead)
    x = input.reshape((*lead, c, h // r, r, w // r, r))
    return x.transpose((*range(n), n, n + 2, n + 4, n + 1, n + 3)).reshape((*lead, c * r * r, h // r, w // r))


@composite("moves")
def channel_shuffle(input: Array, groups: int) -> Array:
    """y[n, k·g + i] = x[n, i·c/g + k]: the channels of g groups dealt out in turn

    (n, c, ...), the same out. Raises ValueError unless there are 3 axes or more, and the groups divide the channels.
    Reference: Zhang et al. 2018 (ShuffleNet).

    >>> import minitensor as mt
    >>> mt.nn.functional.channel_shuffle(mt.arange(4).reshape(1, 4, 1), 2).tolist()
    [[[0], [2], [1], [3]]]
    """
    (g,) = each("channel_shuffle", "groups", groups, 1)
    if len(input.shape) < 3 or input.shape[1] % g:
        raise ValueError(f"channel_shuffle takes (n, c, ...) with {g} equal groups of channels; got {describe(input)}")
    n, c, *rest = input.shape
    return input.reshape((n, g, c // g, *rest)).swapaxes(1, 2).reshape((n, c, *rest))
