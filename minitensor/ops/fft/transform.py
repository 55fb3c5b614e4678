"""Discrete Fourier transforms along one axis.

With W_kj = e^(-2πi kj / n), fft is y = W x. W is symmetric, so the rule, a product with Wᵀ, is fft itself: the engine's
conjugates make it the adjoint that users see, the inverse without its 1/n. rfft keeps the bins 0 to n/2 of real x, for
the others are their conjugates; so irfft reads each inner bin twice, and of the bins 0 and n/2 only the real part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minitensor.backend import Array, namespace
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.elementwise.complex_numbers import conj
from minitensor.ops.reductions.axes import wide
from minitensor.ops.shaping.padding import frame
from minitensor.ops.shaping.shape import axes_of, whole

__all__ = ["fft", "ifft", "irfft", "rfft"]

_DUAL = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _points(name: str, shape: Sequence[int], n: int | None, axis: int, norm: str | None) -> int:
    """Return how many points are transformed, refusing none."""
    if norm not in _DUAL:
        raise ValueError(f"{name}: norm is 'backward', 'ortho' or 'forward'; got {norm!r}")
    if not shape:
        raise ValueError(f"{name}: a number has no axis to transform along")
    (axis,) = axes_of(name, axis, len(shape))
    if n is None:
        n = 2 * (shape[axis] - 1) if name.startswith("irfft") else shape[axis]
        given = f"axis {axis} of shape {tuple(shape)}"
    else:
        (n,) = whole(n)
        given = f"n={n}"
    if n < 1:
        raise ValueError(f"{name}: there must be at least one point; got {given}")
    return n


def _transformed(name: str, x: Array, n: int | None, axis: int, norm: str | None) -> Array:
    """Call the array module; where there is no entry, no library is asked."""
    n, x = _points(name, x.shape, n, axis, norm), wide(x)
    if not x.size:
        shape = list(x.shape)
        shape[axis] = n // 2 + 1 if name == "rfft" else n
        width = x.dtype.itemsize // 2 if x.dtype.kind == "c" else x.dtype.itemsize
        return namespace(x).zeros(shape, f"f{width}" if name == "irfft" else f"c{2 * width}")
    return getattr(namespace(x).fft, name)(x, n, axis, norm)


def _fit(x: Array, length: int, axis: int) -> Array:
    """Return x cut off, or filled up with zeros, to a length."""
    (axis,) = axes_of("fft", axis, len(x.shape))
    if x.shape[axis] > length:
        return x[(slice(None),) * axis + (slice(0, length),)]
    missing = length - x.shape[axis]
    return frame(x, width=[(0, missing if i == axis else 0) for i in range(len(x.shape))]) if missing else x


def _weighted(y: Array, n: int, axis: int, inner: float) -> Array:
    """Multiply the half spectrum of n points: the inner bins by a number, those that stand for themselves by 1."""
    (axis,) = axes_of("fft", axis, len(y.shape))
    w = namespace(y.data if isinstance(y, Variable) else y).full(n // 2 + 1, inner, f"f{y.dtype.itemsize // 2}")
    w[0] = 1.0
    if n % 2 == 0:
        w[-1] = 1.0
    return y * w.reshape([-1 if i == axis else 1 for i in range(len(y.shape))])


@op("floating", "complex", public="fft.fft")
def fft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """y_k = Σ_j x_j e^(-2πi jk / n) along one axis, for k = 0 to n - 1

    (..., m, ...) -> (..., n, ...): x is cut off, or filled up with zeros, to n points (m unless given). float32 gives
    complex64, float64 complex128; integers and half precision complex64. norm "backward" leaves the factor 1/n to the
    inverse, "forward" takes it here, "ortho" halves it between them: 1/√n. Raises ValueError for no point.
    Differs from NumPy: integers give complex64. Differs from PyTorch: the axis is called axis; halves are taken.

    >>> import minitensor as mt
    >>> mt.fft.fft([1.0, 0.0, 0.0, 0.0])
    Tensor complex64 (4,): [1.+0.j 1.+0.j 1.+0.j 1.+0.j]
    """
    return _transformed("fft", x, n, axis, norm)


@op("floating", "complex", public="fft.ifft")
def ifft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """y_j = Σ_k x_k e^(+2πi jk / n) / n along one axis: the inverse of `fft`

    Shapes, dtypes, norms and errors as in `fft`.
    Differs from NumPy and PyTorch: as `fft` does.

    >>> import minitensor as mt
    >>> mt.fft.ifft([4.0, 0.0, 0.0, 0.0]).real
    Tensor float32 (4,): [1. 1. 1. 1.]
    """
    return _transformed("ifft", x, n, axis, norm)


@op("floating", public="fft.rfft")
def rfft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """y_k = Σ_j x_j e^(-2πi jk / n) of real x along one axis, for k = 0 to n/2: the others are conjugates of these

    (..., m, ...) -> (..., n // 2 + 1, ...). Dtypes, norms and errors as in `fft`; TypeError for complex numbers.
    Differs from NumPy and PyTorch: as `fft` does.

    >>> import minitensor as mt
    >>> mt.fft.rfft([1.0, 2.0, 1.0, 0.0])
    Tensor complex64 (3,): [4.+0.j 0.-2.j 0.+0.j]
    """
    return _transformed("rfft", x, n, axis, norm)


@op("floating", "complex", public="fft.irfft")
def irfft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """y = the n real numbers whose `rfft` is x along one axis

    (..., m, ...) -> (..., n, ...), n = 2 (m - 1) unless given: pass n where it is odd. complex64 gives float32. The
    imaginary part of bin 0, and of bin n/2 for even n, is ignored, and its gradient is 0. Raises ValueError for no
    point.
    Differs from NumPy and PyTorch: as `fft` does.

    >>> import minitensor as mt
    >>> mt.fft.irfft([4.0, -2j, 0.0])
    Tensor float32 (4,): [1. 2. 1. 0.]
    """
    return _transformed("irfft", x, n, axis, norm)


def _same_rule(transform: Callable[..., Array]) -> Callable[..., Array]:
    def rule(g: Array, x_shape: tuple[int, ...], axis: int, norm: str | None) -> Array:
        return _fit(transform(g, axis=axis, norm=norm), x_shape[axis], axis)

    return rule


def _rfft_rule(g: Array, x_shape: tuple[int, ...], n: int | None, axis: int, norm: str | None) -> Array:
    n = _points("rfft", x_shape, n, axis, norm)
    back = irfft(_weighted(conj(g), n, axis, 0.5), n=n, axis=axis, norm=_DUAL[norm])  # Re Σ_k g_k e^(-2πi jk / n)
    return _fit(back, x_shape[axis], axis)


def _irfft_rule(g: Array, x_shape: tuple[int, ...], n: int | None, axis: int, norm: str | None) -> Array:
    n = _points("irfft", x_shape, n, axis, norm)
    return _fit(_weighted(conj(rfft(g, axis=axis, norm=_DUAL[norm])), n, axis, 2.0), x_shape[axis], axis)


fft.vjp(x=_same_rule(fft))
ifft.vjp(x=_same_rule(ifft))
rfft.vjp(x=_rfft_rule)
irfft.vjp(x=_irfft_rule)
