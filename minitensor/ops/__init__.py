"""Every op: functions on arrays with a gradient rule per argument, and the composites made of them.

They take arrays by position and settings by name, run on raw arrays and on Tensors alike, and may be called from a
gradient rule. `minitensor` re-exports them under NumPy's signatures.
"""

from minitensor.ops import (
    activation,
    adaptive_pooling,
    attention,
    avg_pooling,
    bilinear,
    border,
    columns,
    complex_numbers,
    convolution,
    diagonal,
    distance,
    elementwise,
    fft,
    fft_axes,
    gated,
    gather,
    grid_sample,
    index,
    interpolation,
    join,
    linalg,
    loss,
    normalisation,
    order,
    outer,
    padding,
    piecewise,
    pooling,
    recurrent,
    reduce,
    scatter,
    shape,
    shuffle,
    tiling,
    transposed,
    unpooling,
    windows,
)

__all__ = [
    "activation", "adaptive_pooling", "attention", "avg_pooling", "bilinear", "border", "columns", "complex_numbers",
    "convolution", "diagonal", "distance", "elementwise", "fft", "fft_axes", "gated", "gather", "grid_sample", "index",
    "interpolation", "join", "linalg", "loss", "normalisation", "order", "outer", "padding", "piecewise", "pooling",
    "recurrent", "reduce", "scatter", "shape", "shuffle", "tiling", "transposed", "unpooling", "windows",
]  # fmt: skip
