"""Reductions and scans, under NumPy's names. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops import reduce as red

__all__ = [
    "all", "any", "argmax", "argmin", "cumsum", "log_softmax", "logsumexp", "max", "mean", "min", "softmax", "std",
    "sum", "var",
]  # fmt: skip

all = public(red.all)
any = public(red.any)
argmax = public(red.argmax)
argmin = public(red.argmin)
cumsum = public(red.cumsum)
log_softmax = public(red.log_softmax)
logsumexp = public(red.logsumexp)
max = public(red.max)
mean = public(red.mean)
min = public(red.min)
softmax = public(red.softmax)
std = public(red.std)
sum = public(red.sum)
var = public(red.var)
