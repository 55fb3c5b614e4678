"""Arithmetic of single bits, for integers and bools; without gradients."""

from __future__ import annotations

from minitensor.backend import Array, is_array, namespace
from minitensor.graph import describe
from minitensor.op import Op, op

__all__ = [
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
]  # fmt: skip


def _whole(name: str, kinds: str, *operands: Array) -> None:
    """Refuse what has no bits to speak of."""
    for x in operands:
        if isinstance(x, float) or (is_array(x) and x.dtype.kind not in kinds):
            what = "integers or bools" if "b" in kinds else "integers"
            raise TypeError(f"{name} takes {what}; got {describe(x)}: convert it with .astype('int64')")


def _bits(name: str, meaning: str, call: str, result: str) -> Op[[Array, Array]]:
    """Declare an op on the bits of two integers, or on two bools."""

    def function(a: Array, b: Array) -> Array:
        _whole(name, "biu", a, b)
        return getattr(namespace(a, b), name)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = {meaning}, bit by bit; of bools, entry by entry

    Shapes broadcast, dtypes meet; without a gradient. Raises TypeError for floats, ValueError if the shapes do not
    broadcast.

    >>> import minitensor as mt
    >>> mt.{call}
    Tensor int64 (2,): {result}
    """
    kind = name.removeprefix("bitwise_").title()
    return op(public=name, onnx=f"Bitwise{kind} {kind}")(function)


bitwise_and = _bits("bitwise_and", "a & b", "bitwise_and([6, 5], 3)", "[2 1]")
bitwise_or = _bits("bitwise_or", "a | b", "bitwise_or([6, 5], 3)", "[7 7]")
bitwise_xor = _bits("bitwise_xor", "a ^ b", "bitwise_xor([6, 5], 3)", "[5 6]")


@op(public="bitwise_not bitwise_invert invert", onnx="BitwiseNot Not")
def bitwise_not(x: Array) -> Array:
    """y = ~x: every bit turned, -x - 1 for a signed integer, not x for a bool

    Any shape, the same dtype out; without a gradient. Raises TypeError for floats.
    Differs from NumPy: also called bitwise_not and bitwise_invert.

    >>> import minitensor as mt
    >>> mt.bitwise_not([0, 5]), mt.bitwise_not([True, False])
    (Tensor int64 (2,): [-1 -6], Tensor bool (2,): [False True])
    """
    _whole("bitwise_not", "biu", x)
    return ~x


def _shift(name: str, function_name: str, meaning: str, result: str) -> Op[[Array, Array]]:
    """Declare a shift of the bits."""

    def function(a: Array, b: Array) -> Array:
        _whole(name, "iu", a, b)
        return getattr(namespace(a, b), function_name)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = {meaning}, for integers; without a gradient

    Shapes broadcast, dtypes meet. What leaves the width of the dtype is lost; a shift by its width or more moves all
    bits out (on the CPU; on a GPU it is what the device makes of it). Raises TypeError for floats and bools, ValueError
    if the shapes do not broadcast.
    Differs from NumPy: also called {name}.

    >>> import minitensor as mt
    >>> mt.{name}([6, -8], 1)
    Tensor int64 (2,): {result}
    """
    return op(public=f"{name} {function_name}")(function)


bitwise_left_shift = _shift("bitwise_left_shift", "left_shift", "a << b = a 2ᵇ", "[ 12 -16]")
bitwise_right_shift = _shift("bitwise_right_shift", "right_shift", "a >> b = ⌊a / 2ᵇ⌋", "[ 3 -4]")
