"""Discrete Fourier transforms along several axes, one after the other, and the order of their bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from minitensor.backend import Array
from minitensor.composite import Composite, Trait, composite
from minitensor.declaration import P
from minitensor.ops.elementwise.complex_numbers import complex
from minitensor.ops.fft.transform import fft, ifft, irfft, rfft
from minitensor.ops.shaping.order import roll
from minitensor.ops.shaping.shape import axes_of, whole

__all__ = [
    "fft2", "fftn", "fftshift", "ifft2", "ifftn", "ifftshift", "irfft2", "irfftn", "rfft2", "rfftn",
]  # fmt: skip

Axes = int | Sequence[int] | None


def _plan(name: str, ndim: int, s: Axes, axes: Axes, least: int) -> list[tuple[int | None, int]]:
    """Return (points, axis) of each transform: `s` names the last axes unless `axes` does, -1 in it the length."""
    lengths = None if s is None else whole(s)
    if axes is None:
        if lengths is not None and len(lengths) > ndim:
            raise ValueError(f"{name}: s={lengths} names {len(lengths)} lengths; x has {ndim} axes")
        axes = tuple(range(ndim - len(lengths) if lengths is not None else 0, ndim))
    found = axes_of(name, axes, ndim)
    if lengths is None:
        lengths = (-1,) * len(found)
    if len(lengths) != len(found):
        raise ValueError(f"{name}: s={lengths} and axes={axes} must name as many lengths as axes")
    if len(found) < least:
        raise ValueError(f"{name}: there is no axis to transform along")
    return [(None if n == -1 else n, a) for n, a in zip(lengths, found, strict=True)]


def _each(transform: Callable[..., Array], x: Array, plan: list[tuple[int | None, int]], norm: str | None) -> Array:
    for n, axis in plan[::-1]:
        x = transform(x, n=n, axis=axis, norm=norm)
    return x


def _full(name: str, transform: Callable[..., Array], x: Array, s: Axes, axes: Axes, norm: str | None) -> Array:
    plan = _plan(name, len(x.shape), s, axes, 0)
    return _each(transform, x, plan, norm) if plan else x * 1 if x.dtype.kind == "c" else complex(x, 0.0)


@composite("complex", public="fft.fftn")
def fftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """y = `fft` along several axes, all of them unless named

    `s` are the points of each, -1 the axis' own; without `axes` it names the last ones. Dtypes and norms as in `fft`.
    Raises ValueError for no point, an axis named twice, or `s` and `axes` of two lengths.
    Differs from NumPy: an axis named twice is refused. Differs from PyTorch: axes are called axes, not dim.

    >>> import minitensor as mt
    >>> mt.fft.fftn([[1.0, 1.0], [1.0, 1.0]]).real
    Tensor float32 (2, 2): [[4. 0.] [0. 0.]]
    """
    return _full("fftn", fft, x, s, axes, norm)


@composite("complex", public="fft.ifftn")
def ifftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """y = `ifft` along several axes, all of them unless named: the inverse of `fftn`

    Settings, dtypes and errors as in `fftn`.
    Differs from NumPy and PyTorch: as `fftn` does.

    >>> import minitensor as mt
    >>> mt.fft.ifftn([[4.0, 0.0], [0.0, 0.0]]).real
    Tensor float32 (2, 2): [[1. 1.] [1. 1.]]
    """
    return _full("ifftn", ifft, x, s, axes, norm)


@composite(public="fft.rfftn")
def rfftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """y = `rfft` along the last of several axes, `fft` along the others

    Settings and errors as in `fftn`; TypeError for complex numbers, ValueError for no axis.
    Differs from NumPy and PyTorch: as `fftn` does.

    >>> import minitensor as mt
    >>> mt.fft.rfftn(mt.ones((2, 4))).shape
    (2, 3)
    """
    *others, (n, axis) = _plan("rfftn", len(x.shape), s, axes, 1)
    return _each(fft, rfft(x, n=n, axis=axis, norm=norm), others, norm)


@composite("complex", public="fft.irfftn")
def irfftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """y = `ifft` along all but the last of several axes, `irfft` along that: the inverse of `rfftn`

    Without `s` the last axis becomes 2 (m - 1) long. Settings and errors as in `fftn`; ValueError for no axis.
    Differs from NumPy and PyTorch: as `fftn` does.

    >>> import minitensor as mt
    >>> mt.fft.irfftn(mt.fft.rfftn(mt.ones((2, 3))), s=(2, 3))
    Tensor float32 (2, 3): [[1. 1. 1.] [1. 1. 1.]]
    """
    *others, (n, axis) = _plan("irfftn", len(x.shape), s, axes, 1)
    return irfft(_each(ifft, x, others, norm), n=n, axis=axis, norm=norm)


def _of_two(name: str, several: Composite[P], meaning: str, *traits: Trait) -> Composite[P]:
    """Declare the transform along two axes, the last ones unless named."""

    def function(x: Array, s: Axes = None, axes: Axes = (-2, -1), norm: str | None = "backward") -> Array:
        return several.forward(x, s=s, axes=axes, norm=norm)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = {meaning} along two axes, the last ones unless named; see `{several.name}`

    Differs from NumPy and PyTorch: as `{several.name}` does.

    >>> import minitensor as mt
    >>> mt.fft.{name}(mt.ones((2, 3, 4))).shape
    {(2, 3, 3) if name == "rfft2" else (2, 3, 6) if name == "irfft2" else (2, 3, 4)}
    """
    return cast(Composite[P], composite(*traits, public=f"fft.{name}")(function))


fft2 = _of_two("fft2", fftn, "`fft`", "complex")
ifft2 = _of_two("ifft2", ifftn, "`ifft`", "complex")
rfft2 = _of_two("rfft2", rfftn, "`rfft` along the last and `fft` along the other")
irfft2 = _of_two("irfft2", irfftn, "`ifft` along the first and `irfft` along the other", "complex")


# -- the order of bins -----------------------------------------------------------------------------------------------


def _shifted(name: str, x: Array, axes: Axes, sign: int) -> Array:
    n = len(x.shape)
    found = range(n) if axes is None else [axes_of(name, a, n)[0] for a in whole(axes)]  # each as often as it is named
    return roll(x, shift=tuple([sign * (x.shape[a] // 2) for a in found]), axis=tuple(found)) if found else x


@composite("moves", public="fft.fftshift")
def fftshift(x: Array, axes: Axes = None) -> Array:
    """y = x with bin 0 moved to the middle of the axes, all of them unless named

    Any shape and dtype, the same out; of n bins, bin 0 comes to n // 2. Raises IndexError for an axis not there.
    Differs from PyTorch: axes are called axes, not dim.

    >>> import minitensor as mt
    >>> mt.fft.fftshift([0, 1, 2, -2, -1])
    Tensor int64 (5,): [-2 -1 0 1 2]
    """
    return _shifted("fftshift", x, axes, 1)


@composite("moves", public="fft.ifftshift")
def ifftshift(x: Array, axes: Axes = None) -> Array:
    """y = x with the middle of the axes moved to bin 0: the inverse of `fftshift`

    Any shape and dtype, the same out. Raises IndexError for an axis that is not there.
    Differs from PyTorch: axes are called axes, not dim.

    >>> import minitensor as mt
    >>> mt.fft.ifftshift([-2, -1, 0, 1, 2])
    Tensor int64 (5,): [ 0 1 2 -2 -1]
    """
    return _shifted("ifftshift", x, axes, -1)
