"""The ops under NumPy's names and signatures: `mt.sum(x, axis=0)`, `mt.concatenate([a, b])`, `mt.einsum("ij->i", a)`.

Each takes Tensors, arrays, lists or numbers and returns Tensors. An op's name stands at the op (`public=`). The stubs
(`.pyi`) for editors and mypy are written by `python -m minitensor.functions`.
"""

from minitensor.functions import creation, elementwise, index, products, shape, sorting, windows
from minitensor.functions.names import named

_found = named("", creation, elementwise, index, products, shape, sorting, windows)
globals().update(_found)
__all__ = list(_found)
