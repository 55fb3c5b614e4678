"""Sums of very many terms: right to a few roundings in float32, whatever axes they run along and lie in memory."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.sums import FEW, total

F = nn.functional
rng = np.random.default_rng(0)
ROWS = rng.random((300_000, 2)) + 100
TOLERANCE = 3e-7  # relative; NumPy's own sums are 1e-3 off


LAYOUTS = {
    "rows": (ROWS, 0),
    "vector": (ROWS[:, 0], 0),
    "columns": (np.asfortranarray(ROWS), 0),
    "second axis": (ROWS.T, 1),
    "image": (np.ascontiguousarray(ROWS.reshape(400, 500, 3)), (0, 1)),
    "channels last": (ROWS.reshape(30, 50, 40, 10).transpose(0, 3, 1, 2), (0, 2, 3)),
    "outer and inner": (ROWS.reshape(-1, 4, 5), (0, 2)),
    "turned": (ROWS[::-1], 0),
    "every third": (ROWS[::3], 0),
    "all": (ROWS[::2].reshape(300, 500, 2).transpose(1, 0, 2), None),
}
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "var": np.var,
    "std": np.std,
    "nansum": np.sum,
    "nanmean": np.mean,
    "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x - 100), axis)) + 100,
    "norm": lambda x, axis: np.sqrt(np.sum(x * x, axis)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_many_terms(name, layout):
    x, axis = LAYOUTS[layout]
    x = x.astype("f4", order="K")
    if name == "norm" and isinstance(axis, tuple) and len(axis) > 2:
        pytest.skip("a norm runs over two axes at most")
    wanted = REDUCTIONS[name](x.astype(float), axis=axis)
    got = getattr(mt, name)(mt.Tensor(x), axis=axis).numpy()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=TOLERANCE)


def test_totals_of_random_shapes_strides_and_axes_are_numpys():
    for _ in range(300):
        shape = tuple(rng.choice([1, 2, 3, 7, 64, 65, 300, 1500], rng.integers(1, 5)))
        if np.prod(shape) > 3e5:
            continue
        x = (rng.random(shape) - 0.3).astype(rng.choice(["f4", "f8", "F"]))
        x = x.transpose(rng.permutation(x.ndim))[tuple(slice(None, None, s) for s in rng.choice([1, 1, 2, -1], x.ndim))]
        axes = tuple(int(a) for a in rng.permutation(x.ndim)[: rng.integers(0, x.ndim + 1)])
        for keepdims in (False, True):
            y, wanted = (
                total(x, axes, keepdims),
                x.sum(axis=axes, keepdims=keepdims, dtype=x.dtype.char.replace("f", "d")),
            )
            assert y.shape == wanted.shape and y.dtype == x.dtype
            np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6 * np.sqrt(x.size))


def test_short_sums_are_numpys_own():
    for shape in ((8,), (16, 16), (FEW, 5), (5, 4000)):
        x = rng.random(shape).astype("f4")
        for axes in ((0,), (len(shape) - 1,), tuple(range(len(shape)))):
            if shape != (5, 4000) or axes == (0,):
                assert np.array_equal(total(x, axes), x.sum(axis=axes))


GRADIENTS = {
    "broadcast": lambda b, x: b * x,
    "broadcast_to": lambda b, x: mt.broadcast_to(b, x.shape) * x,
    "tile": lambda b, x: mt.tile(b, (len(x.data), 1)) * x,
    "repeat": lambda b, x: mt.repeat(b[None], len(x.data), 0) * x,
    "bias": lambda b, x: F.linear(x, mt.eye(2, x.dtype), b) * x,
    "einsum": lambda b, x: mt.einsum("j,ij->ij", b, x) * x,
    "convolution": lambda b, x: F.conv2d(x[None, None], mt.ones((2, 1, 1, 1), x.dtype), b) * x,
    "layer_norm": lambda b, x: F.layer_norm(x - 100, (2,), None, b) * x,
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_what_stands_beside_many_rows(name):
    found = []
    for dtype in ("f4", "f8"):
        x, b = mt.Tensor(ROWS.astype("f4").astype(dtype)), mt.Tensor(np.ones(2, dtype), requires_grad=True)
        GRADIENTS[name](b, x).sum().backward()
        found.append(b.grad.numpy())
    np.testing.assert_allclose(*found, rtol=TOLERANCE)


VALUES = {
    "cumsum": lambda x: mt.cumsum(x, axis=0)[-1],
    "einsum": lambda x: mt.einsum("ij->j", x),
    "einsum of two": lambda x: mt.einsum("ij,k->jk", x, mt.ones(2, x.dtype)),
    "mse": lambda x: F.mse_loss(x, x * 0),
    "huber": lambda x: F.huber_loss(x, x * 0, delta=150.0),
    "smooth_l1": lambda x: F.smooth_l1_loss(x, x * 0),
    "l1": lambda x: F.l1_loss(x, x * 0),
    "avg_pool2d": lambda x: F.avg_pool2d(x.reshape(1, 2, 500, 600), (500, 600)),
    "adaptive pool": lambda x: F.adaptive_avg_pool2d(x.reshape(1, 2, 500, 600), 1),
    "trace": lambda x: mt.trace(x.reshape(500, 1200)),
    "cross_entropy": lambda x: F.cross_entropy(x - 100, mt.Tensor(np.zeros(len(x.data), int))),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_made_of_many_terms(name):
    x = ROWS.astype("f4")
    np.testing.assert_allclose(
        VALUES[name](mt.Tensor(x)).numpy(), VALUES[name](mt.Tensor(x.astype(float))).numpy(), rtol=TOLERANCE
    )


@pytest.mark.parametrize("fused", [True, False])
def test_statistics_of_a_batch_of_many_rows(fused):
    layer = nn.BatchNorm1d(2, momentum=1.0)
    with mt.enable_grad() if fused else mt.unfused():
        layer(mt.Tensor(ROWS.astype("f4")))
    np.testing.assert_allclose(layer.running_mean.numpy(), ROWS.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), ROWS.var(axis=0, ddof=1), rtol=1e-5)
