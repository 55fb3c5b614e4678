"""Kernels for NumPy. Inside, images are channels-last, (n, h, w, c): a window's row of pixels is one run of memory."""

from minitensor.kernels.cpu import (
    attention,
    convolution,
    cross_entropy,
    gelu,
    huber,
    layer_norm,
    linear,
    normalization,
    pooling,
    recurrent,
    softmax,
    transposed_convolution,
)
from minitensor.kernels.cpu.convolution import set_conv_algorithm

__all__ = [
    "attention", "convolution", "cross_entropy", "gelu", "huber", "layer_norm", "linear", "normalization",
    "pooling", "recurrent", "set_conv_algorithm", "softmax", "transposed_convolution",
]  # fmt: skip
