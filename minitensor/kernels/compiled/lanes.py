"""Formulas for eight channels at a time, where LLVM would not make vectors of a loop by itself.

It does not of loops that read and write many places at once, as it cannot know that they lie apart.
"""

from collections.abc import Callable
from typing import Any

from minitensor.kernels.compiled.compiler import Intrinsic, intrinsic

__all__ = ["WIDTH", "Lanes", "line"]

WIDTH = 8


class Lanes:
    """Eight floats, with which formulas are written as with one."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _of(self, value: Any) -> "Lanes":
        return Lanes(self.builder, value)

    def __add__(self, other: "Lanes") -> "Lanes":
        return self._of(self.builder.fadd(self.value, other.value, flags=("contract",)))

    def __sub__(self, other: "Lanes") -> "Lanes":
        return self._of(self.builder.fsub(self.value, other.value, flags=("contract",)))

    def __rmul__(self, factor: float) -> "Lanes":
        from llvmlite import ir

        kind = self.value.type
        numbers = ir.Constant(kind, [ir.Constant(kind.element, factor)] * WIDTH)
        return self._of(self.builder.fmul(numbers, self.value, flags=("contract",)))


def line(formula: Callable[..., tuple[Any, ...]], count: int) -> Intrinsic:
    """Return transform(x, i, apart, y, j, stride): eight entries of y[j], y[j + stride], ... = formula of those of x.

    The formula takes x[i], x[i + apart], ..., `count` of them; all are read before the first is written.
    """

    def transform(context: Any, x: Any, i: Any, apart: Any, y: Any, j: Any, stride: Any) -> Any:
        from llvmlite import ir
        from numba import types

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            size = x.dtype.bitwidth // 8
            pointer = ir.VectorType(context.get_value_type(x.dtype), WIDTH).as_pointer()

            def place(array: Any, value: Any, start: Any, step: Any, k: int) -> Any:
                data = context.make_array(array)(context, builder, value).data
                index = builder.add(start, builder.mul(step, step.type(k)))
                return builder.bitcast(builder.gep(data, [index]), pointer)

            taken = [builder.load(place(x, *args[:3], k), align=size) for k in range(count)]
            for k, made in enumerate(formula(*(Lanes(builder, v) for v in taken))):
                builder.store(made.value, place(y, *args[3:], k), align=size)
            return context.get_dummy_value()

        return types.void(x, types.intp, types.intp, y, types.intp, types.intp), generate

    transform.__name__ = formula.__name__
    return intrinsic(transform)
