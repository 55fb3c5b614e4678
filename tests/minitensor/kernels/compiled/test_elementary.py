"""The elementary functions of compiled loops: errors over all exponents, and what they make of special numbers."""

import math

import numpy as np
import pytest

from minitensor.kernels.compiled import elementary
from minitensor.kernels.compiled.compiler import compiled

LIMITS = {"exp": 1.0, "expm1": 2.0, "log": 1.0, "log1p": 1.7, "tanh": 2.7, "sigmoid": 2.7, "erf": 1.5}  # as they say
WIDER = {np.float32: np.float64, np.float64: np.longdouble}
BITS = {np.float32: (np.uint32, 24, -149), np.float64: (np.uint64, 53, -1074)}


@compiled
def apply(x, y):
    for i in range(x.size):
        y[i] = f(x[i])  # noqa: F821


LOOPS = {name: apply.of_parts(f=getattr(elementary, name)) for name in LIMITS}
REFERENCES = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": lambda x: np.array([math.erf(v) for v in x.tolist()], x.dtype),
}


def evaluated(name, x):
    """Return the function and a wider reference of it."""
    y = np.empty_like(x)
    LOOPS[name](x, y)
    with np.errstate(all="ignore"):
        return y, REFERENCES.get(name, getattr(np, name, None))(x.astype(WIDER[x.dtype.type]))


def errors(y, reference, dtype):
    """Return |y - reference| in units in the last place of the dtype; where both overflow it is 0."""
    _, digits, least = BITS[dtype]
    with np.errstate(all="ignore"):
        narrow = reference.astype(dtype)
        _, exponent = np.frexp(np.where(np.isfinite(reference), np.abs(reference), 0))
        error = np.abs(y - reference) / np.ldexp(np.ones_like(reference), np.maximum(exponent - digits, least))
    assert np.array_equal(np.isnan(y), np.isnan(narrow)) and np.array_equal(np.isinf(y), np.isinf(narrow))
    finite = np.isfinite(narrow)
    assert np.array_equal(np.signbit(y[finite]), np.signbit(narrow[finite]))
    return error[finite]


@pytest.mark.parametrize("name", LIMITS)
def test_float32_of_all_exponents(name):
    """Four million bit patterns of all 2³², with every exponent, subnormals and NaN, and both signs."""
    step = 1021 if name != "erf" else 40_009  # prime
    x = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = np.random.default_rng(0).normal(0, 3, 100_000).astype(np.float32)
    for v in (x, near):
        assert errors(*evaluated(name, v), np.float32).max() <= LIMITS[name]


@pytest.mark.parametrize("name", LIMITS)
def test_float64_of_all_exponents(name):
    if np.finfo(np.longdouble).nmant <= 52 and name != "erf":
        pytest.skip("nothing here is wider than float64")
    generator = np.random.default_rng(0)
    x = generator.integers(0, 2**64, 100_000, dtype=np.uint64).view(np.float64)
    for v in (x, *(generator.normal(0, size, 30_000) for size in (1e-300, 1e-8, 0.3, 3, 30, 300))):
        limit = LIMITS[name] + (name == "erf")  # whose reference is off by as much as one unit itself
        assert errors(*evaluated(name, v), np.float64).max() <= limit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_special_numbers(name, dtype):
    info = np.finfo(dtype)
    x = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, info.tiny, -info.tiny, info.max, -info.max]
    x = np.array([*x, info.smallest_subnormal, -info.smallest_subnormal], dtype)
    y, reference = evaluated(name, x)
    assert errors(y, reference, dtype).max() <= LIMITS[name] + (name == "erf")
    assert np.array_equal(y[2:], np.concatenate([evaluated(name, v)[0] for v in x[2:, None]]), equal_nan=True)
