"""Ops that work entry by entry: y = f(x), and the arithmetic of broadcast operands. A file for each kind."""

from minitensor.ops.elementwise.arithmetic import (
    abs,
    add,
    astype,
    copysign,
    divide,
    heaviside,
    lerp,
    multiply,
    negative,
    subtract,
)
from minitensor.ops.elementwise.bitwise import (
    bitwise_and,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
)
from minitensor.ops.elementwise.choice import clip, fmax, fmin, maximum, minimum, nan_to_num, relu, where
from minitensor.ops.elementwise.comparison import (
    equal,
    greater,
    greater_equal,
    isclose,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
)
from minitensor.ops.elementwise.complex_numbers import (
    angle,
    complex,
    conj,
    conjugate,
    imag,
    real,
    view_as_complex,
    view_as_real,
)
from minitensor.ops.elementwise.error_function import erf, erfc, erfinv
from minitensor.ops.elementwise.hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from minitensor.ops.elementwise.powers import hypot, power, reciprocal, rsqrt, sqrt, square
from minitensor.ops.elementwise.rounding import ceil, floor, floor_divide, fmod, remainder, round, sign, trunc
from minitensor.ops.elementwise.transcendental import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logit,
    sigmoid,
    xlogy,
)
from minitensor.ops.elementwise.trigonometric import acos, asin, atan, atan2, cos, sin, tan

__all__ = [
    "abs", "acos", "acosh", "add", "angle", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "complex",
    "conj", "conjugate", "copysign", "cos", "cosh", "divide", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal", "heaviside", "hypot", "imag",
    "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "lerp", "less", "less_equal", "log", "log10",
    "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "logit",
    "maximum", "minimum", "multiply", "nan_to_num", "negative", "not_equal", "power", "real", "reciprocal", "relu",
    "remainder", "round", "rsqrt", "sigmoid", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan",
    "tanh", "trunc", "view_as_complex", "view_as_real", "where", "xlogy",
]  # fmt: skip
