"""Convolutions, with PyTorch's names, argument order and defaults. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops.windows import convolution, im2col, transposed_convolution

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold", "unfold",
]  # fmt: skip

conv1d = public(convolution.conv1d)
conv2d = public(convolution.conv2d)
conv3d = public(convolution.conv3d)
conv_transpose1d = public(transposed_convolution.conv_transpose1d)
conv_transpose2d = public(transposed_convolution.conv_transpose2d)
conv_transpose3d = public(transposed_convolution.conv_transpose3d)
fold = public(im2col.fold)
unfold = public(im2col.unfold)
