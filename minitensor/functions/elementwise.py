"""Functions of each entry, under NumPy's names. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops import elementwise as el

__all__ = [
    "abs", "add", "clip", "cos", "divide", "equal", "erf", "exp", "greater", "greater_equal", "isfinite", "less",
    "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum", "multiply",
    "negative", "not_equal", "power", "relu", "sigmoid", "sign", "sin", "sqrt", "square", "subtract", "tanh", "where",
]  # fmt: skip

abs = public(el.abs)
add = public(el.add)
clip = public(el.clip)
cos = public(el.cos)
divide = public(el.divide)
equal = public(el.equal)
erf = public(el.erf)
exp = public(el.exp)
greater = public(el.greater)
greater_equal = public(el.greater_equal)
isfinite = public(el.isfinite)
less = public(el.less)
less_equal = public(el.less_equal)
log = public(el.log)
log1p = public(el.log1p)
logical_and = public(el.logical_and)
logical_not = public(el.logical_not)
logical_or = public(el.logical_or)
maximum = public(el.maximum)
minimum = public(el.minimum)
multiply = public(el.multiply)
negative = public(el.negative)
not_equal = public(el.not_equal)
power = public(el.power)
relu = public(el.relu)
sigmoid = public(el.sigmoid)
sign = public(el.sign)
sin = public(el.sin)
sqrt = public(el.sqrt)
square = public(el.square)
subtract = public(el.subtract)
tanh = public(el.tanh)
where = public(el.where)
