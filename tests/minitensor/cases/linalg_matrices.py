"""Cases: inverses, determinants, decompositions, norms: stacks, one by one, and without entries."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from minitensor.ops.linalg import condition, determinant, least_squares, norm, orthogonal, singular, solving, symmetric
from tests.minitensor.cases.case import case, normal


def plane(*shape: int) -> np.ndarray:
    return np.asarray(normal(*shape) + 1j * normal(*shape))


def well(*shape: int) -> np.ndarray:
    """Square matrices far from singular ones."""
    return normal(*shape) + 2.5 * np.eye(shape[-1])


def spread(*shape: int) -> np.ndarray:
    """Matrices with singular values 1, 2, 3, ..., none equal."""
    u, _, vh = np.linalg.svd(normal(*shape), full_matrices=False)
    return (u * (1.0 + np.arange(min(shape[-2:])))) @ vh


def symmetrical(*shape: int) -> np.ndarray:
    """Symmetric matrices with eigenvalues 1, 2, 3, ..."""
    v = np.linalg.qr(normal(*shape))[0]
    return (v * (1.0 + np.arange(shape[-1]))) @ v.mT


def singular_(rank: int, n: int) -> np.ndarray:
    return normal(n, rank) @ normal(rank, n)


def _sym(f: Any) -> Any:
    return lambda x: f((x + x.mT) / 2)


EMPTY = ((0, 0), (2, 0, 0), (0, 2, 2))
for op_, ref_ in ((solving.inv, np.linalg.inv), (solving.inverse, np.linalg.inv)):
    for shape_ in ((1, 1), (3, 3), (2, 1, 2, 2), *EMPTY):
        case(op_, well(*shape_), ref=ref_)
    case(op_, plane(2, 2), ref=ref_, note="complex")
_two = np.stack([np.ones((2, 2)), np.eye(2)])
case(solving.inverse, _two, instead=9.0, smooth=False, note="one singular",
     ref=lambda x: np.stack([np.full((2, 2), 9.0), np.eye(2)]))  # fmt: skip
for a_, b_ in (((2, 2), (2, 3)), ((2, 1, 2, 2), (3, 2, 1)), ((2, 2), (2, 2, 1)), ((0, 0), (0, 2)), ((2, 2), (2, 0))):
    for op_ in (solving.solve_columns, solving.solve):
        case(op_, well(*a_), normal(*b_), ref=np.linalg.solve)
case(solving.solve_columns, plane(2, 2), plane(2, 1), ref=np.linalg.solve, note="complex")
case(solving.solve, well(3, 3), normal(3), ref=np.linalg.solve)
case(solving.solve, well(2, 2, 2), normal(2), ref=np.linalg.solve)
case(solving.solve, plane(2, 2), normal(2), ref=np.linalg.solve, note="complex and real")
case(solving.solve_triangular, well(3, 3), normal(3, 2), ref=lambda a, b: np.linalg.solve(np.tril(a), b))
case(solving.solve_triangular, well(2, 2, 2), normal(2, 1), upper=True, note="upper",
     ref=lambda a, b: np.linalg.solve(np.triu(a), np.broadcast_to(b, (2, 2, 1))))  # fmt: skip
case(solving.solve_triangular, normal(3, 3), normal(2, 3), left=False, unitriangular=True, note="right, unit",
     ref=lambda a, b: b @ np.linalg.inv(np.tril(a, -1) + np.eye(3)))  # fmt: skip
case(solving.solve_triangular, plane(2, 2), plane(2, 1), note="complex",
     ref=lambda a, b: np.linalg.solve(np.tril(a), b))  # fmt: skip
for n_ in (-3, -1, 1, 2, 5):
    case(solving.matrix_power, well(2, 2), n=n_, ref=partial(np.linalg.matrix_power, n=n_), note=f"n {n_}")
    case(solving.matrix_power, plane(2, 2), n=n_, ref=partial(np.linalg.matrix_power, n=n_), note=f"complex n {n_}")
case(solving.matrix_power, normal(2, 3, 3), n=0, smooth=False, ref=partial(np.linalg.matrix_power, n=0), note="n 0")
case(solving.matrix_power, normal(0, 2, 2), n=2, ref=partial(np.linalg.matrix_power, n=2), note="none")


def _cofactor(x: np.ndarray) -> np.ndarray:
    n = x.shape[-1]
    minors = [[np.delete(np.delete(x, i, -2), j, -1) for j in range(n)] for i in range(n)]
    return np.moveaxis([[(-1) ** (i + j) * np.linalg.det(m) for j, m in enumerate(r)] for i, r in enumerate(minors)],
                       (0, 1), (-2, -1))  # fmt: skip


def _along(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (_cofactor(x + 1e-3 * v) - _cofactor(x - 1e-3 * v)) / 2e-3  # exact up to order 3: cofactors are quadratic


for x_, note_ in (
    (normal(1, 1), "1"),
    (normal(2, 2), "2"),
    (normal(2, 3, 3), "stack"),
    (singular_(2, 3), "rank 2 of 3"),
    (np.diag([2.0, 0.0, 0.0]), "rank 1 of 3"),
    (np.zeros((3, 3)), "rank 0 of 3"),
    (np.eye(3), "equal singular values"),
):
    case(determinant.det, x_, ref=np.linalg.det, note=note_)
for x_, note_ in ((normal(2, 2), "2"), (normal(2, 3, 3), "stack"), (well(3, 3), "3")):
    case(determinant.cofactor, x_, ref=_cofactor, note=note_)
case(determinant.cofactor, singular_(1, 3), ref=_cofactor, smooth=False, note="singular")
for shape_ in EMPTY:
    case(determinant.det, normal(*shape_), ref=np.linalg.det)
    case(determinant.slogdet, normal(*shape_), ref=lambda x: tuple(np.linalg.slogdet(x)))
    case(determinant.cofactor, normal(*shape_), ref=np.copy)
    case(determinant.cofactor_along, normal(*shape_), normal(*shape_), ref=lambda x, v: np.copy(x))
case(determinant.cofactor_along, spread(3, 3), normal(3, 3), ref=_along)
case(determinant.cofactor_along, well(2, 2, 2), normal(2, 2, 2), ref=_along)
for shape_ in ((1, 1), (3, 3), (2, 2, 2)):
    case(determinant.slogdet, normal(*shape_), ref=lambda x: tuple(np.linalg.slogdet(x)))

for shape_ in ((1, 1), (3, 3), (2, 2, 2), *EMPTY):
    case(symmetric.mirrored, normal(*shape_), smooth=False, ref=lambda x: np.tril(x) + np.tril(x, -1).mT)
    case(symmetric.cholesky_factor, symmetrical(*shape_) + 0.01 * normal(*shape_), ref=_sym(np.linalg.cholesky))
    case(symmetric.cholesky, symmetrical(*shape_), smooth=False, ref=np.linalg.cholesky)
    case(symmetric.eigvalsh, symmetrical(*shape_), smooth=False, ref=np.linalg.eigvalsh)
case(symmetric.mirrored, normal(3, 3), upper=True, smooth=False, ref=lambda x: np.triu(x) + np.triu(x, 1).mT)
case(symmetric.cholesky, symmetrical(3, 3) + np.tril(normal(3, 3), -1), upper=True, smooth=False, note="upper",
     ref=partial(np.linalg.cholesky, upper=True))  # fmt: skip
for shape_ in ((1, 1), (3, 3), (2, 2, 2), *EMPTY):
    case(symmetric.eigen, symmetrical(*shape_) + 0.01 * normal(*shape_), ref=_sym(lambda x: tuple(np.linalg.eigh(x))))
    case(symmetric.eigh, symmetrical(*shape_), smooth=False, ref=lambda x: tuple(np.linalg.eigh(x)))
_upper = symmetrical(3, 3) + np.tril(normal(3, 3), -1)
case(symmetric.eigh, _upper, UPLO="U", smooth=False, note="upper",
     ref=lambda x: tuple(np.linalg.eigh(np.triu(x) + np.triu(x, 1).T)))  # fmt: skip
case(symmetric.eigvalsh, _upper, UPLO="U", smooth=False, ref=lambda x: np.linalg.eigvalsh(x, "U"), note="upper")

WIDE = ((3, 3), (1, 1), (3, 2), (2, 3), (2, 3, 2), (0, 3, 2), (0, 0), (2, 0), (2, 0, 3))
for shape_ in WIDE:
    for full_ in (True, False):
        if full_ and abs(shape_[-1] - shape_[-2]) > 1 and 0 in shape_[-2:]:
            continue
        case(singular.svd, spread(*shape_), full_matrices=full_, note=f"{shape_} {full_}",
             ref=lambda x, f=full_: tuple(np.linalg.svd(x, full_matrices=f)))  # fmt: skip
    case(singular.svdvals, spread(*shape_), ref=np.linalg.svdvals)
    case(least_squares.pseudo_inverse, spread(*shape_), ref=np.linalg.pinv)
    case(least_squares.pinv, spread(*shape_), ref=np.linalg.pinv)
    case(least_squares.matrix_rank, spread(*shape_), smooth=False, ref=np.linalg.matrix_rank)
    for mode_ in ("reduced", "complete", "r"):
        case(orthogonal.qr, spread(*shape_), mode=mode_, note=f"{shape_} {mode_}",
             ref=lambda x, m=mode_: np.linalg.qr(x, m) if m == "r" else tuple(np.linalg.qr(x, m)))  # fmt: skip
    if shape_[-2] >= shape_[-1]:
        case(orthogonal.qr_tall, spread(*shape_), complete=True, ref=lambda x: tuple(np.linalg.qr(x, "complete")))
_low = singular_(1, 3)
case(least_squares.pinv, _low, smooth=False, ref=np.linalg.pinv, note="rank 1")
case(least_squares.pinv, spread(3, 2), rcond=0.7, smooth=False, ref=partial(np.linalg.pinv, rcond=0.7), note="rcond")
case(least_squares.pinv, symmetrical(2, 2), hermitian=True, smooth=False, note="symmetric",
     ref=partial(np.linalg.pinv, hermitian=True))  # fmt: skip
case(least_squares.matrix_rank, _low, smooth=False, ref=np.linalg.matrix_rank, note="rank 1")
case(least_squares.matrix_rank, normal(3), smooth=False, ref=np.linalg.matrix_rank)
case(least_squares.matrix_rank, np.zeros(3), smooth=False, ref=np.linalg.matrix_rank, note="zeros")
case(least_squares.matrix_rank, spread(3, 3), tol=1.5, smooth=False, ref=lambda x: np.array(2), note="tol")
case(least_squares.matrix_rank, symmetrical(2, 2), hermitian=True, rtol=0.7, smooth=False, ref=lambda x: np.array(1),
     note="rtol")  # fmt: skip


def _lstsq(a: np.ndarray, b: np.ndarray) -> Any:
    x, residuals, rank, s = np.linalg.lstsq(a, b, rcond=None)
    return x, residuals, np.asarray(rank, "int64"), s


for a_, b_ in (((3, 2), (3,)), ((3, 2), (3, 2)), ((2, 2), (2, 1)), ((2, 3), (2,)), ((1, 1), (1, 1))):
    case(least_squares.lstsq, spread(*a_), normal(*b_), smooth=a_ == (3, 2),
         ref=_lstsq)  # fmt: skip
case(least_squares.lstsq, spread(2, 3, 2), normal(3, 1), note="stack",
     ref=lambda a, b: tuple(np.stack(v) for v in zip(*[_lstsq(x, b) for x in a], strict=True)))  # fmt: skip

for p_ in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc"):
    case(condition.cond, spread(2, 2), p=p_, ref=partial(np.linalg.cond, p=p_), note=f"p {p_}")
    case(norm.matrix_norm, spread(2, 2, 3), ord="fro" if p_ is None else p_, note=f"ord {p_}",
         ref=partial(np.linalg.matrix_norm, ord="fro" if p_ is None else p_))  # fmt: skip
    if p_ != "fro" and p_ != "nuc":
        case(norm.vector_norm, spread(2, 3), ord=p_, axis=1, note=f"ord {p_}",
             ref=lambda x, p=p_: np.linalg.norm(x, 2 if p is None else p, axis=1))  # fmt: skip
case(condition.cond, spread(3, 2), ref=np.linalg.cond)
case(condition.cond, _two, p=1, smooth=False, ref=lambda x: np.array([math.inf, 1.0]), note="one singular")
case(norm.matrix_norm, spread(2, 3), keepdims=True, ord=2, note="kept",
     ref=lambda x: np.linalg.matrix_norm(x, keepdims=True, ord=2))  # fmt: skip
for shape_ in ((0, 2), (2, 0, 3)):
    for ord_ in ("nuc", 2):
        case(norm.matrix_norm, normal(*shape_), ord=ord_, ref=partial(np.linalg.matrix_norm, ord=ord_),
             note=f"{shape_} {ord_}")  # fmt: skip
case(norm.vector_norm, normal(2, 3), ref=np.linalg.vector_norm)
case(norm.vector_norm, normal(2, 3, 2), axis=(0, -1), keepdims=True, ord=3, note="axes",
     ref=lambda x: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True, ord=3))  # fmt: skip
case(norm.norm, spread(2, 3, 2), ord="nuc", axis=(2, 0), keepdims=True, note="nuclear",
     ref=lambda x: np.linalg.norm(x, "nuc", axis=(2, 0), keepdims=True))  # fmt: skip
