"""Cases: complex numbers, their parts, and the functions that take them."""

from __future__ import annotations

import numpy as np

from minitensor.ops import elementwise
from minitensor.ops.elementwise import complex_numbers
from minitensor.ops.indexing import index
from minitensor.ops.linalg import matmul as linalg
from minitensor.ops.linalg import norm, outer
from minitensor.ops.reductions import reduce, scan
from minitensor.ops.shaping import diagonal, join
from tests.minitensor.cases.case import case, distinct, normal, positive


def plane(*shape: int) -> np.ndarray:
    """Complex numbers of the right half plane, off the branch cuts: |x| in [0.5, 2.8]."""
    return np.asarray(positive(*shape) + 1j * distinct(*shape) / 2)


for op_, ref_ in (
    (complex_numbers.conjugate, np.conj), (complex_numbers.conj, np.conj), (complex_numbers.real, np.real),
    (complex_numbers.imag, np.imag), (complex_numbers.angle, np.angle),
    (complex_numbers.view_as_real, lambda x: np.stack([x.real, x.imag], -1)),
):  # fmt: skip
    case(op_, plane(2, 3), ref=ref_)
    case(op_, -plane(0, 3), ref=ref_)
    case(op_, plane(1).reshape(()), ref=ref_)
    if op_ is not complex_numbers.view_as_real:
        case(op_, distinct(2, 3), ref=ref_, note="real")
case(complex_numbers.complex, normal(2, 3), normal(3), ref=lambda a, b: a + 1j * b)
case(complex_numbers.complex, normal(2, 3), 2.0, ref=lambda a, b: a + 1j * b)
case(complex_numbers.complex, 2.0, normal(0, 3), ref=lambda a, b: a + 1j * b)
case(complex_numbers.view_as_complex, normal(3, 2), ref=lambda x: x[:, 0] + 1j * x[:, 1])
case(complex_numbers.view_as_complex, normal(2), ref=lambda x: np.asarray(x[0] + 1j * x[1]))

for op_, ref_ in (
    (elementwise.add, np.add), (elementwise.subtract, np.subtract), (elementwise.multiply, np.multiply),
    (elementwise.divide, np.divide), (elementwise.power, np.power),
):  # fmt: skip
    case(op_, plane(2, 3), plane(3), ref=ref_, note="complex")
    case(op_, plane(2, 1), positive(3), ref=ref_, note="complex with real")
    case(op_, positive(3), plane(2, 1), ref=ref_, note="real with complex")
    case(op_, plane(3), 2 - 1j, ref=ref_, note="complex with a number")
    case(op_, 2 - 1j, positive(3), ref=ref_, note="a complex number with real")
case(elementwise.power, plane(3), 3, ref=np.power, note="complex cubed")
case(elementwise.power, plane(3), 0, ref=np.power, note="complex to 0")
for name_ in "exp exp2 expm1 log log2 log10 log1p sqrt square reciprocal negative sin cos tan sinh cosh tanh".split():
    case(getattr(elementwise, name_), plane(2, 3), ref=getattr(np, name_), note="complex")
for name_ in "sin cos tan sinh cosh tanh".split():
    case(getattr(elementwise, f"a{name_}"), plane(2, 3) / 3, ref=getattr(np, f"arc{name_}"), note="complex")
case(elementwise.acosh, -plane(2, 3), ref=np.arccosh, note="complex, left")
case(elementwise.rsqrt, plane(2, 3), ref=lambda x: 1 / np.sqrt(x), note="complex")
case(elementwise.abs, -plane(2, 3), ref=np.abs, note="complex")
case(elementwise.where, np.array([True, False, True]), plane(2, 3), normal(3), ref=np.where, note="complex")
case(elementwise.astype, plane(3), dtype="complex64", ref=lambda x: x.astype("complex64"), smooth=False, note="c64")
case(elementwise.astype, normal(3), dtype="complex128", ref=lambda x: x.astype("complex128"), note="to complex")
for op_, ref_ in (
    (elementwise.equal, np.equal),
    (elementwise.not_equal, np.not_equal),
    (elementwise.isclose, np.isclose),
):
    case(op_, np.array([1j, 2.0]), np.array([1j, 1j]), ref=ref_, smooth=False, note="complex")
for name_ in "isfinite isinf isnan".split():
    x_ = np.array([1j, complex(0, np.inf), complex(np.nan, 0)])
    case(getattr(elementwise, name_), x_, ref=getattr(np, name_), smooth=False, note="complex")
for op_, ref_ in ((reduce.sum, np.sum), (reduce.mean, np.mean), (reduce.prod, np.prod)):
    case(op_, plane(2, 3), axis=1, ref=lambda x, f=ref_: f(x, axis=1), note="complex")
    case(op_, plane(3), ref=ref_, note="complex, all")
case(
    reduce.count_nonzero, np.array([1j, 0]), ref=lambda x: np.asarray(np.count_nonzero(x)), smooth=False, note="complex"
)
case(scan.cumsum, plane(2, 3), axis=1, ref=lambda x: np.cumsum(x, 1), note="complex")
case(scan.cumprod, plane(2, 3), axis=1, ref=lambda x: np.cumprod(x, 1), note="complex")
for ord_ in (None, 1, 3, np.inf):
    case(norm.norm, plane(4), ord=ord_, ref=lambda x, p=ord_: np.asarray(np.linalg.norm(x, p)), note=f"complex {ord_}")
case(linalg.bmm, plane(2, 3), plane(2, 3, 2), ref=np.matmul, note="complex")
case(linalg.bmm, plane(2, 3), normal(3, 2), ref=np.matmul, note="complex with real")
case(linalg.matmul, plane(3), normal(3, 2), ref=np.matmul, note="complex vector")
case(linalg.einsum, plane(2, 3), plane(3, 2), subscripts="ij,jk->ik", ref=np.matmul, note="complex")
case(linalg.einsum, plane(3, 3), subscripts="ii->i", ref=lambda x: np.diagonal(x).copy(), note="complex diagonal")
case(outer.outer, plane(2), normal(3), ref=np.outer, note="complex")
case(diagonal.tril, plane(2, 3), ref=np.tril, note="complex")
case(join.concatenate, plane(2, 3), normal(1, 3), ref=lambda a, b: np.concatenate([a, b]), note="complex with real")
case(index.getitem, plane(3), index=np.array([2, 0, 2]), ref=lambda x: x[[2, 0, 2]], note="complex")
