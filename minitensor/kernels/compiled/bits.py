"""What Python cannot say about floats: their bits, and polynomials as fused multiply-adds.

Each function emits LLVM's instructions for float32 or float64; they work on vectors too, and pass NaN on.
"""

from minitensor.kernels.compiled.compiler import IR, intrinsic

__all__ = ["exponent", "mantissa", "ordered", "polynomial", "power_of_two", "select", "unordered", "with_sign"]

ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}  # the bits of √½
FRACTION = {32: 23, 64: 52}  # how many bits of a float are its fraction


def _word(builder: IR, x: IR) -> IR:
    """Return the bits of a float as an integer of its size."""
    from llvmlite import ir

    return builder.bitcast(x, ir.IntType(32 if x.type == ir.FloatType() else 64))


def _float(builder: IR, word: IR) -> IR:
    """Return the float that has these bits."""
    from llvmlite import ir

    return builder.bitcast(word, ir.FloatType() if word.type.width == 32 else ir.DoubleType())


@intrinsic
def polynomial(context: IR, x: IR, coefficients: IR) -> IR:
    """y = c₀xⁿ + ... + cₙ of a tuple (c₀, ..., cₙ), by Horner's rule, in fused multiply-adds where there are any"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        y = builder.extract_value(args[1], 0)
        for k in range(1, len(coefficients)):
            product = builder.fmul(y, args[0], flags=("contract",))
            y = builder.fadd(product, builder.extract_value(args[1], k), flags=("contract",))
        return y

    return x(x, coefficients), generate


@intrinsic
def select(context: IR, condition: IR, a: IR, b: IR) -> IR:
    """y = a where the condition holds, else b, without a branch: both are computed"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        return builder.select(*args)

    return a(condition, a, b), generate


@intrinsic
def power_of_two(context: IR, t: IR) -> IR:
    """y = 2ⁿ for t = n + MAGIC, whose last bits are n and the exponent's bias: they are shifted to their place"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        word = _word(builder, args[0])
        return _float(builder, builder.shl(word, word.type(FRACTION[word.type.width])))

    return t(t), generate


@intrinsic
def ordered(context: IR, x: IR) -> IR:
    """Return an integer that is the larger, the larger the float: the largest of many is found in vectors of them.

    A NaN lies beyond an infinity, on the side of its sign.
    """
    from numba import types

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        return _turned(builder, _word(builder, args[0]))

    return (types.int32 if x is types.float32 else types.int64)(x), generate


@intrinsic
def unordered(context: IR, i: IR) -> IR:
    """Return the float of which this is the `ordered` integer."""
    from numba import types

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        return _float(builder, _turned(builder, args[0]))

    return (types.float32 if i is types.int32 else types.float64)(i), generate


def _turned(builder: IR, word: IR) -> IR:
    """Return the word, below 0 with all bits but the first turned round."""
    width = word.type.width
    negative = builder.ashr(word, word.type(width - 1))
    return builder.xor(word, builder.and_(negative, word.type((1 << (width - 1)) - 1)))


@intrinsic
def with_sign(context: IR, x: IR, sign: IR) -> IR:
    """y = |x| with the sign of the other, of zeros and NaN too"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        word, other = _word(builder, args[0]), _word(builder, args[1])
        top = 1 << (word.type.width - 1)
        size, side = builder.and_(word, word.type(top - 1)), builder.and_(other, word.type(top))
        return _float(builder, builder.or_(size, side))

    return x(x, sign), generate


@intrinsic
def exponent(context: IR, x: IR) -> IR:
    """y = e as a float, for a positive normal x = m 2ᵉ with √½ <= m < √2"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        word = _word(builder, args[0])
        width = word.type.width
        moved = builder.sub(word, word.type(ROOT_HALF[width]))
        return builder.sitofp(builder.ashr(moved, word.type(FRACTION[width])), args[0].type)

    return x(x), generate


@intrinsic
def mantissa(context: IR, x: IR) -> IR:
    """y = m, for a positive normal x = m 2ᵉ with √½ <= m < √2"""

    def generate(context: IR, builder: IR, signature: IR, args: IR) -> IR:
        word = _word(builder, args[0])
        width = word.type.width
        moved = builder.sub(word, word.type(ROOT_HALF[width]))
        fraction = builder.and_(moved, word.type((1 << FRACTION[width]) - 1))
        return _float(builder, builder.add(fraction, word.type(ROOT_HALF[width])))

    return x(x), generate
