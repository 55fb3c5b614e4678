"""Formulas and sums for eight channels at a time, where LLVM would not make vectors of a loop by itself.

It does not of loops that read and write many places at once, as it cannot know that they lie apart.
"""

from collections.abc import Callable
from typing import Any

from minitensor.kernels.compiled.compiler import Intrinsic, intrinsic

__all__ = ["WIDTH", "Lanes", "line", "windows"]

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

            taken = [builder.load(place(x, args[0], args[1], args[2], k), align=size) for k in range(count)]
            for k, made in enumerate(formula(*(Lanes(builder, v) for v in taken))):
                builder.store(made.value, place(y, args[3], args[4], args[5], k), align=size)
            return context.get_dummy_value()

        return types.void(x, types.intp, types.intp, y, types.intp, types.intp), generate

    transform.__name__ = formula.__name__
    return intrinsic(transform)


def windows(count: int) -> Intrinsic:
    """Return sums(x, i, row, column, step, w, j, apart, kh, kw, y, k): windows of x times w, eight channels of each.

    y[k + p apart] = Σ_ab x[i + p step + a row + b column] w[j + (a kw + b) apart] for p < count
    """

    def sums(
        context: Any, x: Any, i: Any, row: Any, column: Any, step: Any, w: Any, j: Any, apart: Any, kh: Any, kw: Any,
        y: Any, k: Any,
    ) -> Any:  # fmt: skip
        from llvmlite import ir
        from numba import types
        from numba.core import cgutils

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x_, i_, row_, column_, step_, w_, j_, apart_, kh_, kw_, y_, k_ = args
            kind, size = ir.VectorType(context.get_value_type(x.dtype), WIDTH), x.dtype.bitwidth // 8

            def place(array: Any, value: Any, index: Any) -> Any:
                data = context.make_array(array)(context, builder, value).data
                return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())

            def scaled(start: Any, *pairs: tuple[Any, Any]) -> Any:
                for factor, value in pairs:
                    start = builder.add(start, builder.mul(factor, value))
                return start

            zero = ir.Constant(kind, [0.0] * WIDTH)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(count)]  # type: ignore[no-untyped-call]
            for total in totals:
                builder.store(zero, total)
            with cgutils.for_range(builder, kh_) as a, cgutils.for_range(builder, kw_) as b:
                tap = scaled(j_, (scaled(b.index, (a.index, kw_)), apart_))
                factor = builder.load(place(w, w_, tap), align=size)
                first = scaled(i_, (a.index, row_), (b.index, column_))
                for p, total in enumerate(totals):
                    entry = builder.load(place(x, x_, scaled(first, (step_, step_.type(p)))), align=size)
                    product = builder.fmul(entry, factor, flags=("contract",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for p, total in enumerate(totals):
                builder.store(builder.load(total), place(y, y_, scaled(k_, (apart_, apart_.type(p)))), align=size)
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, n, n, n, w, n, n, n, n, y, n), generate

    sums.__name__ = f"sums{count}"
    return intrinsic(sums)
