"""What reductions, scans and sorting promise beyond the table: dtypes, halves, no stray warnings, words, edges."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor import fake_cupy  # noqa: F401  registers the device "fake"

nan, inf = np.nan, np.inf
FLOAT = ["mean", "var", "std", "nanmean", "median", "logsumexp", "softmax", "log_softmax", "softmin", "norm"]


@pytest.fixture(autouse=True)
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("device", ["cpu", "fake"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "uint64"])
def test_integers(dtype, device):
    x = np.array([[3, 1, 0], [1, 1, 100]]).astype(dtype)
    t = mt.Tensor(x, device=device)
    for name in ("sum", "prod", "cumsum", "cumprod", "nansum", "count_nonzero"):
        y = getattr(mt, name)(t, axis=1)
        assert y.dtype == np.int64
        np.testing.assert_array_equal(y.numpy(), getattr(np, name)(x.astype("int64"), axis=1))
    for name in ("max", "min"):
        y = getattr(mt, name)(t, axis=1)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), getattr(np, name)(x, axis=1))
    wide = mt.Tensor(x.astype("float32"), device=device)
    for name in FLOAT:
        y = getattr(mt, name)(t, axis=1)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.numpy(), getattr(mt, name)(wide, axis=1).numpy(), rtol=1e-6)
    assert mt.quantile(t, 0.5).dtype == np.float32
    assert mt.histogram(t)[0].dtype == np.int64 and mt.histogram(t)[1].dtype == np.float32


@pytest.mark.parametrize("device", ["cpu", "fake"])
def test_half_precision_adds_up_in_float32(device):
    x = mt.Tensor(np.full((4, 3000), 40.0, "float16"), device=device)
    x[:, ::2] = 20.0
    for name, expected in {"mean": 30.0, "var": 100.0, "std": 10.0, "nanmean": 30.0, "sum": inf}.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sum is more than float16 holds
            y = getattr(mt, name)(x, axis=1)
        assert y.dtype == np.float16
        if device == "cpu" or name != "nanmean":
            np.testing.assert_allclose(y.numpy(), expected)
    ones = mt.Tensor(np.ones(5000, "float16"), device=device)
    assert mt.sum(ones).item() == 5000 and mt.cumsum(ones)[-1].item() == 5000
    assert mt.logsumexp(ones * 0).item() == pytest.approx(np.log(5000), rel=1e-3)
    np.testing.assert_allclose(mt.softmax(ones).numpy(), 1 / 5000, rtol=1e-2)
    np.testing.assert_allclose(mt.log_softmax(ones).numpy(), -np.log(5000), rtol=1e-3)


def test_nothing_warns_where_there_is_no_number():
    """No entries, NaN only, -inf only, too few for the correction: NaN or inf, and silence."""
    none = mt.zeros((2, 0))
    for name in ("mean", "var", "std", "nanmean", "median"):
        np.testing.assert_array_equal(getattr(mt, name)(none, axis=1).numpy(), [nan, nan])
        assert np.isnan(getattr(mt, name)(mt.zeros(0)).item())
        assert getattr(mt, name)(mt.Tensor(np.zeros(0, int))).dtype == np.float32
    np.testing.assert_array_equal(mt.logsumexp(none, axis=1).numpy(), [-inf, -inf])
    assert mt.softmax(none).shape == mt.log_softmax(none, axis=(0, 1)).shape == (2, 0)
    lost = mt.Tensor([-inf, -inf])
    assert np.isnan(mt.softmax(lost).numpy()).all() and np.isnan(mt.log_softmax(lost).numpy()).all()
    assert mt.logsumexp(lost).item() == -inf and mt.logsumexp([inf, 1000.0]).item() == inf
    np.testing.assert_array_equal(mt.logcumsumexp([-inf, -inf, 0.0, inf]).numpy(), [-inf, -inf, 0, inf])
    gaps = mt.Tensor([nan, nan])
    assert np.isnan(mt.nanmean(gaps).item()) and mt.nansum(gaps).item() == 0
    for f in (mt.var, mt.std):
        assert np.isnan(f(mt.Tensor([1.0]), correction=1).item())
        assert f(mt.Tensor([1.0, 2.0]), correction=2).item() == inf
    x = mt.Tensor([3.0, 3.0, 3.0], requires_grad=True)
    np.testing.assert_array_equal(mt.grad(mt.std(x), x)[0].numpy(), 0)
    np.testing.assert_array_equal(mt.grad(mt.norm(x - 3), x)[0].numpy(), 0)


@pytest.mark.parametrize("f", [mt.max, mt.min])
def test_gradient_of_an_extreme_among_nan_goes_to_the_nan(f):
    x = mt.Tensor([[1.0, nan, 3.0, nan], [2.0, 0.0, 2.0, 0.0]], requires_grad=True)
    (g,) = mt.grad(f(x, axis=1), x, mt.ones(2))
    np.testing.assert_array_equal(g.numpy(), [[0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0] if f is mt.max else [0, 0.5, 0, 0.5]])


def test_axis_may_be_empty_a_list_or_that_of_a_number():
    x = mt.Tensor(np.arange(6.0).reshape(2, 3))
    for f in (mt.sum, mt.prod, mt.max, mt.mean, mt.median, mt.logsumexp, mt.nansum):
        np.testing.assert_allclose(f(x, axis=()).numpy(), x.numpy())
        np.testing.assert_allclose(f(x, axis=[0, 1]).numpy(), f(x).numpy())
        for axis in (0, -1, ()):
            assert f(mt.Tensor(2.5), axis=axis).item() == pytest.approx(2.5)
            assert f(mt.Tensor(2.5), axis=axis, keepdims=True).shape == ()
    assert not np.shares_memory(mt.sum(x, axis=()).data, x.data)
    for f in (mt.cumsum, mt.cumprod, mt.sort, mt.logcumsumexp):
        assert f(mt.Tensor(2.5), axis=-1).shape == () and f(mt.Tensor(2.5), axis=None).shape == (1,)
    with pytest.raises(TypeError, match="sum: axis is None, an integer or a tuple of integers; got True"):
        mt.sum(x, axis=True)


def test_amax_and_amin_are_max_and_min():
    assert mt.amax is mt.max and mt.amin is mt.min


def test_second_gradient_of_prod_with_zeros():
    """d²Π/dxᵢdxⱼ is the product of the rest, exactly, wherever the zeros are."""
    for row in ([0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 0.0]):
        h = mt.hessian(mt.prod, mt.Tensor(row, dtype="float64")).numpy()
        rest = [[0 if i == j else np.prod(np.delete(row, [i, j])) for j in range(3)] for i in range(3)]
        np.testing.assert_array_equal(h, rest)


def test_quantile_next_to_infinity_and_median_of_large_numbers():
    assert mt.quantile([1.0, inf], 0.0).item() == 1 and mt.quantile([inf, inf, 1.0], 0.5).item() == inf
    assert mt.median([1.0, inf, inf]).item() == inf
    assert mt.median([3e38, 3e38]).item() == pytest.approx(3e38)
    assert mt.quantile(mt.Tensor([1.0, 2.0]), mt.Tensor([0.0, 1.0])).tolist() == [1.0, 2.0]


def test_lists_may_stand_anywhere():
    np.testing.assert_array_equal(mt.searchsorted([1.0, 2.0], mt.Tensor([1.5])).numpy(), [1])
    np.testing.assert_array_equal(mt.bincount([0, 2], mt.Tensor([0.5, 1.0])).numpy(), [0.5, 0, 1])
    y, index = mt.topk([[1, 5, 3]], 2)
    assert y.tolist() == [[5, 3]] and index.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: mt.max(mt.zeros((2, 0)), 1),
            ValueError,
            r"max: there is no entry to choose along axis 1 of shape \(2, 0\)",
        ),
        (lambda: mt.nonzero(mt.Tensor(3.0)), ValueError, r"nonzero: a number has no axis .*x.reshape\(1\)"),
        (lambda: mt.topk([1.0], 1, None), TypeError, "topk: axis is one integer"),
        (lambda: mt.norm(mt.ones((2, 2)), "nuk"), ValueError, "norm: a matrix has norms 'fro', 'nuc', 1"),
        (lambda: mt.norm(mt.ones(2), nan), ValueError, "norm: a vector has norms of order"),
        (lambda: mt.sum(mt.ones((2, 2)), "rows"), TypeError, "sum: axis is None, an integer or a tuple .* got 'rows'"),
    ],
    ids=["max", "nonzero", "topk", "nuc", "nan", "words"],
)
def test_words(call: Any, kind: Any, text: str):
    with pytest.raises(kind, match=text):
        call()
