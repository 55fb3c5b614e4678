"""What is computed another way for many entries than for few: both ways agree."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops.elementwise.selection import FEW, select
from minitensor.ops.indexing.gather import add_rows

SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.5]


def drawn(*shape, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    return np.where(rng.random(shape) < 0.2, rng.choice(SPECIAL, shape), x).astype(dtype)


MANY, CONDITION = (3, FEW), np.random.default_rng(1).random((3, FEW)) < 0.5
PAIRS = {
    "floats": (drawn(*MANY), drawn(*MANY, seed=2)),
    "float64": (drawn(*MANY, dtype="float64"), drawn(*MANY, dtype="float64", seed=2)),
    "halves": (drawn(*MANY, dtype="float16"), drawn(*MANY, dtype="float16", seed=2)),
    "integers": (np.arange(3 * FEW).reshape(MANY), -np.arange(3 * FEW).reshape(MANY)),
    "a and 0": (drawn(*MANY), 0.0),
    "0 and b": (0, drawn(*MANY)),
    "a and -0": (drawn(*MANY), -0.0),
    "number": (2.5, drawn(*MANY)),
    "integers, float": (np.arange(3 * FEW).reshape(MANY), 0.5),
    "two dtypes": (drawn(*MANY), drawn(*MANY, dtype="float64")),
    "broadcast": (drawn(2, 1, FEW), drawn(3, 1)),
    "broadcast and 0": (drawn(2, 1, FEW), 0.0),
    "one": (np.float32(1) * drawn(1)[0], drawn(*MANY)),
    "other layout": (drawn(FEW, 3).T, np.broadcast_to(np.float32(3), MANY)),
    "two numbers": (1.0, 0.0),
    "complex": (1j, drawn(*MANY)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("condition", [CONDITION, CONDITION[:1], np.asfortranarray(CONDITION)])
def test_select_is_where(name, condition):
    """Bit by bit, with the dtype and the shape of NumPy's."""
    a, b = PAIRS[name]
    ours, theirs = select(condition, a, b), np.where(condition, a, b)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_array_equal(ours, theirs)
    if theirs.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(ours), np.signbit(theirs))


@pytest.mark.parametrize("exponent", [3, 4, 7, 16, -2, -3, -8, 5.0, -16.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_powers(exponent, dtype):
    """A product of n factors is off by n roundings at most; signs, zeros and infinities are the power's own."""
    x = np.array([1.7, -0.3, 0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-30], dtype)
    with np.errstate(all="ignore"):
        theirs = np.power(x.astype("float64"), exponent).astype(dtype)
        ours = mt.power(mt.Tensor(x), exponent).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=abs(exponent) * np.finfo(dtype).eps)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("what", ["distinct", "ties", "NaN", "other axis", "infinities"])
def test_first_of_many(largest, what):
    """The first few of long lanes are those of a full stable sort, ties and NaN too."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 5, 40)).astype("float32")
    if what == "ties":
        x = x.round(0)
    if what == "NaN":
        x[1, 2, 7] = np.nan
    if what == "infinities":
        x[..., :3] = np.inf
    axis = 1 if what == "other axis" else -1
    x = np.ascontiguousarray(np.swapaxes(x, 1, 2)) if axis == 1 else x
    y, index = mt.topk(mt.Tensor(x), 4, axis=axis, largest=largest)
    order = mt.argsort(x, axis=axis, descending=largest)
    np.testing.assert_array_equal(index.numpy(), np.take(order.numpy(), range(4), axis=axis))
    np.testing.assert_array_equal(y.numpy(), np.take_along_axis(x, index.numpy(), axis))


@pytest.mark.parametrize(
    ("rows", "places", "width"), [(50, 7, 33), (50, 7, 3), (300, 200, 64), (90, 1, 40), (64, 64, 32)]
)
@pytest.mark.parametrize("axis", [0, 1])
def test_rows_added_up(rows, places, width, axis):
    """Repeated places add up as np.add.at adds them, to float64's rounding."""
    rng = np.random.default_rng(4)
    index = rng.integers(-places, places, rows)
    x = rng.standard_normal((rows, width))
    expected = np.zeros((places, width))
    np.add.at(expected, index, x)
    given, wanted = (x, expected) if axis == 0 else (x.T, expected.T)
    np.testing.assert_allclose(add_rows(given, index, axis=axis, length=places), wanted, atol=1e-13)
