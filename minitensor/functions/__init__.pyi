# Written by `python -m minitensor.functions`: the public names of ops, for mypy and editors.

from typing import Any

from minitensor.functions.creation import *
from minitensor.functions.elementwise import *
from minitensor.functions.index import *
from minitensor.functions.products import *
from minitensor.functions.shape import *
from minitensor.functions.sorting import *
from minitensor.functions.windows import *
from minitensor.functions.operands import public, several
from minitensor.ops.elementwise import arithmetic as _arithmetic
from minitensor.ops.elementwise import bitwise as _bitwise
from minitensor.ops.elementwise import choice as _choice
from minitensor.ops.elementwise import comparison as _comparison
from minitensor.ops.elementwise import complex_numbers as _complex_numbers
from minitensor.ops.elementwise import error_function as _error_function
from minitensor.ops.elementwise import gamma as _gamma
from minitensor.ops.elementwise import hyperbolic as _hyperbolic
from minitensor.ops.elementwise import powers as _powers
from minitensor.ops.elementwise import rounding as _rounding
from minitensor.ops.elementwise import transcendental as _transcendental
from minitensor.ops.elementwise import trigonometric as _trigonometric
from minitensor.ops.indexing import index as _index
from minitensor.ops.indexing import sorting as _sorting
from minitensor.ops.linalg import distance as _distance
from minitensor.ops.linalg import matmul as _matmul
from minitensor.ops.linalg import norm as _norm
from minitensor.ops.linalg import products as _products
from minitensor.ops.nn import activation as _activation
from minitensor.ops.nn import softmax as _softmax
from minitensor.ops.reductions import counting as _counting
from minitensor.ops.reductions import reduce as _reduce
from minitensor.ops.reductions import scan as _scan
from minitensor.ops.reductions import statistics as _statistics
from minitensor.ops.shaping import diagonal as _diagonal
from minitensor.ops.shaping import join as _join
from minitensor.ops.shaping import order as _order
from minitensor.ops.shaping import padding as _padding
from minitensor.ops.shaping import shape as _shape
from minitensor.ops.shaping import tiling as _tiling

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere",
    "array_split", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "bincount",
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "broadcast_arrays", "broadcast_to", "cdist", "ceil", "chunk", "clip", "column_stack", "complex",
    "concat", "concatenate", "conj", "conjugate", "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov",
    "cross", "cummax", "cummin", "cumprod", "cumsum", "diag", "diagonal", "diff", "digamma", "divide", "dot", "einsum",
    "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expand_dims", "expm1", "eye", "flip", "fliplr", "flipud", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "fold", "full", "full_like", "gather", "greater", "greater_equal",
    "heaviside", "histogram", "hstack", "hypot", "imag", "index_add", "index_put", "index_select", "inner", "invert",
    "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "kron", "kthvalue", "left_shift", "lerp", "less",
    "less_equal", "lgamma", "linspace", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logaddexp2",
    "logcumsumexp", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logsumexp", "masked_fill",
    "masked_select", "matmul", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "moveaxis",
    "multiply", "nan_to_num", "nanmean", "nansum", "negative", "nonzero", "norm", "not_equal", "one_hot", "ones",
    "ones_like", "outer", "pad", "permute", "permute_dims", "polygamma", "pow", "power", "prod", "ptp", "put",
    "put_along_axis", "quantile", "rand", "randn", "ravel", "real", "reciprocal", "relu", "remainder", "repeat",
    "reshape", "right_shift", "roll", "rot90", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce",
    "searchsorted", "sigmoid", "sign", "signbit", "sin", "sinh", "softmax", "softmin", "softplus", "sort", "split",
    "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan",
    "tanh", "tensordot", "tile", "topk", "trace", "transpose", "tril", "tril_indices", "triu", "triu_indices",
    "true_divide", "trunc", "unbind", "unfold", "unique", "unstack", "var", "vdot", "vecdot", "view_as_complex",
    "view_as_real", "vstack", "where", "xlogy", "zeros", "zeros_like",
]  # fmt: skip

abs = absolute = public(_arithmetic.abs)
acos = arccos = public(_trigonometric.acos)
acosh = arccosh = public(_hyperbolic.acosh)
add = public(_arithmetic.add)
all = public(_reduce.all)
angle = public(_complex_numbers.angle)
any = public(_reduce.any)
argmax = public(_reduce.argmax)
argmin = public(_reduce.argmin)
argsort = public(_sorting.argsort)
argwhere = public(_index.argwhere)
array_split = several(_join.array_split)
asin = arcsin = public(_trigonometric.asin)
asinh = arcsinh = public(_hyperbolic.asinh)
atan = arctan = public(_trigonometric.atan)
atan2 = arctan2 = public(_trigonometric.atan2)
atanh = arctanh = public(_hyperbolic.atanh)
bitwise_and = public(_bitwise.bitwise_and)
bitwise_left_shift = left_shift = public(_bitwise.bitwise_left_shift)
bitwise_not = bitwise_invert = invert = public(_bitwise.bitwise_not)
bitwise_or = public(_bitwise.bitwise_or)
bitwise_right_shift = right_shift = public(_bitwise.bitwise_right_shift)
bitwise_xor = public(_bitwise.bitwise_xor)
broadcast_to = public(_shape.broadcast_to)
cdist = public(_distance.cdist)
ceil = public(_rounding.ceil)
chunk = several(_join.chunk)
clip = public(_choice.clip)
complex = public(_complex_numbers.complex)
conj = conjugate = public(_complex_numbers.conj)
copysign = public(_arithmetic.copysign)
cos = public(_trigonometric.cos)
cosh = public(_hyperbolic.cosh)
count_nonzero = public(_reduce.count_nonzero)
cross = public(_products.cross)
cummax = several(_scan.cummax)
cummin = several(_scan.cummin)
cumprod = public(_scan.cumprod)
cumsum = public(_scan.cumsum)
diag = public(_diagonal.diag)
diagonal = public(_diagonal.diagonal)
digamma = public(_gamma.digamma)
divide = true_divide = public(_arithmetic.divide)
dot = public(_products.dot)
equal = public(_comparison.equal)
erf = public(_error_function.erf)
erfc = public(_error_function.erfc)
erfinv = public(_error_function.erfinv)
exp = public(_transcendental.exp)
exp2 = public(_transcendental.exp2)
expand_dims = public(_shape.expand_dims)
expm1 = public(_transcendental.expm1)
flip = public(_order.flip)
fliplr = public(_order.fliplr)
flipud = public(_order.flipud)
floor = public(_rounding.floor)
floor_divide = public(_rounding.floor_divide)
fmax = public(_choice.fmax)
fmin = public(_choice.fmin)
fmod = public(_rounding.fmod)
greater = public(_comparison.greater)
greater_equal = public(_comparison.greater_equal)
heaviside = public(_arithmetic.heaviside)
histogram = several(_counting.histogram)
hypot = public(_powers.hypot)
imag = public(_complex_numbers.imag)
inner = public(_products.inner)
isclose = public(_comparison.isclose)
isfinite = public(_comparison.isfinite)
isinf = public(_comparison.isinf)
isnan = public(_comparison.isnan)
isneginf = public(_comparison.isneginf)
isposinf = public(_comparison.isposinf)
kthvalue = several(_sorting.kthvalue)
lerp = public(_arithmetic.lerp)
less = public(_comparison.less)
less_equal = public(_comparison.less_equal)
lgamma = public(_gamma.lgamma)
log = public(_transcendental.log)
log10 = public(_transcendental.log10)
log1p = public(_transcendental.log1p)
log2 = public(_transcendental.log2)
log_softmax = public(_softmax.log_softmax)
logaddexp = public(_transcendental.logaddexp)
logaddexp2 = public(_transcendental.logaddexp2)
logcumsumexp = public(_scan.logcumsumexp)
logical_and = public(_comparison.logical_and)
logical_not = public(_comparison.logical_not)
logical_or = public(_comparison.logical_or)
logical_xor = public(_comparison.logical_xor)
logit = public(_transcendental.logit)
logsumexp = public(_softmax.logsumexp)
matmul = public(_matmul.matmul)
max = amax = public(_reduce.max)
maximum = public(_choice.maximum)
mean = public(_reduce.mean)
median = public(_statistics.median)
min = amin = public(_reduce.min)
minimum = public(_choice.minimum)
moveaxis = public(_shape.moveaxis)
multiply = public(_arithmetic.multiply)
nan_to_num = public(_choice.nan_to_num)
nanmean = public(_statistics.nanmean)
nansum = public(_statistics.nansum)
negative = public(_arithmetic.negative)
nonzero = several(_counting.nonzero)
norm = public(_norm.norm)
not_equal = public(_comparison.not_equal)
one_hot = public(_index.one_hot)
pad = public(_padding.pad)
power = pow = public(_powers.power)
prod = public(_reduce.prod)
ptp = public(_statistics.ptp)
quantile = public(_statistics.quantile)
ravel = public(_shape.ravel)
real = public(_complex_numbers.real)
reciprocal = public(_powers.reciprocal)
relu = public(_choice.relu)
remainder = mod = public(_rounding.remainder)
repeat = public(_tiling.repeat)
reshape = public(_shape.reshape)
roll = public(_order.roll)
rot90 = public(_order.rot90)
round = public(_rounding.round)
rsqrt = public(_powers.rsqrt)
sigmoid = public(_transcendental.sigmoid)
sign = public(_rounding.sign)
signbit = public(_comparison.signbit)
sin = public(_trigonometric.sin)
sinh = public(_hyperbolic.sinh)
softmax = public(_softmax.softmax)
softmin = public(_softmax.softmin)
softplus = public(_activation.softplus)
sort = public(_sorting.sort)
split = several(_join.split)
sqrt = public(_powers.sqrt)
square = public(_powers.square)
squeeze = public(_shape.squeeze)
std = public(_statistics.std)
subtract = public(_arithmetic.subtract)
sum = public(_reduce.sum)
swapaxes = public(_shape.swapaxes)
tan = public(_trigonometric.tan)
tanh = public(_hyperbolic.tanh)
tensordot = public(_products.tensordot)
tile = public(_tiling.tile)
topk = several(_sorting.topk)
trace = public(_diagonal.trace)
transpose = permute = permute_dims = public(_shape.transpose)
tril = public(_diagonal.tril)
triu = public(_diagonal.triu)
trunc = public(_rounding.trunc)
unique: Any
unstack = several(_join.unstack)
var = public(_statistics.var)
vdot = public(_products.vdot)
vecdot = public(_products.vecdot)
view_as_complex = public(_complex_numbers.view_as_complex)
view_as_real = public(_complex_numbers.view_as_real)
xlogy = public(_transcendental.xlogy)
