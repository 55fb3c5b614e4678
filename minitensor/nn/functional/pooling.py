"""Pooling, with PyTorch's names, argument order and defaults. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops.windows import adaptive_pooling, average_pooling, max_pooling, unpooling

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d",
    "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip

adaptive_avg_pool1d = public(adaptive_pooling.adaptive_avg_pool1d)
adaptive_avg_pool2d = public(adaptive_pooling.adaptive_avg_pool2d)
adaptive_avg_pool3d = public(adaptive_pooling.adaptive_avg_pool3d)
adaptive_max_pool1d = public(adaptive_pooling.adaptive_max_pool1d)
adaptive_max_pool2d = public(adaptive_pooling.adaptive_max_pool2d)
adaptive_max_pool3d = public(adaptive_pooling.adaptive_max_pool3d)
avg_pool1d = public(average_pooling.avg_pool1d)
avg_pool2d = public(average_pooling.avg_pool2d)
avg_pool3d = public(average_pooling.avg_pool3d)
lp_pool1d = public(average_pooling.lp_pool1d)
lp_pool2d = public(average_pooling.lp_pool2d)
lp_pool3d = public(average_pooling.lp_pool3d)
max_pool1d = public(max_pooling.max_pool1d)
max_pool2d = public(max_pooling.max_pool2d)
max_pool3d = public(max_pooling.max_pool3d)
max_unpool1d = public(unpooling.max_unpool1d)
max_unpool2d = public(unpooling.max_unpool2d)
max_unpool3d = public(unpooling.max_unpool3d)
