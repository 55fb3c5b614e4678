"""Complex numbers, under NumPy's and PyTorch's names. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops.elementwise import complex_numbers as cn

__all__ = ["angle", "complex", "conj", "conjugate", "imag", "real", "view_as_complex", "view_as_real"]

angle = public(cn.angle)
complex = public(cn.complex)
conj = conjugate = public(cn.conj)
imag = public(cn.imag)
real = public(cn.real)
view_as_complex = public(cn.view_as_complex)
view_as_real = public(cn.view_as_real)
