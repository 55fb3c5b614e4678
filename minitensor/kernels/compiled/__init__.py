"""Loops compiled by Numba, attached as kernels of the kind "compiled": a formula for each, and one pass over memory.

Numba is imported, and a loop compiled, when a loop first runs. How one is written: see `compiler`.
"""

from minitensor.kernels.compiled import (
    activation,
    along,
    attention,
    convolution,
    cross_entropy,
    distance,
    gelu,
    grid_sample,
    group_norm,
    layer_norm,
    losses,
    normalization,
    piecewise,
    pooling,
    recurrent,
    rows,
    scan,
    softmax,
    transcendental,
)
from minitensor.kernels.compiled.compiler import Compilation, compilations

__all__ = [
    "Compilation", "activation", "along", "attention", "compilations", "convolution", "cross_entropy", "distance",
    "gelu", "grid_sample", "group_norm", "layer_norm", "losses", "normalization", "piecewise", "pooling", "recurrent",
    "rows", "scan", "softmax", "transcendental",
]  # fmt: skip
