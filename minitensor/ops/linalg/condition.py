"""How near a matrix is to a singular one."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import equal, where
from minitensor.ops.linalg.determinant import slogdet
from minitensor.ops.linalg.matmul import operands
from minitensor.ops.linalg.matrices import LinAlgError, eye, floats, matrices, square
from minitensor.ops.linalg.norm import matrix_norm
from minitensor.ops.linalg.singular import svdvals
from minitensor.ops.linalg.solving import inverse

__all__ = ["cond"]


@composite(public="linalg.cond")
def cond(x: Array, p: float | str | None = None) -> Array:
    """y = ‖x‖ ‖x⁻¹‖, by how much the relative error of b may grow in the solution of x y = b

    (..., n, m) -> (...) for p None or 2, the largest over the smallest singular value, and -2, the inverse of that;
    (..., n, n) -> (...) for another norm of `matrix_norm`. A matrix that is singular to the last bit has inf.
    Raises LinAlgError for no entries, other shapes, and NaN and inf; ValueError for another norm.
    Differs from NumPy: integers give float32; NaN is refused. Differs from PyTorch: for no entries there is none.

    >>> import minitensor as mt
    >>> mt.linalg.cond([[3.0, 0.0], [0.0, 4.0]])
    Tensor float32 (): 1.3333
    """
    (x,) = operands(x)
    x = floats(x)
    if 0 in matrices("cond", x):
        raise LinAlgError(f"cond: matrices of no entries have no condition number; got shape {tuple(x.shape)}")
    if p is None or p in (2, -2):
        s = svdvals(x)
        largest, smallest = s[..., 0], s[..., -1]
        if p == -2:
            return smallest / largest
        none = equal(smallest, 0)
        return where(none, math.inf, largest / where(none, 1.0, smallest))
    n = square("cond", x)
    singular = equal(slogdet(x)[0], 0)
    regular = where(singular[..., None, None], eye(x, n), x)
    return where(singular, math.inf, matrix_norm(regular, ord=p) * matrix_norm(inverse(regular), ord=p))
