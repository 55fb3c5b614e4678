"""Reductions and scans, under NumPy's names. What each does stands at its op."""

from minitensor.functions.operands import public, several
from minitensor.ops.linalg import norm as norms
from minitensor.ops.nn import softmax as soft
from minitensor.ops.reductions import reduce as red
from minitensor.ops.reductions import scan, statistics

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum",
    "log_softmax", "logcumsumexp", "logsumexp", "max", "mean", "median", "min", "nanmean", "nansum", "norm", "prod",
    "ptp", "quantile", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

all = public(red.all)
any = public(red.any)
argmax = public(red.argmax)
argmin = public(red.argmin)
count_nonzero = public(red.count_nonzero)
cummax = several(scan.cummax)
cummin = several(scan.cummin)
cumprod = public(scan.cumprod)
cumsum = public(scan.cumsum)
log_softmax = public(soft.log_softmax)
logcumsumexp = public(scan.logcumsumexp)
logsumexp = public(soft.logsumexp)
max = amax = public(red.max)
mean = public(red.mean)
median = public(statistics.median)
min = amin = public(red.min)
nanmean = public(statistics.nanmean)
nansum = public(statistics.nansum)
norm = public(norms.norm)
prod = public(red.prod)
ptp = public(statistics.ptp)
quantile = public(statistics.quantile)
softmax = public(soft.softmax)
softmin = public(soft.softmin)
std = public(statistics.std)
sum = public(red.sum)
var = public(statistics.var)
