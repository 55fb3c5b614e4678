"""Cases: products of vectors and tensors, covariances, distances between points."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from minitensor.ops.linalg import covariance, distance, products
from tests.minitensor.cases.case import case, distinct, normal, positive


def plane(*shape: int) -> np.ndarray:
    return np.asarray(normal(*shape) + 1j * normal(*shape))


for shapes_, axes_ in (
    (((2, 3, 2), (3, 2, 2)), 2),
    (((2, 3), (2, 2)), 0),
    (((2, 3), (3, 2)), 1),
    (((2, 3, 2), (2, 3)), ((-1, 1), (0, -1))),
    (((2, 0), (0, 3)), 1),
    (((0, 2), (2, 3)), 1),
    (((), (2,)), 0),
):
    case(
        products.tensordot,
        *(normal(*s) for s in shapes_),
        axes=axes_,
        ref=partial(np.tensordot, axes=axes_),
        note=f"{shapes_} {axes_}",
    )
case(products.tensordot, plane(2, 2), normal(2, 2), axes=1, ref=np.matmul, note="complex")
for name_, pairs_ in {
    "inner": (((3,), (3,)), ((2, 3), (2, 1, 3)), ((), (2,)), ((2, 0), (3, 0))),
    "dot": (((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 3, 2)), ((3,), (3, 2)), ((2,), ()), ((0,), (0,))),
    "vdot": (((3,), (3,)), ((2, 3), (3, 2)), ((), (1,)), ((0,), (0, 2))),
}.items():
    for a_, b_ in pairs_:
        case(getattr(products, name_), normal(*a_), normal(*b_), ref=getattr(np, name_))
        case(getattr(products, name_), plane(*a_), plane(*b_), ref=getattr(np, name_), note=f"complex {a_} {b_}")
for a_, b_, axis_ in (((2, 3), (3,), -1), ((3, 2), (3, 1), 0), ((2, 1, 3), (2, 3), -1), ((0, 2), (0, 2), 0)):
    case(products.vecdot, normal(*a_), normal(*b_), axis=axis_, ref=partial(np.linalg.vecdot, axis=axis_))
case(products.vecdot, plane(2, 3), plane(2, 3), ref=np.linalg.vecdot, note="complex")
case(products.cross, normal(3), normal(3), ref=np.linalg.cross)
case(products.cross, normal(2, 3), normal(3), ref=np.linalg.cross)
case(products.cross, normal(3, 2), normal(3, 1), axis=0, ref=partial(np.linalg.cross, axis=0), note="axis 0")
case(products.cross, normal(0, 3), normal(0, 3), ref=np.linalg.cross)
for shapes_ in (
    ((2, 3), (3, 2)),
    ((1, 4), (4, 2), (2, 3)),
    ((3,), (3, 2), (2, 3), (3,)),
    ((2, 3), (3, 1), (1, 2), (2,)),
):
    case(products.multi_dot, *(normal(*s) for s in shapes_), ref=lambda *xs: np.linalg.multi_dot(xs))
case(products.multi_dot, normal(3), normal(3), ref=lambda *xs: np.dot(*xs))

case(covariance.cov, normal(3, 4), ref=np.cov)
case(covariance.cov, normal(4), ref=np.cov)
case(covariance.cov, normal(2, 3), normal(1, 3), ref=np.cov)
case(covariance.cov, normal(4, 2), normal(4), rowvar=False, bias=True, note="columns",
     ref=lambda m, y: np.cov(m, y[:, None], rowvar=False, bias=True))  # fmt: skip
case(covariance.cov, normal(2, 4), ddof=2, ref=partial(np.cov, ddof=2), note="ddof 2")
case(covariance.cov, normal(2, 4), None, np.array([1, 2, 0, 3]), positive(4), note="both weights",
     ref=lambda m, y, f, a: np.cov(m, fweights=f, aweights=a))  # fmt: skip
case(covariance.cov, normal(2, 4), None, None, positive(4), note="aweights", bias=True,
     ref=lambda m, y, f, a: np.cov(m, aweights=a, bias=True))  # fmt: skip
case(covariance.cov, normal(2, 4), None, np.array([1, 2, 0, 3]), note="fweights",
     ref=lambda m, y, f: np.cov(m, fweights=f))  # fmt: skip
case(covariance.corrcoef, normal(3, 5), smooth=False, ref=np.corrcoef)  # clipped where it is 1
case(covariance.corrcoef, normal(5, 2), normal(5), rowvar=False, smooth=False,
     ref=lambda x, y: np.corrcoef(x, y[:, None], rowvar=False))  # fmt: skip
case(covariance.corrcoef, normal(3), smooth=False, ref=np.corrcoef)


def _distances(a: np.ndarray, b: np.ndarray, p: float) -> np.ndarray:
    return np.linalg.norm(a[..., :, None, :] - b[..., None, :, :], p, axis=-1)


for p_ in (2.0, 1.0, 3.0, 0.5, math.inf):
    case(distance.cdist, distinct(2, 3), 3 * distinct(3, 3) + 0.03, p=p_, ref=partial(_distances, p=p_), note=f"p{p_}")
case(distance.cdist, normal(2, 1, 2, 3), normal(2, 1, 3), ref=partial(_distances, p=2), note="batched")
case(distance.cdist, normal(2, 3), normal(2, 3), p=0, ref=lambda a, b: np.full((2, 2), 3.0), note="count")
for a_, b_ in (((0, 3), (2, 3)), ((2, 0), (3, 0))):
    for p_ in (2.0, math.inf):
        case(
            distance.cdist,
            normal(*a_),
            normal(*b_),
            p=p_,
            ref=lambda a, b: np.zeros((len(a), len(b))),
            note=f"{a_} {p_}",
        )
