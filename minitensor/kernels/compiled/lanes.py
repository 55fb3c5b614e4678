"""Formulas and sums for eight channels at a time, where LLVM would not make vectors of a loop by itself.

It does not of loops that read and write many places at once, as it cannot know that they lie apart.
"""

from collections.abc import Callable

from minitensor.kernels.compiled.compiler import IR, Intrinsic, intrinsic

__all__ = ["WIDTH", "Lanes", "line", "sums", "transposed"]

WIDTH = 8


class Lanes:
    """Eight floats, with which formulas are written as with one."""

    def __init__(self, builder: IR, value: IR) -> None:
        self.builder, self.value = builder, value

    def _of(self, value: IR) -> "Lanes":
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

    def mixed(self, other: "Lanes", places: list[int]) -> "Lanes":
        """Return the floats at these places of the sixteen."""
        from llvmlite import ir

        mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), places)
        return self._of(self.builder.shuffle_vector(self.value, other.value, mask))


def transposed(*rows: Lanes) -> tuple[Lanes, ...]:
    """Return the columns of a square: blocks of 1, 2 and 4 lanes beside the diagonal change places."""
    square = list(rows)
    for d in (1, 2, 4):
        for k in [k for k in range(WIDTH) if not k & d]:
            a, b = square[k], square[k + d]
            square[k] = a.mixed(b, [lane - d + WIDTH if lane & d else lane for lane in range(WIDTH)])
            square[k + d] = a.mixed(b, [lane + WIDTH if lane & d else lane + d for lane in range(WIDTH)])
    return tuple(square)


def line(formula: Callable[..., tuple[IR, ...]], count: int) -> Intrinsic:
    """Return transform(x, i, apart, y, j, stride): eight entries of y[j], y[j + stride], ... = formula of those of x.

    The formula takes x[i], x[i + apart], ..., `count` of them; all are read before the first is written.
    """

    def transform(context: IR, x: IR, i: IR, apart: IR, y: IR, j: IR, stride: IR) -> IR:
        from llvmlite import ir
        from numba import types

        def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
            size = x.dtype.bitwidth // 8
            pointer = ir.VectorType(context.get_value_type(x.dtype), WIDTH).as_pointer()

            def place(array: IR, value: IR, start: IR, step: IR, k: int) -> IR:
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


def _offset(builder: IR, start: IR, *pairs: tuple[IR, IR]) -> IR:
    """Return start + Σ factor · value."""
    for factor, value in pairs:
        start = builder.add(start, builder.mul(factor, value))
    return start


def _eight(builder: IR, start: IR) -> IR:
    """Return the eight floats that a pointer to eight begins with."""
    from llvmlite import ir

    return builder.load(start, align=4 if start.type.pointee.element == ir.FloatType() else 8)


def _repeated(builder: IR, start: IR) -> IR:
    """Return the float that a pointer to eight begins with, in all eight lanes."""
    from llvmlite import ir

    kind = start.type.pointee
    one = builder.load(builder.bitcast(start, kind.element.as_pointer()))
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), one, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


def sums(count: int, spread: bool) -> Intrinsic:
    """Return sums(x, i, row, column, step, w, j, apart, size, y, k, stride): sums of x times w, eight channels of each.

    y[k + p stride] = Σ_abc x[i + p step + a row + b column + c] w[j + ((a kw + b) depth + c) apart] for p < count, with
    size = (kh, kw, depth). Of w and y an entry is eight; of x too, or one that is spread over them.
    """

    def sums(
        context: IR, x: IR, i: IR, row: IR, column: IR, step: IR, w: IR, j: IR, apart: IR, size: IR, y: IR,
        k: IR, stride: IR,
    ) -> IR:  # fmt: skip
        from llvmlite import ir
        from numba import types
        from numba.core import cgutils

        def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
            x_, i_, row_, column_, step_, w_, j_, apart_, size_, y_, k_, stride_ = args
            kh_, kw_, depth_ = (builder.extract_value(size_, n) for n in range(3))
            kind = ir.VectorType(context.get_value_type(x.dtype), WIDTH)

            def place(array: IR, value: IR, index: IR) -> IR:
                data = context.make_array(array)(context, builder, value).data
                return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())

            taken = _repeated if spread else _eight
            zero = ir.Constant(kind, [0.0] * WIDTH)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(count)]  # type: ignore[no-untyped-call]
            for total in totals:
                builder.store(zero, total)
            with (
                cgutils.for_range(builder, kh_) as a,
                cgutils.for_range(builder, kw_) as b,
                cgutils.for_range(builder, depth_) as c,
            ):
                tap = _offset(builder, b.index, (a.index, kw_))
                tap = _offset(builder, c.index, (tap, depth_))
                factor = _eight(builder, place(w, w_, _offset(builder, j_, (tap, apart_))))
                first = builder.add(_offset(builder, i_, (a.index, row_), (b.index, column_)), c.index)
                for p, total in enumerate(totals):
                    entry = taken(builder, place(x, x_, _offset(builder, first, (step_, step_.type(p)))))
                    product = builder.fmul(entry, factor, flags=("contract",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for p, total in enumerate(totals):
                target = place(y, y_, _offset(builder, k_, (stride_, stride_.type(p))))
                builder.store(builder.load(total), target, align=x.dtype.bitwidth // 8)
            return context.get_dummy_value()

        n = types.intp
        window = types.UniTuple(n, 3)  # type: ignore[no-untyped-call]
        return types.void(x, n, n, n, n, w, n, n, window, y, n, n), generate

    sums.__name__ = f"sums{count}{'spread' if spread else ''}"
    return intrinsic(sums)
