"""Questions asked of each entry: comparisons, logic, kinds of numbers. The answers are bools, without a gradient."""

from __future__ import annotations

from typing import Any

from minitensor.backend import Array, namespace
from minitensor.op import Op, Trait, op

__all__ = [
    "equal", "greater", "greater_equal", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal", "signbit",
]  # fmt: skip


def _compare(name: str, sign: str, example: str, *traits: Trait, onnx: str = "") -> Op[[Array, Array]]:
    """Declare one of the six comparisons: what is said of one holds for all."""

    def function(a: Array, b: Array) -> Array:
        return getattr(namespace(a, b), name)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = a {sign} b, entry by entry: bools, without a gradient

    Shapes broadcast, dtypes meet as in arithmetic; the operator {sign} is this. A comparison with NaN is false, and !=
    with it true; 0 and -0 are equal. Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers and a float number meet in float32.

    >>> import minitensor as mt
    >>> mt.{name}([1.0, 2.0, 3.0], 2.0)
    Tensor bool (3,): {example}
    """
    return op(*traits, public=name, onnx=onnx)(function)


equal = _compare("equal", "==", "[False True False]", "complex", onnx="Equal Equal")
not_equal = _compare("not_equal", "!=", "[ True False True]", "complex")
less = _compare("less", "<", "[ True False False]", onnx="Less")
less_equal = _compare("less_equal", "<=", "[ True True False]", onnx="LessOrEqual")
greater = _compare("greater", ">", "[False False True]", onnx="Greater")
greater_equal = _compare("greater_equal", ">=", "[False True True]", onnx="GreaterOrEqual")


def _connect(name: str, meaning: str, example: str) -> Op[[Array, Array]]:
    """Declare one of the connectives of two operands."""

    def function(a: Array, b: Array) -> Array:
        return getattr(namespace(a, b), name)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = {meaning}, entry by entry: bools, without a gradient

    Shapes broadcast; an entry of any dtype counts as true unless it is 0, NaN too. Raises ValueError if the shapes do
    not broadcast.

    >>> import minitensor as mt
    >>> mt.{name}([True, True, False], [2.0, 0.0, 0.0])
    Tensor bool (3,): {example}
    """
    return op("complex", public=name)(function)


logical_and = _connect("logical_and", "a and b", "[ True False False]")
logical_or = _connect("logical_or", "a or b", "[ True True False]")
logical_xor = _connect("logical_xor", "either a or b", "[False True False]")


def _ask(name: str, meaning: str, example: str, edges: str = "") -> Op[[Array]]:
    """Declare a question about one operand."""

    def function(x: Array) -> Array:
        return getattr(namespace(x), name)(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = whether {meaning}: bools, without a gradient

    Any shape and dtype.{edges}

    >>> import minitensor as mt
    >>> mt.{name}([0.0, float("nan"), float("-inf")])
    Tensor bool (3,): {example}
    """
    return op("complex", public=name)(function)


logical_not = _ask("logical_not", "x is 0 or False", "[ True False False]", " NaN is not 0.")
isfinite = _ask("isfinite", "x is neither infinite nor NaN", "[ True False False]", " Integers and bools are.")
isinf = _ask("isinf", "x is inf or -inf", "[False False True]", " Integers and bools are not.")
isnan = _ask("isnan", "x is NaN", "[False True False]", " Integers and bools are not.")


def _ask_sign(name: str, meaning: str, example: str, test: Any) -> Op[[Array]]:
    """Declare a question about infinities or signs, which NumPy does not ask of integers, or CuPy not at all."""

    def function(x: Array) -> Array:
        return test(namespace(x), x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = whether {meaning}: bools, without a gradient

    Any shape and dtype.
    Differs from NumPy: bools and integers are taken.

    >>> import minitensor as mt
    >>> mt.{name}([0.0, float("inf"), float("-inf"), -0.0])
    Tensor bool (4,): {example}
    """
    return op(public=name)(function)


isposinf = _ask_sign("isposinf", "x is inf", "[False True False False]", lambda xp, x: xp.isinf(x) & (x > 0))
isneginf = _ask_sign("isneginf", "x is -inf", "[False False True False]", lambda xp, x: xp.isinf(x) & (x < 0))
signbit = _ask_sign(
    "signbit",
    "x is below 0, -0 included",
    "[False False True True]",
    lambda xp, x: xp.signbit(x) if x.dtype.kind in "fV" else x < 0,
)


@op("complex", public="isclose")
def isclose(a: Array, b: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """y = |a - b| <= atol + rtol |b|, entry by entry: bools, without a gradient

    Shapes broadcast, dtypes meet as in arithmetic. Equal infinities are close, inf is close to nothing else, NaN to
    nothing, unless `equal_nan` makes it close to NaN. Raises ValueError for a negative tolerance.
    Differs from NumPy: a negative tolerance is refused. Differs from PyTorch: two dtypes may meet.

    >>> import minitensor as mt
    >>> mt.isclose([1.0, 2.0], [1.000001, 2.1])
    Tensor bool (2,): [ True False]
    """
    if rtol < 0 or atol < 0:
        raise ValueError(f"isclose: tolerances are at least 0; got rtol={rtol}, atol={atol}")
    return namespace(a, b).isclose(a, b, rtol, atol, equal_nan)
