"""The ops under NumPy's names and signatures: `mt.sum(x, axis=0)`, `mt.concatenate([a, b])`, `mt.einsum("ij->i", a)`.

Each takes Tensors, arrays or numbers and returns Tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import default_generator
from minitensor.ops import elementwise as el
from minitensor.ops import index as ix
from minitensor.ops import linalg, reduce, windows
from minitensor.ops import shape as sh
from minitensor.promotion import default_float
from minitensor.tensor import Tensor

__all__ = [
    "abs", "add", "all", "any", "arange", "argmax", "argmin", "broadcast_to", "clip", "concatenate", "cos",
    "cumsum", "divide", "einsum", "equal", "erf", "exp", "expand_dims", "eye", "flip", "fold", "full", "greater",
    "greater_equal", "isfinite", "less", "less_equal", "log", "log1p", "log_softmax", "logsumexp", "matmul",
    "max", "maximum", "mean", "min", "minimum", "moveaxis", "multiply", "negative", "not_equal", "one_hot",
    "ones", "ones_like", "pad", "permute", "power", "rand", "randn", "relu", "reshape", "sigmoid", "sign", "sin",
    "softmax", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take",
    "take_along_axis", "tanh", "transpose", "unfold", "var", "where", "zeros", "zeros_like",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x)


def _on_tensors(f: Callable[..., Any]) -> Callable[..., Tensor]:
    """Let an op of one or two operands take numbers, lists and arrays too."""

    def call(*xs: Any) -> Tensor:
        return f(_tensor(xs[0]), *xs[1:])  # type: ignore[no-any-return]

    call.__name__ = call.__qualname__ = f.name  # type: ignore[attr-defined]
    call.__doc__ = f.__doc__
    return call


exp, log, log1p, sqrt, square = map(_on_tensors, (el.exp, el.log, el.log1p, el.sqrt, el.square))
sin, cos, tanh, sigmoid, relu, erf, abs = map(
    _on_tensors, (el.sin, el.cos, el.tanh, el.sigmoid, el.relu, el.erf, el.abs)
)
add, subtract, multiply, divide, power = map(_on_tensors, (el.add, el.subtract, el.multiply, el.divide, el.power))
maximum, minimum, negative, sign, isfinite = map(
    _on_tensors, (el.maximum, el.minimum, el.negative, el.sign, el.isfinite)
)
equal, not_equal, less, less_equal = map(_on_tensors, (el.equal, el.not_equal, el.less, el.less_equal))
greater, greater_equal, matmul = map(_on_tensors, (el.greater, el.greater_equal, linalg.matmul))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return a where the condition holds, else b."""
    return el.where(_tensor(condition), a, b)  # type: ignore[no-any-return]


def clip(x: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Return x brought into [min, max]."""
    return el.clip(_tensor(x), min=min, max=max)  # type: ignore[no-any-return]


def _reduction(f: Callable[..., Any]) -> Callable[..., Tensor]:
    def call(x: Any, axis: Axis = None, keepdims: bool = False, **settings: Any) -> Tensor:
        return f(_tensor(x), axis=axis, keepdims=keepdims, **settings)  # type: ignore[no-any-return]

    call.__name__ = call.__qualname__ = f.name  # type: ignore[attr-defined]
    call.__doc__ = f.__doc__
    return call


sum, mean, max, min, any, all = map(
    _reduction, (reduce.sum, reduce.mean, reduce.max, reduce.min, reduce.any, reduce.all)
)
var, std, logsumexp, argmax, argmin = map(
    _reduction, (reduce.var, reduce.std, reduce.logsumexp, reduce.argmax, reduce.argmin)
)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return e^x / Σ e^x along an axis."""
    return reduce.softmax(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Return x - ln Σ e^x along an axis."""
    return reduce.log_softmax(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def cumsum(x: Any, axis: int) -> Tensor:
    """Return the running sum along an axis."""
    return reduce.cumsum(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def reshape(x: Any, shape: int | tuple[int, ...]) -> Tensor:
    """Return the same entries in another shape."""
    return sh.reshape(_tensor(x), shape=shape)  # type: ignore[no-any-return]


def transpose(x: Any, axes: tuple[int, ...] | None = None) -> Tensor:
    """Return x with its axes in another order; None reverses them."""
    return sh.transpose(_tensor(x), axes=axes)  # type: ignore[no-any-return]


permute = transpose


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Return x with two axes exchanged."""
    return sh.swapaxes(_tensor(x), axis1=axis1, axis2=axis2)  # type: ignore[no-any-return]


def moveaxis(x: Any, source: int, destination: int) -> Tensor:
    """Return x with one axis moved."""
    return sh.moveaxis(_tensor(x), source=source, destination=destination)  # type: ignore[no-any-return]


def expand_dims(x: Any, axis: int) -> Tensor:
    """Return x with an axis of length 1 put in."""
    return sh.expand_dims(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def squeeze(x: Any, axis: Axis = None) -> Tensor:
    """Return x without axes of length 1."""
    return sh.squeeze(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Tensor:
    """Return x repeated along axes of length 1 and new leading axes."""
    return sh.broadcast_to(_tensor(x), shape=shape)  # type: ignore[no-any-return]


def flip(x: Any, axis: Axis = None) -> Tensor:
    """Return x with the order along the axes reversed."""
    return sh.flip(_tensor(x), axis=axis)  # type: ignore[no-any-return]


def concatenate(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the operands one after another along an axis."""
    return sh.concatenate(*map(_tensor, xs), axis=axis)  # type: ignore[no-any-return]


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the operands along a new axis."""
    return sh.stack(*map(_tensor, xs), axis=axis)  # type: ignore[no-any-return]


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Return consecutive pieces: equal ones, or cut before the given positions."""
    return sh.split(_tensor(x), sections=sections, axis=axis)  # type: ignore[no-any-return]


def pad(x: Any, pad_width: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Return x with `value` around it: (before, after) for each axis."""
    return sh.pad(_tensor(x), pad_width=tuple(map(tuple, pad_width)), value=value)  # type: ignore[no-any-return]


def take(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """Return the slices of x at integer indices along an axis."""
    return ix.take(_tensor(x), indices, axis=axis)  # type: ignore[no-any-return]


def take_along_axis(x: Any, indices: Any, axis: int) -> Tensor:
    """Return x at the places that `indices` names along an axis, such as argmax's."""
    return ix.take_along_axis(_tensor(x), indices, axis=axis)  # type: ignore[no-any-return]


def one_hot(x: Any, classes: int, dtype: Any = "float32") -> Tensor:
    """Return 1 at position x of a new last axis, 0 elsewhere."""
    return ix.one_hot(_tensor(x), classes=classes, dtype=dtype)  # type: ignore[no-any-return]


def einsum(subscripts: str, *xs: Any) -> Tensor:
    """Return Einstein's sum of the operands, as `numpy.einsum`.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor float32 (2,): [3. 7.]
    """
    return linalg.einsum(*map(_tensor, xs), subscripts=subscripts)  # type: ignore[no-any-return]


def unfold(
    x: Any, size: tuple[int, ...], stride: tuple[int, ...] | None = None, dilation: tuple[int, ...] | None = None
) -> Tensor:
    """Return the windows over the last axes, (..., *lengths) -> (..., *size, *counts); the defaults are 1."""
    ones = (1,) * len(size)
    return windows.unfold(_tensor(x), size=size, stride=stride or ones, dilation=dilation or ones)  # type: ignore[no-any-return]


def fold(
    x: Any, lengths: tuple[int, ...], stride: tuple[int, ...] | None = None, dilation: tuple[int, ...] | None = None
) -> Tensor:
    """Return windows added back where they were read: the adjoint of `unfold`."""
    ones = (1,) * len(lengths)
    return windows.fold(_tensor(x), lengths=lengths, stride=stride or ones, dilation=dilation or ones)  # type: ignore[no-any-return]


# -- new tensors -----------------------------------------------------------------------------------------------------


def zeros(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return zeros."""
    return Tensor(np.zeros(shape, dtype), device=device)


def ones(shape: int | tuple[int, ...], dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return ones."""
    return Tensor(np.ones(shape, dtype), device=device)


def full(shape: int | tuple[int, ...], value: float, dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return one value everywhere."""
    return Tensor(np.full(shape, value, dtype), device=device)


def eye(n: int, dtype: Any = default_float, device: str = "cpu") -> Tensor:
    """Return the unit matrix."""
    return Tensor(np.eye(n, dtype=dtype), device=device)


def arange(*limits: float, dtype: Any = None, device: str = "cpu") -> Tensor:
    """Return evenly spaced numbers as `numpy.arange` does; floats are float32."""
    x = np.arange(*limits, dtype=dtype)
    return Tensor(x.astype(default_float) if dtype is None and x.dtype.kind == "f" else x, device=device)


def zeros_like(x: Tensor) -> Tensor:
    """Return zeros of x's shape, dtype and device."""
    return zeros(x.shape, x.dtype, x.device)


def ones_like(x: Tensor) -> Tensor:
    """Return ones of x's shape, dtype and device."""
    return ones(x.shape, x.dtype, x.device)


def randn(
    *shape: int, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from N(0, 1), made on the host by the default generator or the one passed.

    >>> randn(2, 3, generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return Tensor((generator or default_generator()).standard_normal(shape).astype(dtype), device=device)


def rand(
    *shape: int, dtype: Any = default_float, device: str = "cpu", generator: np.random.Generator | None = None
) -> Tensor:
    """Return draws from the uniform distribution on [0, 1)."""
    return Tensor((generator or default_generator()).random(shape).astype(dtype), device=device)
