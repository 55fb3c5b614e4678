"""Functions of each entry, under NumPy's names. What each does stands at its op."""

from typing import Any

from minitensor.functions.operands import public, tensor
from minitensor.ops import elementwise as el
from minitensor.ops.elementwise import gamma
from minitensor.ops.nn.activation import softplus as _softplus
from minitensor.ops.reductions import counting
from minitensor.ops.reductions import reduce as red
from minitensor.promotion import default_complex, default_float
from minitensor.tensor import Tensor

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "allclose", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "copysign",
    "cos", "cosh", "digamma", "divide", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal", "heaviside", "hypot", "invert", "isclose",
    "isfinite", "isinf", "isnan", "isneginf", "isposinf", "left_shift", "lerp", "less", "less_equal", "lgamma", "log",
    "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "maximum", "minimum", "mod", "multiply", "nan_to_num", "negative", "not_equal", "polygamma", "pow",
    "power", "reciprocal", "relu", "remainder", "right_shift", "round", "rsqrt", "sigmoid", "sign", "signbit", "sin",
    "sinh", "softplus", "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc", "where", "xlogy",
]  # fmt: skip

abs = absolute = public(el.abs)
acos = arccos = public(el.acos)
acosh = arccosh = public(el.acosh)
add = public(el.add)
asin = arcsin = public(el.asin)
asinh = arcsinh = public(el.asinh)
atan = arctan = public(el.atan)
atan2 = arctan2 = public(el.atan2)
atanh = arctanh = public(el.atanh)
bitwise_and = public(el.bitwise_and)
bitwise_left_shift = left_shift = public(el.bitwise_left_shift)
bitwise_not = bitwise_invert = invert = public(el.bitwise_not)
bitwise_or = public(el.bitwise_or)
bitwise_right_shift = right_shift = public(el.bitwise_right_shift)
bitwise_xor = public(el.bitwise_xor)
ceil = public(el.ceil)
clip = public(el.clip)
copysign = public(el.copysign)
cos = public(el.cos)
cosh = public(el.cosh)
digamma = public(gamma.digamma)
divide = true_divide = public(el.divide)
equal = public(el.equal)
erf = public(el.erf)
erfc = public(el.erfc)
erfinv = public(el.erfinv)
exp = public(el.exp)
exp2 = public(el.exp2)
expm1 = public(el.expm1)
floor = public(el.floor)
floor_divide = public(el.floor_divide)
fmax = public(el.fmax)
fmin = public(el.fmin)
fmod = public(el.fmod)
greater = public(el.greater)
greater_equal = public(el.greater_equal)
heaviside = public(el.heaviside)
hypot = public(el.hypot)
isclose = public(el.isclose)
isfinite = public(el.isfinite)
isinf = public(el.isinf)
isnan = public(el.isnan)
isneginf = public(el.isneginf)
isposinf = public(el.isposinf)
lerp = public(el.lerp)
less = public(el.less)
less_equal = public(el.less_equal)
lgamma = public(gamma.lgamma)
log = public(el.log)
log10 = public(el.log10)
log1p = public(el.log1p)
log2 = public(el.log2)
logaddexp = public(el.logaddexp)
logaddexp2 = public(el.logaddexp2)
logical_and = public(el.logical_and)
logical_not = public(el.logical_not)
logical_or = public(el.logical_or)
logical_xor = public(el.logical_xor)
logit = public(el.logit)
maximum = public(el.maximum)
minimum = public(el.minimum)
multiply = public(el.multiply)
nan_to_num = public(el.nan_to_num)
negative = public(el.negative)
not_equal = public(el.not_equal)
power = pow = public(el.power)
reciprocal = public(el.reciprocal)
relu = public(el.relu)
remainder = mod = public(el.remainder)
round = public(el.round)
rsqrt = public(el.rsqrt)
sigmoid = public(el.sigmoid)
sign = public(el.sign)
signbit = public(el.signbit)
sin = public(el.sin)
sinh = public(el.sinh)
softplus = public(_softplus)
sqrt = public(el.sqrt)
square = public(el.square)
subtract = public(el.subtract)
tan = public(el.tan)
tanh = public(el.tanh)
trunc = public(el.trunc)
xlogy = public(el.xlogy)


def where(condition: Any, a: Any = None, b: Any = None) -> Any:  # noqa: D103
    condition = tensor(condition)
    if a is None and b is None:
        return counting.nonzero(condition)
    if a is None or b is None:
        raise TypeError("where takes a condition alone, or a condition and two operands")
    y = el.where(condition, a, b)
    numbers = not any(hasattr(x, "dtype") or isinstance(x, (list, tuple)) for x in (a, b))
    default = {"f": default_float, "c": default_complex}.get(y.dtype.kind)
    return y.astype(default) if numbers and default is not None else y


where.__doc__, where.__module__ = el.where.__doc__, "minitensor"


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether every entry of a is close to its counterpart in b: |a - b| <= atol + rtol |b|.

    A Python bool; see `isclose`. On a GPU it waits for the device. Nothing is close to nothing: empty operands give
    True. Raises ValueError for a negative tolerance, or if the shapes do not broadcast.
    Differs from PyTorch: two dtypes may meet.

    >>> allclose([1.0, 2.0], [1.0, 2.0 + 1e-7])
    True
    """
    return bool(red.all(isclose(a, b, rtol, atol, equal_nan)))


def polygamma(n: int, x: Any) -> Tensor:  # noqa: D103
    return gamma.polygamma(tensor(x), n=n)


polygamma.__doc__, polygamma.__module__ = gamma.polygamma.__doc__, "minitensor"
