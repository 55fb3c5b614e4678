"""How each op is written in ONNX, by subject; importing them fills the table in `writing.py`."""

from minitensor.interop.onnx.writers import (
    activations,
    arithmetic,
    comparisons,
    functions,
    indexing,
    matrices,
    order,
    recurrent,
    reductions,
    scattering,
    shapes,
    windows,
)

__all__ = [
    "activations", "arithmetic", "comparisons", "functions", "indexing", "matrices", "order", "recurrent",
    "reductions", "scattering", "shapes", "windows",
]  # fmt: skip
