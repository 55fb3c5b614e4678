"""What Python cannot say about floats: their bits, and polynomials as fused multiply-adds.

Each function emits LLVM's instructions for float32 or float64; they work on vectors too, and pass NaN on.
"""

from typing import Any

from minitensor.kernels.compiled.compiler import intrinsic

__all__ = ["exponent", "mantissa", "ordered", "polynomial", "power_of_two", "select", "unordered", "with_sign"]

ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}  # the bits of √½
FRACTION = {32: 23, 64: 52}  # how many bits of a float are its fraction


def _word(builder: Any, x: Any) -> Any:
    """Return the bits of a float as an integer of its size."""
    from llvmlite import ir

    return builder.bitcast(x, ir.IntType(32 if x.type == ir.FloatType() else 64))


def _float(builder: Any, word: Any) -> Any:
    """Return the float that has these bits."""
    from llvmlite import ir

    return builder.bitcast(word, ir.FloatType() if word.type.width == 32 else ir.DoubleType())


@intrinsic
def polynomial(context: Any, x: Any, coefficients: Any) -> Any:
    """y = c₀xⁿ + ... + cₙ of a tuple (c₀, ..., cₙ), by Horner's rule, in fused multiply-adds where there are any"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        y = builder.extract_value(args[1], 0)
        for k in range(1, len(coefficients)):
            product = builder.fmul(y, args[0], flags=("contract",))
            y = builder.fadd(product, builder.extract_value(args[1], k), flags=("contract",))
        return y

    return x(x, coefficients), generate


@intrinsic
def select(context: Any, condition: Any, a: Any, b: Any) -> Any:
    """y = a where the condition holds, else b, without a branch: both are computed"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return a(condition, a, b), generate


@intrinsic
def power_of_two(context: Any, t: Any) -> Any:
    """y = 2ⁿ for t = n + MAGIC, whose last bits are n and the exponent's bias: they are shifted to their place"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0])
        return _float(builder, builder.shl(word, word.type(FRACTION[word.type.width])))

    return t(t), generate


@intrinsic
def ordered(context: Any, x: Any) -> Any:
    """Return an integer that is the larger, the larger the float: the largest of many is found in vectors of them.

    A NaN lies beyond an infinity, on the side of its sign.
    """
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _turned(builder, _word(builder, args[0]))

    return (types.int32 if x is types.float32 else types.int64)(x), generate


@intrinsic
def unordered(context: Any, i: Any) -> Any:
    """Return the float of which this is the `ordered` integer."""
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _float(builder, _turned(builder, args[0]))

    return (types.float32 if i is types.int32 else types.float64)(i), generate


def _turned(builder: Any, word: Any) -> Any:
    """Return the word, below 0 with all bits but the first turned round."""
    width = word.type.width
    negative = builder.ashr(word, word.type(width - 1))
    return builder.xor(word, builder.and_(negative, word.type((1 << (width - 1)) - 1)))


@intrinsic
def with_sign(context: Any, x: Any, sign: Any) -> Any:
    """y = |x| with the sign of the other, of zeros and NaN too"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, other = _word(builder, args[0]), _word(builder, args[1])
        top = 1 << (word.type.width - 1)
        size, side = builder.and_(word, word.type(top - 1)), builder.and_(other, word.type(top))
        return _float(builder, builder.or_(size, side))

    return x(x, sign), generate


@intrinsic
def exponent(context: Any, x: Any) -> Any:
    """y = e as a float, for a positive normal x = m 2ᵉ with √½ <= m < √2"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0])
        width = word.type.width
        moved = builder.sub(word, word.type(ROOT_HALF[width]))
        return builder.sitofp(builder.ashr(moved, word.type(FRACTION[width])), args[0].type)

    return x(x), generate


@intrinsic
def mantissa(context: Any, x: Any) -> Any:
    """y = m, for a positive normal x = m 2ᵉ with √½ <= m < √2"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0])
        width = word.type.width
        moved = builder.sub(word, word.type(ROOT_HALF[width]))
        fraction = builder.and_(moved, word.type((1 << FRACTION[width]) - 1))
        return _float(builder, builder.add(fraction, word.type(ROOT_HALF[width])))

    return x(x), generate
