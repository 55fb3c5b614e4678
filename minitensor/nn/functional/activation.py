"""Activation functions, with PyTorch's names, argument order and defaults. What each does stands at its op.

Where PyTorch has `inplace`, it is taken and changes nothing: the result is a new Tensor.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.declaration import P
from minitensor.functions.operands import plain_settings, public, tensor
from minitensor.generators import generator_of
from minitensor.graph import describe
from minitensor.ops import elementwise
from minitensor.ops.nn import activation, gated, piecewise
from minitensor.ops.nn import softmax as soft
from minitensor.tensor import Tensor

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
    "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "swiglu", "tanh", "tanhshrink", "threshold",
]  # fmt: skip


def _check_floats(name: str, x: Any) -> None:
    """Refuse integers and bools, as PyTorch does: they are more often a mistake than meant."""
    x = tensor(x)
    if x.dtype.kind in "biu":
        raise TypeError(f"{name} takes floats; got {describe(x)}: use .astype('float32')")


def _of_floats(call: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Return the function, which takes floats only."""

    @functools.wraps(call)
    def checked(*args: P.args, **settings: P.kwargs) -> Tensor:
        operand: Any = args[0] if args else settings.get("input")
        if operand is not None:
            _check_floats(call.__name__, operand)
        return call(*args, **settings)

    return checked


def _or_in_place(function: Any) -> Callable[..., Tensor]:
    """Return the public function, which takes PyTorch's `inplace` as its last parameter and makes nothing of it."""
    call: Any = public(function)
    count = len(function.arguments) + len(function.defaults)

    def either(*args: Any, inplace: bool = False, **settings: Any) -> Any:
        return call(*args[:count], **settings) if len(args) == count + 1 else call(*args, **settings)

    signature = inspect.signature(call)
    last = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
    vars(either)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), last])
    either.__name__ = either.__qualname__ = function.name
    either.__module__, either.__doc__ = "minitensor", function.__doc__
    return either


celu = _of_floats(_or_in_place(activation.celu))
elu = _of_floats(_or_in_place(activation.elu))
gelu = _of_floats(public(activation.gelu))
glu = _of_floats(public(gated.glu))
hardshrink = _of_floats(public(piecewise.hardshrink))
hardsigmoid = _of_floats(_or_in_place(piecewise.hardsigmoid))
hardswish = _of_floats(_or_in_place(piecewise.hardswish))
hardtanh = _or_in_place(piecewise.hardtanh)
leaky_relu = _of_floats(_or_in_place(piecewise.leaky_relu))
logsigmoid = _of_floats(public(activation.logsigmoid))
mish = _of_floats(_or_in_place(activation.mish))
prelu = _of_floats(public(piecewise.prelu))
relu6 = _or_in_place(piecewise.relu6)
selu = _of_floats(_or_in_place(activation.selu))
silu = _of_floats(_or_in_place(activation.silu))
softplus = _of_floats(public(activation.softplus))
softshrink = _of_floats(public(piecewise.softshrink))
softsign = public(activation.softsign)
swiglu = _of_floats(public(gated.swiglu))
tanhshrink = public(activation.tanhshrink)
threshold = _or_in_place(piecewise.threshold)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0); the gradient at 0 is 0.

    Any shape and dtype, the same out.
    Differs from PyTorch: inplace=True changes nothing, the result is a new Tensor.

    >>> relu(Tensor([-1.0, 0.0, 2.0]))
    Tensor float32 (3,): [0. 0. 2.]
    """
    return elementwise.relu(tensor(input))


def sigmoid(input: Tensor) -> Tensor:
    """Return σ(x) = 1 / (1 + e⁻ˣ), which overflows for no x.

    Any shape, the same out; integers give the default float.

    >>> sigmoid(Tensor([-1000.0, 0.0, 1.0]))
    Tensor float32 (3,): [0. 0.5 0.7311]
    """
    return elementwise.sigmoid(tensor(input))


def tanh(input: Tensor) -> Tensor:
    """Return tanh x.

    Any shape, the same out; integers give the default float.

    >>> tanh(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.7616 0. 0.7616]
    """
    return elementwise.tanh(tensor(input))


def _axis(name: str, dim: int | None, x: Tensor) -> int:
    """Return the axis of a softmax; None picks what PyTorch picks."""
    plain_settings(name, dim=dim)
    return operator.index(dim) if dim is not None else 0 if len(x.shape) in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, *, dtype: DTypeLike | None = None) -> Tensor:
    """Return e^x / Σ e^x along `dim`, computed in `dtype` if one is given.

    Any shape, the same out. dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1. All of -inf gives NaN.
    Raises TypeError for integers, and for several axes.
    Differs from PyTorch: no warning if dim is None.

    >>> softmax(Tensor([0.0, 0.0, 1000.0]), dim=0)
    Tensor float32 (3,): [0. 0. 1.]
    """
    x = tensor(input) if dtype is None else tensor(input).astype(dtype)
    _check_floats("softmax", x)
    if not x.shape:  # one number is a lane of its own
        return softmax(x.reshape(1), dim).reshape(())
    return soft.softmax(x, axis=_axis("softmax", dim, x))


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: DTypeLike | None = None) -> Tensor:
    """Return x - ln Σ e^x along `dim`, computed in `dtype` if one is given.

    Any shape, the same out. dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1. All of -inf gives NaN.
    Raises TypeError for integers, and for several axes.
    Differs from PyTorch: no warning if dim is None.

    >>> log_softmax(Tensor([0.0, 0.0, 1000.0]), dim=0)
    Tensor float32 (3,): [-1000. -1000. 0.]
    """
    x = tensor(input) if dtype is None else tensor(input).astype(dtype)
    _check_floats("log_softmax", x)
    if not x.shape:
        return log_softmax(x.reshape(1), dim).reshape(())
    return soft.log_softmax(x, axis=_axis("log_softmax", dim, x))


def softmin(input: Tensor, dim: int | None = None, *, dtype: DTypeLike | None = None) -> Tensor:
    """Return the softmax of -x along `dim`: the smallest entry gets the most.

    Any shape, the same out. dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1.
    Raises TypeError for integers, and for several axes.
    Differs from PyTorch: no warning if dim is None.

    >>> softmin(Tensor([0.0, 0.0, 1000.0]), dim=0)
    Tensor float32 (3,): [0.5 0.5 0. ]
    """
    x = tensor(input) if dtype is None else tensor(input).astype(dtype)
    _check_floats("softmin", x)
    plain_settings("softmin", dim=dim)
    return softmax(-x, dim)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Return x for x > 0, a x for x <= 0, with a drawn in training from the uniform distribution on [lower, upper).

    Any shape, the same out. Outside training a = (lower + upper) / 2. Raises ValueError if lower > upper.
    Reference: Xu et al. 2015. Differs from PyTorch: the slopes are drawn on the host, by `generator` or the default.

    >>> rrelu(Tensor([-8.0, 8.0]), 0.25, 0.75)
    Tensor float32 (2,): [-4. 8.]
    """
    plain_settings("rrelu", lower=lower, upper=upper)
    if lower > upper:
        raise ValueError(f"rrelu: lower is at most upper; got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slopes = generator_of(generator).uniform(lower, upper, input.shape).astype(input.dtype)
    return elementwise.where(input > 0, input, input * Tensor(slopes, device=input.device))
