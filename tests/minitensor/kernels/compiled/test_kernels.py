"""Every compiled kernel beside its composite: odd sizes, none and one, memory layouts, NaN and infinity, long sums."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.declaration import registry
from minitensor.kernels.compiled import attention as blocked
from minitensor.kernels.compiled import layout
from minitensor.ops.nn import attention, normalization, recurrent

F = mt.nn.functional
el = mt.ops.elementwise
MAPS = {
    "gelu": F.gelu,
    "gelu, tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": lambda x: F.softplus(x, beta=2.0, threshold=3.0),
    "logsigmoid": F.logsigmoid,
    "mish": F.mish,
    "elu": lambda x: F.elu(x, 0.7),
    "celu": lambda x: F.celu(x, 0.7),
    "selu": F.selu,
    "sigmoid": mt.sigmoid,
    "tanh": mt.tanh,
    "relu": mt.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "hardtanh": lambda x: F.hardtanh(x, -1.5, 2.5),
    "relu6": F.relu6,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "erf": mt.erf,
    "exp": mt.exp,
    "expm1": mt.expm1,
    "log1p": mt.log1p,
    "abs": mt.abs,
}
ROWS = {
    "softmax": lambda x: mt.softmax(x, axis=-1),
    "log_softmax": lambda x: mt.log_softmax(x, axis=-1),
    "masked_softmax": attention.masked_softmax,
    "layer_norm": lambda x: normalization.layer_norm(x),
    "layer_norm, affine": lambda x: normalization.layer_norm(x, x[0] * 0.5, x[0]),
    "rms_norm": lambda x: normalization.rms_norm(x),
    "rms_norm, affine": lambda x: normalization.rms_norm(x, x[0] * 0.5),
    "batch_norm": lambda x: normalization.batch_norm(x)[0],
    "group_norm": lambda x: normalization.group_norm(x, groups=1)[0],
    "cross_entropy": lambda x: F.cross_entropy(x, np.arange(len(x)) % x.shape[1], label_smoothing=0.1),
}
PAIRS = {
    "mse_loss": F.mse_loss,
    "l1_loss": F.l1_loss,
    "smooth_l1_loss": lambda x, t: F.smooth_l1_loss(x, t, beta=0.3),
    "huber_loss": lambda x, t: F.huber_loss(x, t, reduction="sum", delta=0.7),
    "bce": lambda x, t: F.binary_cross_entropy_with_logits(x, t),
    "kl_div": lambda x, t: F.kl_div(x, t, reduction="batchmean"),
}
TOLERANCE = {np.float32: 2e-6, np.float64: 2e-14}
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 3e38, -3e38, 89.0, -104.0, 20.0, 5.0]


@pytest.fixture(autouse=True)
def kernels(monkeypatch):
    before, threads = mt.get_kernels(), mt.get_num_threads()
    mt.set_kernels("compiled")
    for declared in registry.values():
        if declared.kernels:
            monkeypatch.setattr(declared, "least", 0)
    yield
    mt.set_kernels(before)
    mt.set_num_threads(threads)


def evaluated(f, *arrays, upstream=None):
    """Return the value and the gradients."""
    tensors = [mt.Tensor(a, requires_grad=True) for a in arrays]
    y = f(*tensors)
    g = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype) if upstream is None else upstream(y)
    return [y.numpy(), *(d.numpy() for d in mt.grad(y, tensors, mt.Tensor(g)))]


def compare(f, *arrays, upstream=None, tolerance=None):
    with mt.unfused(), np.errstate(all="ignore"):
        expected = evaluated(f, *arrays, upstream=upstream)
    found = evaluated(f, *arrays, upstream=upstream)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        finite = np.isfinite(b)
        scale = np.abs(b).max(initial=1e-3, where=finite)
        np.testing.assert_allclose(a, b, rtol=0, atol=(tolerance or TOLERANCE[arrays[0].dtype.type]) * scale)


def normal(shape, dtype):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@dtypes
@pytest.mark.parametrize("name", MAPS)
def test_maps(name, dtype):
    for shape in ((), (0,), (1,), (7,), (3, 0, 2), (5, 33), (1025,)):
        compare(MAPS[name], normal(shape, dtype) * 3)


@dtypes
@pytest.mark.parametrize("name", MAPS)
def test_maps_of_any_layout(name, dtype):
    x = normal((4, 6, 8, 5), dtype)
    read_only = x.copy()
    read_only.flags.writeable = False
    for v in (x[:, ::2], x[::-1, :, 1:4], x.transpose(0, 3, 1, 2), x.T[1:], np.broadcast_to(x[:1], x.shape), read_only):
        compare(MAPS[name], v)
        compare(MAPS[name], v, upstream=lambda y: normal(y.shape[::-1], y.dtype).T)
    y = MAPS[name](mt.Tensor(x.transpose(0, 3, 1, 2))).numpy()
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous  # channels-last stays channels-last


@dtypes
@pytest.mark.parametrize("name", MAPS)
def test_maps_of_special_numbers(name, dtype):
    x = np.array(SPECIAL * 3, dtype)
    compare(MAPS[name], x, upstream=lambda y: np.ones(y.shape, y.dtype))
    if name in ("relu", "leaky_relu", "hardtanh", "relu6"):  # a gradient that is not finite goes through, or nowhere
        compare(MAPS[name], x, upstream=lambda y: np.full(y.shape, np.inf, y.dtype))


@dtypes
@pytest.mark.parametrize("name", ROWS)
def test_rows(name, dtype):
    for shape in ((1, 3), (7, 1), (5, 33), (130, 17), (3, 1500)):
        if not (shape[1] == 1 and "norm" in name) and not (shape[0] == 1 and name == "batch_norm"):  # of variance 0
            compare(ROWS[name], normal(shape, dtype) * 3, tolerance=TOLERANCE[dtype] * 10)
    x = normal((6, 40), dtype)
    for v in (x[:, ::2], x[::-1, 1:], x.T):
        compare(ROWS[name], v, tolerance=TOLERANCE[dtype] * 10)


@dtypes
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_of_special_numbers(name, dtype, value):
    x = normal((9, 37), dtype)
    x[2, 5] = x[4, 0] = x[5, -1] = value
    x[7] = value
    compare(ROWS[name], x, tolerance=TOLERANCE[dtype] * 10)


@dtypes
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "masked_softmax", "layer_norm", "rms_norm"])
def test_no_rows(name, dtype):
    compare(ROWS[name], normal((0, 3), dtype))


@dtypes
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name, dtype):
    for shape in ((1,), (5, 33), (3, 1025)):
        x, t = normal((2, *shape), dtype)
        compare(PAIRS[name], x, np.abs(t) / 4, tolerance=TOLERANCE[dtype] * 10)
        compare(PAIRS[name], x.T, np.abs(t.T) / 4, tolerance=TOLERANCE[dtype] * 10)
    x, t = normal((2, 4, 9), dtype)
    x[1, 2], x[2, 3], t[3, 3] = np.nan, np.inf, 0
    compare(PAIRS[name], x, np.abs(t), upstream=lambda y: np.ones(y.shape, y.dtype))


MASKS = {
    "none": lambda b, h, n, m: None,
    "of all": lambda b, h, n, m: np.tri(n, m, dtype=bool),
    "of keys": lambda b, h, n, m: np.arange(m) != 1,
    "with ones": lambda b, h, n, m: np.tri(n, m, -1, dtype=bool)[None, None],  # the first row may look nowhere
    "of examples": lambda b, h, n, m: np.random.default_rng(3).random((b, 1, 1, m)) > 0.4,
    "of heads": lambda b, h, n, m: np.random.default_rng(3).random((h, n, m)) > 0.4,
}


@dtypes
@pytest.mark.parametrize("mask", MASKS)
def test_attention(mask, dtype, monkeypatch):
    f, tolerance = attention.scaled_dot_product_attention, TOLERANCE[dtype] * 10
    for entries in (1, 1 << 18):  # one example at a time, and all
        monkeypatch.setattr(blocked, "ENTRIES", entries)
        for b, h, n, m, d, e in ((1, 1, 1, 1, 1, 1), (3, 2, 5, 7, 4, 3), (2, 3, 33, 17, 9, 8)):
            q, k, v = normal((b, h, n, d), dtype), normal((b, h, m, d), dtype), normal((b, h, m, e), dtype)
            hides = MASKS[mask](b, h, n, m)
            compare(lambda *a, hides=hides: f(*a, hides), q, k, v, tolerance=tolerance)
    turned = [np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)[:, :, ::-1] for a in (q, k, v)]
    compare(lambda *a: f(*a, hides, scale=0.3), *turned, tolerance=tolerance)
    q[0, 0, 1, 1], v[1, 1, 2, 2], k[1, 2, 3, 0] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):  # of products
        compare(lambda *a: f(*a, hides), q, k, v, tolerance=tolerance)


@pytest.mark.parametrize("mask", MASKS)
def test_shares_change_no_bit_of_attention(mask, monkeypatch):
    """Of the loops; products are BLAS's, whose threads stay one."""
    mt.set_num_threads(1)
    q, k, v = (normal((12, 3, 130, 64), np.float32) for _ in range(3))
    hides, found = MASKS[mask](12, 3, 130, 130), []
    monkeypatch.setattr(layout, "LEAST", 1000)
    for count in (1, 2, 3):
        monkeypatch.setattr(layout, "get_num_threads", lambda count=count: count)
        found.append(evaluated(lambda *a: attention.scaled_dot_product_attention(*a, hides), q, k, v))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@dtypes
def test_distances(dtype):
    for a, b in (((1, 1), (1, 1)), ((7, 3), (9, 3)), ((2, 66, 70), (2, 3, 70)), ((3, 2, 5, 65), (3, 2, 67, 65))):
        x, z = normal(a, dtype), normal(b, dtype) + 1
        compare(mt.cdist, x, z, tolerance=TOLERANCE[dtype] * 10)
        compare(mt.cdist, x[..., ::-1, :], z[..., :, ::-1], tolerance=TOLERANCE[dtype] * 10)
    x = normal((9, 6), dtype)
    compare(mt.cdist, x, x[::2] * 1, tolerance=TOLERANCE[dtype] * 10)  # points that coincide
    x[1, 2], x[3, 3], x[4, 0] = np.nan, np.inf, -np.inf
    compare(mt.cdist, x, normal((8, 6), dtype), tolerance=TOLERANCE[dtype] * 10)


@dtypes
@pytest.mark.parametrize("reverse", [False, True])
def test_lstm(dtype, reverse):
    for steps, batch, n in ((1, 1, 1), (3, 2, 5), (4, 7, 33)):
        arrays = [normal(s, dtype) for s in ((steps, batch, 4 * n), (4 * n, n), (batch, n), (batch, n))]
        arrays[1] /= n
        for k in range(3):
            compare(
                lambda *a, k=k: recurrent.lstm_walk(*a, reverse=reverse)[k] * 1.0,
                *arrays,
                tolerance=TOLERANCE[dtype] * 10,
            )
        x, c = arrays[0][0], arrays[3]
        compare(lambda *a: recurrent.lstm_step(*a)[1], x, c, tolerance=TOLERANCE[dtype] * 10)
        x[:, 1], x[0, 0] = np.inf, np.nan
        compare(lambda *a: recurrent.lstm_step(*a)[0], x[::-1], c[::-1], tolerance=TOLERANCE[dtype] * 10)


def test_a_place_that_is_read_often():
    x, index = normal((3, 5), np.float32), np.zeros(100_000, np.int64)
    index[7] = 2
    for a, b in zip(
        *(evaluated(lambda x: mt.take(x, index, axis=0), v) for v in (x, x.astype(np.float64))), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


def test_long_rows_add_up():
    """Rows of a million in float32, beside float64: a sum that is added one by one would be off by a percent."""
    x = np.random.default_rng(0).random((2, 1_000_000), np.float32)
    for name in ("softmax", "log_softmax", "layer_norm", "rms_norm", "cross_entropy"):
        for a, b in zip(evaluated(ROWS[name], x), evaluated(ROWS[name], x.astype(np.float64)), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * np.abs(b).max())
    long = x.reshape(-1, 2)
    for name in ("batch_norm", "layer_norm, affine"):
        for a, b in zip(evaluated(ROWS[name], long), evaluated(ROWS[name], long.astype(np.float64)), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())
    for name in PAIRS:
        ours, wide = PAIRS[name](*mt.Tensor(x)), PAIRS[name](*mt.Tensor(x.astype(np.float64)))
        np.testing.assert_allclose(ours.item(), wide.item(), rtol=1e-6)


@pytest.mark.parametrize("name", [*ROWS, "gelu", "relu", "smooth_l1_loss"])
def test_threads_change_no_bit(name):
    x = normal((2501, 257), np.float32)
    f = ROWS.get(name) or MAPS.get(name) or (lambda v: PAIRS[name](v, mt.Tensor(x[::-1])))
    results = []
    for threads in (1, 2, 3):
        mt.set_num_threads(threads)
        results.append(evaluated(f, x))
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


APART = {  # what has a test of its own, here or for images
    "adaptive_avg_pool2d", "add_along", "add_rows", "avg_pool2d", "cdist", "conv2d", "conv_transpose2d", "cumsum",
    "exponential_linear", "grid_sample", "lstm_step", "lstm_walk", "max_pool2d", "read_along", "read_rows", "resampled",
    "scaled_dot_product_attention",
}  # fmt: skip


def test_every_kernel_is_compared():
    """What has a compiled kernel stands in one of the tables above, or has a test of its own."""
    known = {name.split(",")[0] for name in (*MAPS, *ROWS, *PAIRS)} | APART
    renamed = {"binary_cross_entropy_with_logits": "bce"}
    ours = {d.name for d in registry.values() if "compiled" in d.kernels and d.__module__.startswith("minitensor.ops")}
    assert ours and {renamed.get(n, n) for n in ours} <= known and ours >= APART


@pytest.mark.parametrize("other", ["int64", "float32", "float64", ">f4", ">f8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operands_of_several_dtypes_give_what_composites_give(dtype, other):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 4)).astype(dtype), (rng.standard_normal((6, 4)) > 0).astype(other)
    w, g = np.arange(4).astype(other), rng.standard_normal((6, 4))
    F = mt.nn.functional
    calls = [
        lambda x: F.mse_loss(x, t),
        lambda x: F.huber_loss(x, t),
        lambda x: F.smooth_l1_loss(x, t),
        lambda x: F.l1_loss(x, t),
        lambda x: F.layer_norm(x, (4,), w, w),
        lambda x: F.rms_norm(x, (4,), w),
        lambda x: F.group_norm(x, 2, w, w),
        lambda x: F.batch_norm(x, None, None, w, w, training=True),
    ]
    for call in calls:
        found = []
        for context in (mt.enable_grad(), mt.unfused()):
            leaf = mt.Tensor(x, requires_grad=True)
            with context:
                y = call(leaf)
                (y * mt.Tensor(g.astype(dtype))).sum().backward()
            found.append((y.numpy(), leaf.grad.numpy()))
        for a, b in zip(*found, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        call(mt.Tensor(x))


def test_an_operand_may_be_a_list():
    x = mt.Tensor(normal((3, 4), np.float32))
    z = normal((2, 4), np.float32)
    np.testing.assert_allclose(mt.cdist(x, z.tolist()).numpy(), mt.cdist(x, z).numpy(), rtol=1e-6)
