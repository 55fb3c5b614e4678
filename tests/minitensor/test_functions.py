"""`mt.*` and Tensor methods follow NumPy: names, signatures, values, and what they take."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F

a = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], "float32")
b = np.array([[1.0, 2.0, -2.0], [0.5, 0.25, 3.0]], "float32")
SAME = {  # called alike, with arrays, lists and Tensors
    "exp": (a,),
    "log1p": (abs(a),),
    "sqrt": (abs(a),),
    "log": (abs(a),),
    "square": (a,),
    "sin": (a,),
    "cos": (a,),
    "tanh": (a,),
    "abs": (a,),
    "sign": (a,),
    "negative": (a,),
    "isfinite": (a,),
    "add": (a, b),
    "subtract": (a, b),
    "multiply": (a, b),
    "divide": (a, b),
    "power": (abs(a), b),
    "maximum": (a, b),
    "minimum": (a, b),
    "equal": (a, b),
    "not_equal": (a, b),
    "less": (a, b),
    "less_equal": (a, b),
    "greater": (a, b),
    "greater_equal": (a, b),
    "matmul": (a, b.T),
    "where": (a > 0, a, b),
    "clip": (a, -0.5, 1.0),
    "sum": (a, 0),
    "mean": (a, -1),
    "max": (a, (0, 1)),
    "min": (a, 1),
    "var": (a, 0),
    "std": (a, 1),
    "argmax": (a, 1),
    "argmin": (a,),
    "any": (a > 0, 0),
    "all": (a > 0,),
    "cumsum": (a, 1),
    "reshape": (a, (3, 2)),
    "transpose": (a,),
    "swapaxes": (a, 0, 1),
    "moveaxis": (a, 0, 1),
    "expand_dims": (a, 1),
    "squeeze": (a[None],),
    "broadcast_to": (a, (2, 2, 3)),
    "flip": (a, 0),
    "concatenate": ([a, b], 1),
    "stack": ([a, b], -1),
    "pad": (a, ((1, 0), (0, 2))),
    "take": (a, np.array([1, 0]), 1),
    "take_along_axis": (a, np.array([[2], [0]]), 1),
}


@pytest.mark.parametrize(("name", "args"), SAME.items(), ids=SAME)
def test_same_as_numpy(name, args):
    expected = getattr(np, name)(*args)
    got = getattr(mt, name)(*args)
    assert isinstance(got, mt.Tensor) and got.shape == np.shape(expected)
    np.testing.assert_allclose(got.numpy(), expected, rtol=2e-6)
    tensors = [mt.Tensor(x) if isinstance(x, np.ndarray) else x for x in args]
    np.testing.assert_allclose(getattr(mt, name)(*tensors).numpy(), expected, rtol=2e-6)


METHODS = """exp log sqrt tanh sigmoid relu abs clip sum mean var std max min argmax argmin any all cumsum reshape
    transpose swapaxes squeeze flatten""".split()


@pytest.mark.parametrize("name", METHODS)
def test_methods_do_what_functions_do(name):
    args = {"clip": (-0.5, 1.0), "cumsum": (1,), "reshape": (3, 2), "swapaxes": (0, 1)}.get(name, ())
    x = mt.Tensor(abs(a) if name in ("log", "sqrt") else a)
    got = getattr(x, name)(*args)
    if name == "flatten":
        expected = x.numpy().ravel()
    elif name == "reshape":
        expected = x.numpy().reshape(args)
        np.testing.assert_array_equal(x.reshape(args).numpy(), expected)
        np.testing.assert_array_equal(x.reshape(3, -1).numpy(), expected)
    else:
        expected = getattr(mt, name)(x, *args).numpy()
    np.testing.assert_array_equal(got.numpy(), expected)


def test_operators():
    x, y = mt.Tensor(a), mt.Tensor(b)
    pairs = [
        (x + y, a + b),
        (x - y, a - b),
        (x * y, a * b),
        (x / y, a / b),
        (x**2, a**2),
        (x @ y.T, a @ b.T),
        (-x, -a),
        (abs(x), abs(a)),
        (2 + x, 2 + a),
        (2 - x, 2 - a),
        (2 * x, 2 * a),
        (2 / y, 2 / b),
        (2**x, 2**a),
        (a + y, a + b),
        (a @ y.mT, a @ b.T),
        (a / y, a / b),
        (x == y, a == b),
        (x != y, a != b),
        (x < y, a < b),
        (x <= y, a <= b),
        (x > y, a > b),
        (x >= y, a >= b),
        ((x > 0) & (y > 0), (a > 0) & (b > 0)),
        ((x > 0) | (y > 0), (a > 0) | (b > 0)),
        (~(x > 0), ~(a > 0)),
    ]
    for got, expected in pairs:
        assert isinstance(got, mt.Tensor) and got.dtype == expected.dtype
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)


def test_split_follows_numpy():
    for cut in (3, [1, 2]):
        for got, expected in zip(mt.split(a, cut, 1), np.split(a, cut, 1), strict=True):
            np.testing.assert_array_equal(got.numpy(), expected)


def test_new_tensors():
    for got, expected in (
        (mt.zeros((2, 3)), np.zeros((2, 3))),
        (mt.ones(2), np.ones(2)),
        (mt.full((2,), 7.0), [7, 7]),
        (mt.eye(2), np.eye(2)),
        (mt.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75]),
        (mt.zeros_like(mt.Tensor(a)), np.zeros_like(a)),
        (mt.ones_like(mt.Tensor(a)), np.ones_like(a)),
    ):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got.numpy(), expected)
    assert mt.arange(3).dtype == np.int64
    assert mt.one_hot([1, 0], 2).tolist() == [[0, 1], [1, 0]]
    u = mt.rand(1000, generator=np.random.default_rng(0)).numpy()
    assert 0 <= u.min() and u.max() < 1 and u.dtype == np.float32


def test_tensor_is_a_good_citizen():
    x = mt.Tensor(a)
    assert len(x) == 2 and x.ndim == 2 and x.size == 6 and x.device == "cpu" and x.is_leaf
    assert [r.shape for r in x] == [(3,), (3,)]
    assert np.asarray(x).dtype == np.float32 and np.array_equal(np.asarray(x), a)
    assert float(x[0, 0]) == 0.5 and int(x[0, 2]) == 2 and bool(x[0, 0] > 0)
    assert [10, 20, 30][mt.Tensor(1)] == 20
    assert len({x, x}) == 1
    assert repr(x[0]) == "Tensor float32 (3,): [ 0.5 -1. 2. ]" or repr(x[0]).startswith("Tensor float32 (3,)")
    y = mt.Tensor(a, requires_grad=True)
    assert "requires_grad" in repr(y) and "from multiply" in repr(y * 2)
    assert x.T.shape == (3, 2) and x.clone() is not x and not np.shares_memory(x.clone().data, x.data)
    assert y.detach().is_leaf and np.shares_memory(y.detach().data, y.data)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        x.item()
    with pytest.raises(TypeError, match="no length"):
        len(mt.Tensor(1.0))
    with pytest.raises(TypeError, match="integer Tensor"):
        [1, 2][mt.Tensor(1.0)]


def test_clone_passes_gradients_on_and_keeps_the_dtype():
    for dtype in ("float32", "float64"):
        x = mt.Tensor(a, dtype=dtype, requires_grad=True)
        y = x.clone()
        assert y.dtype == dtype and not np.shares_memory(x.data, y.data)
        y.sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), 1)


def test_public_names_exist_and_are_documented():
    for name in mt.__all__:
        thing = getattr(mt, name)
        assert (getattr(thing, "__doc__", "") or "").strip(), name


def test_swapaxes_and_transpose_refuse_what_numpy_refuses():
    for call in (
        lambda: mt.swapaxes(a, 0, 5),
        lambda: mt.transpose(a, (0, 0)),
        lambda: mt.expand_dims(a, 5),
        lambda: mt.sum(a, axis=2),
        lambda: mt.sum(a, axis=(0, 0)),
        lambda: mt.softmax(a, axis=2),
        lambda: mt.reshape(a, (4, 2)),
        lambda: mt.mean(a, axis=7),
        lambda: mt.squeeze(a[None], axis=5),
        lambda: mt.var(a, axis=2),
        lambda: mt.moveaxis(a, 0, 5),
    ):
        with pytest.raises((ValueError, IndexError)):
            call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: F.conv2d(mt.zeros((1, 2, 3, 3)), mt.zeros((4, 2, 1, 1)), foo=1),
         r"conv2d\(\) got an unknown setting 'foo': it has stride, padding, dilation, groups"),
        (lambda: mt.sum(mt.zeros(2), dim=0), r"sum\(\) got an unknown setting 'dim': it has axis, keepdims"),
        (lambda: mt.sum([1.0], axes=0), r"sum\(\) got an unknown setting 'axes': it has axis, keepdims"),
        (lambda: mt.exp(mt.zeros(2), out=None), r"exp\(\) got an unknown setting 'out': it has none"),
        (lambda: mt.exp(mt.zeros(2), x=mt.zeros(2)), r"exp\(\) got two values for 'x'"),
        (lambda: F.mse_loss(mt.zeros(2), mt.zeros(2), size_average=True), "mse_loss.. got an unknown setting 'size_av"),
        (lambda: F.mse_loss(mt.zeros(2), mt.zeros(2), input=mt.zeros(2)), "mse_loss.. got two values for 'input'"),
    ],
)  # fmt: skip
def test_unknown_settings_are_named_at_the_door(call, text):
    with pytest.raises(TypeError, match=text):
        call()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_integers_have_no_negative_powers(dtype):
    for call in (lambda x: x**-1, lambda x: mt.power(x, -2)):
        with pytest.raises(ValueError, match="an integer to a negative power is no integer"):
            call(mt.Tensor(np.array([1, 2], dtype)))


def test_integers_between_two_numbers_are_numpys():
    rng = np.random.default_rng(0)
    for _ in range(100):
        low, high, n = rng.normal() * 10, rng.normal() * 10, int(rng.integers(0, 20))
        for dtype in ("int64", "int8", "float32", "float64"):
            if not n or dtype[0] != "f":
                wanted = np.linspace(low, high, n, dtype=dtype)
            else:
                wanted = np.linspace(low, high, n).astype(dtype)
            assert np.array_equal(mt.linspace(low, high, n, dtype).numpy(), wanted)


@pytest.mark.parametrize(
    "bins",
    [
        5,
        np.int64(4),
        "auto",
        "fd",
        "sturges",
        "sqrt",
        "scott",
        "rice",
        "doane",
        "stone",
        [-1.0, 0.0, 2.0],
        (0, 1),
        np.array([-2.0, -0.5, 0.1, 3.0]),
        np.arange(-2, 3),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("limits", [None, (-1.0, 1.0)])
def test_histograms_are_numpys(bins, dtype, limits):
    x = (np.random.default_rng(0).standard_normal(200) * 2).astype(dtype)
    for density in (False, True):
        y, edges = mt.histogram(x, bins, range=limits, density=density)
        wanted, places = np.histogram(x, bins, range=limits, density=density)
        np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-5)
        np.testing.assert_allclose(edges.numpy(), places, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="not a valid estimator"):
        mt.histogram(x, "no rule")


def test_covariances_refuse_weights_that_count_nothing():
    x = mt.Tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 4.0]])
    for weights in ({"fweights": [1, -1, 2]}, {"aweights": [0.5, -0.1, 1.0]}):
        with pytest.raises(ValueError, match="none is negative"):
            mt.cov(x, **weights)
    with pytest.raises(ValueError, match="add up to 0"):
        mt.cov(x, aweights=[0.0, 0.0, 0.0])
    assert np.allclose(mt.cov(x, aweights=[0.0, 1.0, 1.0]).numpy(), np.cov(x.numpy(), aweights=[0.0, 1.0, 1.0]))
