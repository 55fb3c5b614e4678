"""Convolutions, with PyTorch's names, argument order and defaults. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops import columns, convolution, transposed

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold", "unfold",
]  # fmt: skip

conv1d = public(convolution.conv1d)
conv2d = public(convolution.conv2d)
conv3d = public(convolution.conv3d)
conv_transpose1d = public(transposed.conv_transpose1d)
conv_transpose2d = public(transposed.conv_transpose2d)
conv_transpose3d = public(transposed.conv_transpose3d)
fold = public(columns.fold)
unfold = public(columns.unfold)
