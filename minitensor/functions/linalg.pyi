# Written by `python -m minitensor.functions`: the public names of ops, for mypy and editors.

from typing import Any

from minitensor.functions.decompositions import *
from minitensor.functions.operands import public, several
from minitensor.ops.linalg import condition as _condition
from minitensor.ops.linalg import determinant as _determinant
from minitensor.ops.linalg import least_squares as _least_squares
from minitensor.ops.linalg import matmul as _matmul
from minitensor.ops.linalg import norm as _norm
from minitensor.ops.linalg import products as _products
from minitensor.ops.linalg import singular as _singular
from minitensor.ops.linalg import solving as _solving
from minitensor.ops.linalg import symmetric as _symmetric

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip

cholesky = public(_symmetric.cholesky)
cond = public(_condition.cond)
cross = public(_products.cross)
det = public(_determinant.det)
eigvalsh = public(_symmetric.eigvalsh)
inv = public(_solving.inv)
matmul = public(_matmul.matmul)
matrix_norm = public(_norm.matrix_norm)
matrix_power = public(_solving.matrix_power)
matrix_rank = public(_least_squares.matrix_rank)
norm = public(_norm.norm)
pinv = public(_least_squares.pinv)
solve = public(_solving.solve)
solve_triangular = public(_solving.solve_triangular)
svdvals = public(_singular.svdvals)
tensordot = public(_products.tensordot)
vecdot = public(_products.vecdot)
vector_norm = public(_norm.vector_norm)
