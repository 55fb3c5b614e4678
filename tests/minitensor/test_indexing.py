"""x[...]: what NumPy takes is taken and gives the same, what it refuses is refused; drawn indices and by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy as fake_cupy

X = np.arange(60.0).reshape(3, 4, 5)


def _one(rng: np.random.Generator, n: int) -> Any:
    """Draw an index of an axis of length n: sometimes one that does not fit."""
    kind = rng.integers(0, 8)
    if kind == 0:
        return int(rng.integers(-n - 1, n + 1)) if rng.random() < 0.1 else int(rng.integers(-n, n))
    if kind in (1, 2):
        ends = [None if rng.random() < 0.3 else int(rng.integers(-n - 2, n + 3)) for _ in range(2)]
        return slice(*ends, rng.choice([None, 1, 2, -1, -2]))
    if kind == 3:
        return rng.integers(-n, n, rng.choice([1, 2, 3]))
    if kind == 4:
        return rng.integers(-n, n, (2, int(rng.choice([1, 3])))).tolist()
    if kind == 5:
        return rng.random(n + (rng.random() < 0.1)) < 0.5
    return None if kind == 6 else np.int32(rng.integers(0, n))


def draw(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    index = [_one(rng, n) for n in X.shape[: rng.integers(0, 4)]]
    if rng.random() < 0.3:
        index.insert(int(rng.integers(0, len(index) + 1)), ...)
    return tuple(index)


@pytest.mark.parametrize("seed", range(400))
def test_drawn_indices(seed):
    index = draw(seed)
    x = mt.Tensor(X, requires_grad=True)
    try:
        expected = X[index]
    except IndexError:
        with pytest.raises(IndexError):
            x[index]
        return
    y = x[index]
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y.numpy(), expected)
    v = np.random.default_rng(seed).standard_normal(y.shape)
    adjoint = np.zeros_like(X)
    np.add.at(adjoint, index, v)
    if y.size:
        np.testing.assert_allclose(mt.grad(y, x, v)[0].numpy(), adjoint, atol=1e-12)
    tensors = tuple(mt.Tensor(i) if isinstance(i, np.ndarray) else i for i in index)
    np.testing.assert_array_equal(x[tensors].numpy(), expected)
    changed, theirs = mt.Tensor(X.copy()), X.copy()
    changed[tensors], theirs[index] = -1.0, -1.0
    np.testing.assert_array_equal(changed.numpy(), theirs)


@pytest.mark.parametrize(
    ("index", "plain"),
    [
        ([0, 2], np.array([0, 2])),
        ([[0, 1], [2, 2]], np.array([[0, 1], [2, 2]])),
        (([0, 1], [1, 3]), (np.array([0, 1]), np.array([1, 3]))),
        (((0, 1), (1, 3)), (np.array([0, 1]), np.array([1, 3]))),
        (range(2), np.array([0, 1])),
        ([True, False, True], np.array([True, False, True])),
        ([], np.zeros(0, int)),
        (([], slice(None)), (np.zeros(0, int), slice(None))),
        (np.int64(1), 1),
        ((np.uint8(1), ..., np.int16(-1)), (1, ..., -1)),
        (np.array([0, 255], "uint8") % 3, np.array([0, 0])),
        (np.array([1, 2], "uint64"), np.array([1, 2])),
        (mt.Tensor(1), 1),
        (mt.Tensor([0, 2]), np.array([0, 2])),
        ([mt.Tensor(0), mt.Tensor(2)], np.array([0, 2])),
        ([0, mt.Tensor(2)], np.array([0, 2])),
        (slice(mt.Tensor(1), mt.Tensor(3)), slice(1, 3)),
        ((..., slice(None, None, mt.Tensor(2))), (..., slice(None, None, 2))),
        (slice(np.int64(1), None), slice(1, None)),
        (True, True),
        (np.True_, True),
        (np.array(True), np.array(True)),
        ((), ()),
        ((None, ..., None), (None, ..., None)),
    ],
    ids=str,
)
def test_ways_to_spell_an_index(index, plain):
    for device in ("cpu", "fake"):
        x = mt.Tensor(X, device=device, requires_grad=True)
        on_device = index.to(device) if isinstance(index, mt.Tensor) else index
        if device == "fake" and isinstance(index, np.ndarray):
            on_device = fake_cupy.FakeArray(index)
        y = x[on_device]
        np.testing.assert_array_equal(y.numpy(), X[plain])
        expected = np.zeros_like(X)
        np.add.at(expected, plain, 1.0)
        np.testing.assert_array_equal(mt.grad(y.sum(), x)[0].numpy() if y.size else expected, expected)


def test_an_index_elsewhere_is_refused():
    x, i = mt.Tensor(X, device="fake"), mt.Tensor([0, 1])
    calls = (lambda: x[i], lambda: mt.take(x, i), lambda: mt.gather(x, 0, i), lambda: mt.index_select(x, 0, i))
    for call in calls:
        with pytest.raises(mt.errors.DeviceError, match="on cpu, the array on fake: move .* with .to\\('fake'\\)"):
            call()


def test_a_changed_index_is_noticed():
    x = mt.Tensor(X, requires_grad=True)
    i = mt.Tensor([0, 1])
    for call in (lambda: mt.take(x, i, 0), lambda: mt.index_select(x, 0, i)):
        y = call().sum()
        i[0] = 2
        with pytest.raises(mt.errors.InPlaceError, match="changed in place"):
            mt.grad(y, x)
        i[0] = 0
    raw = np.array([0, 0])
    ys = [mt.take(x, raw, 0).sum(), mt.index_select(x, 0, raw).sum(), x[raw].sum(), mt.put(x, raw, [7.0, 8.0]).sum()]
    raw[:] = 1
    for y in ys[:3]:
        assert mt.grad(y, x)[0].numpy()[0, 0, 0] == 2
    assert mt.grad(ys[3], x)[0].numpy()[0, 0, 0] == 0


def test_pure_writers_leave_their_argument():
    x = mt.Tensor(X.copy())
    mt.put(x, [0], -1.0), mt.scatter(x, 0, mt.zeros((1, 1, 1), "int64"), -1.0), mt.index_put(x, 0, -1.0)
    mt.masked_fill(x, X > 0, -1.0), mt.put_along_axis(x, mt.zeros((3, 4, 1), "int64"), -1.0, -1)
    np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8", "float16", "float32"])
def test_adding_up_on_the_stand_in_in_every_dtype(dtype):
    """The GPU adds atomically in a few dtypes only: the others take a way round."""
    x, i = (10 * np.ones(3)).astype(dtype), np.array([0, 0, 2])
    for device in ("cpu", "fake"):
        y = mt.index_add(
            mt.Tensor(np.zeros(4, dtype), device=device), 0, mt.Tensor(i, device=device), mt.Tensor(x, device=device)
        )
        assert y.dtype == dtype and y.tolist() == [20, 0, 10, 0]
        z = mt.index_put(
            mt.Tensor(-x, device=device), (mt.Tensor(i, device=device),), mt.Tensor(x, device=device), True
        )
        assert z.dtype == dtype and np.array_equal(z.numpy(), np.array(-x + np.array([20, 0, 10])).astype(dtype))
