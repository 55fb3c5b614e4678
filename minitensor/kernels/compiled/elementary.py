"""Elementary functions for compiled loops, without a branch or a table, so that loops over them become vectors.

Each is right for every float: subnormals, NaN, infinity, and the sign of a zero. The errors are the largest ones found,
in units in the last place: over all float32 numbers, and over samples of all exponents in float64. The coefficients
are those of polynomials with the smallest largest error (Remez), for float32 and for float64.
"""

from math import inf, nan

from minitensor.kernels.compiled.bits import exponent, mantissa, polynomial, power_of_two, select, with_sign
from minitensor.kernels.compiled.compiler import Number, PerDtype, inlined

__all__ = ["erf", "exp", "expm1", "log", "log1p", "sigmoid", "tanh"]

# t = n + MAGIC is n rounded to an integer, which stands in t's last bits together with the bias of exponents.
MAGIC = PerDtype(1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)
LOG2_E = 1.4426950408889634
LN2_HIGH = PerDtype(0.693359375, 0.693145751953125)  # so few bits that n LN2_HIGH is exact
LN2_LOW = PerDtype(-2.1219444005469057e-4, 1.4286068203094172321e-6)
LOWEST, HIGHEST = PerDtype(-104.0, -746.0), PerDtype(89.0, 710.0)  # beyond them exp is 0 or inf
EXP = PerDtype(  # of (eʳ - 1 - r)/r², |r| <= ln(2)/2
    (0.000199089, 0.001393454425, 0.008333284113, 0.04166645678, 0.1666666676, 0.5000000014),
    (
        2.092247964872678e-09, 2.5106275476467572e-08, 2.755725025000217e-07, 2.7557252831514788e-06,
        2.480158735012689e-05, 0.0001984126987686612, 0.0013888888888873208, 0.008333333333325544,
        0.041666666666666685, 0.1666666666666667, 0.5,
    ),
)  # fmt: skip


@inlined
def exp(x: Number) -> Number:
    """y = eˣ, to 1 unit in the last place"""
    x = select(x > HIGHEST, HIGHEST, x)
    x = select(x < LOWEST, LOWEST, x)
    n = (x * LOG2_E + MAGIC) - MAGIC
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    half = n * 0.5 + MAGIC  # 2ⁿ in two steps, as it may be too large or too small for one
    rest = (n - (half - MAGIC)) + MAGIC
    return (1.0 + (r + r * r * polynomial(r, EXP))) * power_of_two(half) * power_of_two(rest)


@inlined
def expm1(x: Number) -> Number:
    """y = eˣ - 1, to 2 units in the last place: ((eʳ - 1) 2ʰ + (2ʰ - 2⁻ᵏ)) 2ᵏ for h + k = n"""
    v = select(x > HIGHEST, HIGHEST, x)
    v = select(v < LOWEST, LOWEST, v)
    n = (v * LOG2_E + MAGIC) - MAGIC
    r = (v - n * LN2_HIGH) - n * LN2_LOW
    half = n * 0.5 + MAGIC
    k = n - (half - MAGIC)
    h = power_of_two(half)
    y = ((r + r * r * polynomial(r, EXP)) * h + (h - power_of_two(MAGIC - k))) * power_of_two(k + MAGIC)
    return with_sign(y, x)


TINY = PerDtype(2.0**-126, 2.0**-1022)  # the smallest normal number
LIFT = PerDtype(2.0**23, 2.0**52)
LIFTED = PerDtype(23.0, 52.0)
LOG = PerDtype(  # of (ln((1+s)/(1-s)) - 2s)/s³ in s²
    (0.2359630214, 0.2853660478, 0.4000034554, 0.666666656),
    (
        0.1326708066788588, 0.13248387232091452, 0.15387167449470154, 0.18181773913568852, 0.2222222266865797,
        0.2857142856894104, 0.40000000000006697, 0.6666666666666666,
    ),
)  # fmt: skip


@inlined
def log(x: Number) -> Number:
    """y = ln x, to 1 unit in the last place; -inf at 0, NaN below"""
    v = select(x < TINY, x * LIFT, x)
    e = exponent(v) - select(x < TINY, LIFTED, 0.0)
    f = mantissa(v) - 1.0
    s = f / (2.0 + f)
    half = 0.5 * f * f
    y = e * LN2_HIGH - ((half - (s * (half + s * s * polynomial(s * s, LOG)) + e * LN2_LOW)) - f)
    y = select(x > 0.0, y, select(x == 0.0, -inf, nan))
    return select(x == inf, x, y)


@inlined
def log1p(x: Number) -> Number:
    """y = ln(1 + x), to 1.7 units in the last place; what rounding 1 + x loses is added again"""
    u = 1.0 + x
    y = log(u)
    lost = select((u > 0.0) & (u < inf), (x - (u - 1.0)) / u, 0.0)
    return with_sign(y + lost, x)


@inlined
def tanh(x: Number) -> Number:
    """y = tanh x, to 2.7 units in the last place: t/(2 - t) for t = 1 - e^(-2|x|)"""
    t = -expm1(-2.0 * abs(x))
    return with_sign(t / (2.0 - t), x)


@inlined
def sigmoid(x: Number) -> Number:
    """y = 1 / (1 + e⁻ˣ), to 2.7 units in the last place: of e^(-|x|), so that small results keep all their digits"""
    t = exp(-abs(x))
    return select(x >= 0.0, 1.0, t) / (1.0 + t)


ERF_LARGEST = PerDtype(4.0, 6.0)  # beyond it, erf is 1
ERF_NEAR = PerDtype(  # of erf(x)/x - 1 in x², |x| <= 1
    (7.889119958e-05, -0.0008020841361, 0.005189535341, -0.02685444459, 0.1128360018, -0.3761262714, 0.1283791659),
    (
        5.960685514044635e-11, -1.1374955121983577e-09, 1.4660328354721725e-08, -1.6350396133054441e-07,
        1.6461008465584945e-06, -1.4925595771154102e-05, 0.00012055331132900507, -0.000854832698142363,
        0.00522397762482839, -0.02686617064507787, 0.11283791670954885, -0.3761263890318375, 0.1283791670955126,
    ),
)  # fmt: skip
ERF_FAR = PerDtype(  # of -ln erfc(x), x >= 1
    (
        2.168674016e-05, -0.0004413350083, 0.004204554707, -0.0252082363, 0.108418543, 0.633219927, 1.129578406,
        -0.0001880360927,
    ),
    (
        -2.254350779184905e-14, 1.247987793756662e-12, -3.270997370833931e-11, 5.399565667291957e-10,
        -6.296790769743371e-09, 5.5116811282133274e-08, -3.751206143968324e-07, 2.0247866603607297e-06,
        -8.728780673094852e-06, 2.9794113026861003e-05, -7.748427661169695e-05, 0.000134719075410915,
        -5.865735906388218e-05, -0.0005069305715379814, 0.0016298143138698546, -0.00016687599197248853,
        -0.019149482070441547, 0.1027804573492901, 0.6366177013692287, 1.1283795107371073, -2.696892331959276e-08,
    ),
)  # fmt: skip


@inlined
def erf(x: Number) -> Number:
    """y = 2/√π ∫₀ˣ e^(-t²) dt, to 1.5 units in the last place: a polynomial near 0, 1 - e^(a polynomial) beyond 1"""
    t = abs(x)
    t = select(t > ERF_LARGEST, ERF_LARGEST, t)
    near = t + t * polynomial(t * t, ERF_NEAR)
    far = 1.0 - exp(-polynomial(t, ERF_FAR))
    return with_sign(select(t < 1.0, near, far), x)
