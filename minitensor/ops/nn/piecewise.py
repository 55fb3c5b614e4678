"""Activations with kinks. What the gradient is at a kink is a convention, PyTorch's, and is said at each."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import abs, logical_and, logical_or, where
from minitensor.ops.elementwise.selection import select

__all__ = [
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu6", "softshrink", "threshold",
]  # fmt: skip


@composite
def leaky_relu(input: Array, negative_slope: float = 0.01) -> Array:
    """y = x for x > 0, negative_slope · x for x <= 0; the gradient at 0 is negative_slope.

    Any shape, the same out. Reference: Maas et al. 2013.

    >>> import minitensor as mt
    >>> mt.nn.functional.leaky_relu(mt.Tensor([-1.0, 0.0, 2.0]), 0.1)
    Tensor float32 (3,): [-0.1 0. 2. ]
    """
    return where(input > 0, input, input * negative_slope)


@composite
def prelu(input: Array, weight: Array) -> Array:
    """y = x for x > 0, w x for x <= 0, with a learned w: one for all, or one for each channel (axis 1).

    input (n, c, ...) or any shape if weight has one entry; weight (c,), (1,) or (). The gradient at 0 is w.
    Raises ValueError if weight is neither of one entry nor of the channels. Reference: He et al. 2015.

    >>> import minitensor as mt
    >>> mt.nn.functional.prelu(mt.Tensor([[-1.0, -1.0]]), mt.Tensor([0.1, 0.5]))
    Tensor float32 (1, 2): [[-0.1 -0.5]]
    """
    axes = len(input.shape)
    if weight.shape not in ((), (1,)):
        channels = 1 if axes < 2 else input.shape[1]
        if len(weight.shape) != 1 or weight.shape[0] != channels:
            raise ValueError(f"prelu: weight has one entry, or one for each of {channels} channels; got {weight.shape}")
    if weight.shape:
        weight = weight.reshape((-1, *(1,) * (axes - 2)) if axes > 1 else () if axes == 0 else (-1,))
    return where(input > 0, input, weight * where(input > 0, 0.0, input))  # 0 there, so that inf leaves w alone


@composite
def threshold(input: Array, threshold: float, value: float) -> Array:
    """y = x where x > threshold, else value; the gradient at the threshold is 0.

    Any shape, the same out.

    >>> import minitensor as mt
    >>> mt.nn.functional.threshold(mt.Tensor([-1.0, 0.5, 2.0]), 0.5, 9.0)
    Tensor float32 (3,): [9. 9. 2.]
    """
    return where(input <= threshold, value, input)


@op
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """y = x brought into [min_val, max_val]; the gradient is 0 beyond and, unlike clip's, at the bounds.

    Any shape, the same out. Raises ValueError if min_val > max_val, TypeError for bools, and for unsigned integers with
    a negative bound.

    >>> import minitensor as mt
    >>> mt.nn.functional.hardtanh(mt.Tensor([-3.0, 0.5, 2.0]))
    Tensor float32 (3,): [-1. 0.5 1. ]
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is at most max_val; got {min_val} and {max_val}")
    if input.dtype.kind == "b" or (input.dtype.kind == "u" and min_val < 0):
        raise TypeError(f"hardtanh: an input of {input.dtype} has no entries from {min_val} to {max_val}")
    if input.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    return namespace(input).clip(input, min_val, max_val)


hardtanh.vjp(
    input=lambda g, input, min_val, max_val: where(logical_or(input <= min_val, input >= max_val), 0.0, g),
)


@composite
def relu6(input: Array) -> Array:
    """y = min(max(x, 0), 6); the gradient at 0 and at 6 is 0.

    Any shape, the same out. Reference: Howard et al. 2017.

    >>> import minitensor as mt
    >>> mt.nn.functional.relu6(mt.Tensor([-3.0, 0.5, 8.0]))
    Tensor float32 (3,): [0. 0.5 6. ]
    """
    return hardtanh(input, min_val=0.0, max_val=6.0)


@op("floating")
def hardsigmoid(input: Array) -> Array:
    """y = min(max(x + 3, 0), 6) / 6; the gradient is 0 at ±3.

    Any shape, the same out.
    Differs from PyTorch: it has a second gradient, 0, and 1/6 is not rounded to float32 in the first.

    >>> import minitensor as mt
    >>> mt.nn.functional.hardsigmoid(mt.Tensor([-4.0, 0.0, 1.5]))
    Tensor float32 (3,): [0. 0.5 0.75]
    """
    return namespace(input).clip(input + 3, 0, 6) / 6


hardsigmoid.vjp(input=lambda g, input: where(logical_and(input > -3, input < 3), g / 6, 0.0))


@op("floating")
def hardswish(input: Array) -> Array:
    """y = x min(max(x + 3, 0), 6) / 6; the gradient is 0 at -3 and 1 at 3.

    Any shape, the same out. Reference: Howard et al. 2019.

    >>> import minitensor as mt
    >>> mt.nn.functional.hardswish(mt.Tensor([-4.0, 1.5, 5.0]))
    Tensor float32 (3,): [-0. 1.125 5. ]
    """
    return input * namespace(input).clip(input + 3, 0, 6) / 6


hardswish.vjp(
    input=lambda g, input: where(input <= -3, 0.0, where(input < 3, g * (input / 3 + 0.5), g)),
)


@op("floating")
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """y = x - λ sign(x) where |x| > λ, else 0; the gradient is 0 at ±λ.

    Any shape, the same out; NaN stays NaN. Raises ValueError for a negative λ.

    >>> import minitensor as mt
    >>> mt.nn.functional.softshrink(mt.Tensor([-2.0, 0.5, 1.0]))
    Tensor float32 (3,): [-1.5 0. 0.5]
    """
    if lambd < 0:
        raise ValueError(f"softshrink: lambd is at least 0; got {lambd}")
    xp = namespace(input)
    return select(xp.abs(input) <= lambd, 0, input - lambd * xp.sign(input))


softshrink.vjp(input=lambda g, input, lambd: where(abs(input) <= lambd, 0.0, g))


@composite
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """y = x where |x| > λ, else 0; the gradient is 0 at ±λ.

    Any shape, the same out; NaN stays NaN.

    >>> import minitensor as mt
    >>> mt.nn.functional.hardshrink(mt.Tensor([-2.0, 0.5, 1.0]))
    Tensor float32 (3,): [-2. 0. 1.]
    """
    return where(abs(input) <= lambd, 0.0, input)
