"""Hypothesis draws shapes (broadcasting, lengths 0 and 1, arrays not contiguous); adjoints: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, mutually_broadcastable_shapes

import minitensor as mt
from minitensor.kernels.cpu.layout import channel_sum
from minitensor.ops.indexing import index
from minitensor.ops.shaping import shape
from minitensor.ops.windows import convolution, sliding

settings.register_profile("minitensor", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("minitensor")
seeds = st.integers(0, 2**32 - 1)
shapes = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def strided(x: np.ndarray, how: int) -> np.ndarray:
    """The same entries in another place: as they are, Fortran-ordered, every other one, reversed in memory."""
    if how == 1:
        return np.asfortranarray(x)
    if how == 2 and x.ndim:
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
        wide[..., ::2] = x
        return wide[..., ::2]
    if how == 3:
        return np.asarray(np.flip(np.flip(x).copy()))
    return x


BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum}


@given(
    mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3),
    st.sampled_from(sorted(BINARY)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seeds,
)
def test_broadcasting(broadcast, name, how, seed):
    a, b = (strided(normal(seed + i, *s), h) for i, (s, h) in enumerate(zip(broadcast.input_shapes, how, strict=True)))
    a, b = a * 2, np.sign(b) + b  # away from 0
    x, y = mt.Tensor(a, requires_grad=True), mt.Tensor(b, requires_grad=True)
    z = getattr(mt, name)(x, y)
    np.testing.assert_allclose(z.numpy(), BINARY[name](a, b))
    assert z.shape == broadcast.result_shape
    v = normal(seed + 2, *z.shape)
    ga, gb = mt.grad(z, [x, y], v)
    assert ga.shape == a.shape and gb.shape == b.shape
    # the derivative along a direction is the gradient's inner product with it
    da, db = normal(seed + 3, *a.shape), normal(seed + 4, *b.shape)
    h = 1e-6
    numerical = (v * (BINARY[name](a + h * da, b + h * db) - BINARY[name](a - h * da, b - h * db))).sum() / (2 * h)
    analytical = (ga.numpy() * da).sum() + (gb.numpy() * db).sum()
    np.testing.assert_allclose(analytical, numerical, rtol=1e-5, atol=1e-6)


@given(
    shapes,
    st.sampled_from(["sum", "mean", "max", "min", "var", "logsumexp"]),
    st.data(),
    st.booleans(),
    st.integers(0, 3),
    seeds,
)
def test_reductions(x_shape, name, data, keepdims, how, seed):
    axis = data.draw(
        st.none() | st.lists(st.integers(0, len(x_shape) - 1), unique=True, min_size=1).map(tuple)
        if x_shape
        else st.none()
    )
    reduced = x_shape if axis is None else [x_shape[a] for a in axis]
    if 0 in reduced and name != "sum":
        return  # undefined
    x = strided(normal(seed, *x_shape), how)
    reference = {"logsumexp": lambda x, **kw: np.log(np.sum(np.exp(x), **kw))}.get(name, getattr(np, name, None))
    leaf = mt.Tensor(x, requires_grad=True)
    y = getattr(mt, name)(leaf, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(y.numpy(), reference(x, axis=axis, keepdims=keepdims), rtol=1e-10, atol=1e-12)
    assert mt.gradcheck(lambda v: getattr(mt, name)(v, axis=axis, keepdims=keepdims), x)


@given(array_shapes(max_dims=3, min_side=0, max_side=4), st.data(), st.integers(0, 3), seeds)
def test_basic_indexing(x_shape, data, how, seed):
    i = data.draw(basic_indices(x_shape, allow_newaxis=True))
    x = strided(normal(seed, *x_shape), how)
    leaf = mt.Tensor(x, requires_grad=True)
    y = leaf[i]
    np.testing.assert_array_equal(y.numpy(), x[i])
    v = normal(seed + 1, *y.shape)
    expected = np.zeros(x_shape)
    expected[i] = v
    np.testing.assert_array_equal(mt.grad(y, leaf, v)[0].numpy(), expected)


@given(
    st.integers(1, 4),
    st.integers(0, 3),
    st.lists(st.integers(-4, 3), max_size=6),
    st.sampled_from([list, np.array, "mask", mt.Tensor]),
    seeds,
)
def test_advanced_indexing(n, m, rows, kind, seed):
    x = normal(seed, n, m)
    rows = [r % (2 * n) - n for r in rows]
    if kind == "mask":
        i = np.isin(np.arange(n), rows)
    else:
        i = rows if kind is list else kind(np.array(rows, dtype=np.int64))
    plain = i.numpy() if isinstance(i, mt.Tensor) else np.array(i, dtype=np.int64) if kind is list else i
    leaf = mt.Tensor(x, requires_grad=True)
    y = leaf[i]
    np.testing.assert_array_equal(y.numpy(), x[plain])
    v = normal(seed + 1, *y.shape)
    expected = np.zeros((n, m))
    np.add.at(expected, plain, v)
    np.testing.assert_allclose(mt.grad(y, leaf, v)[0].numpy(), expected)


@given(
    mutually_broadcastable_shapes(signature="(n,k),(k,m)->(n,m)", max_dims=2, min_side=0, max_side=3),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seeds,
)
def test_matmul(broadcast, how, seed):
    a, b = (strided(normal(seed + i, *s), h) for i, (s, h) in enumerate(zip(broadcast.input_shapes, how, strict=True)))
    x, y = mt.Tensor(a, requires_grad=True), mt.Tensor(b, requires_grad=True)
    z = x @ y
    np.testing.assert_allclose(z.numpy(), a @ b, atol=1e-12)
    v = normal(seed + 2, *z.shape)
    ga, gb = mt.grad(z, [x, y], v)
    # bilinear: <v, a b> is the gradient's inner product with either operand
    total = (v * (a @ b)).sum()
    np.testing.assert_allclose((ga.numpy() * a).sum(), total, atol=1e-9)
    np.testing.assert_allclose((gb.numpy() * b).sum(), total, atol=1e-9)
    assert ga.shape == a.shape and gb.shape == b.shape


# -- adjoints: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ ------------------------------------------------------------------------------------


def adjoint(f, x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Check the identity for a linear f and a random y; return y and Aᵀ y."""
    leaf = mt.Tensor(x, requires_grad=True)
    ax = f(leaf)
    y = normal(seed, *ax.shape)
    (aty,) = mt.grad(ax, leaf, y)
    np.testing.assert_allclose((ax.numpy() * y).sum(), (x * aty.numpy()).sum(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(f(mt.Tensor(2 * x)).numpy(), 2 * ax.numpy(), rtol=1e-9, atol=1e-9)
    return y, aty.numpy()


spans = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 3)
)  # size stride dilation spare


@given(st.lists(spans, min_size=1, max_size=2), seeds)
def test_unfold_and_fold(axes, seed):
    size, stride, dilation, spare = zip(*axes, strict=True)
    lengths = tuple(d * (k - 1) + 1 + e for k, d, e in zip(size, dilation, spare, strict=True))
    y, aty = adjoint(lambda x: mt.unfold(x, size, stride, dilation), normal(seed, 2, *lengths), seed + 1)
    np.testing.assert_allclose(sliding.fold(y, lengths=lengths, stride=stride, dilation=dilation), aty)
    g, atg = adjoint(lambda v: mt.fold(v, lengths, stride, dilation), y, seed + 2)
    np.testing.assert_array_equal(sliding.unfold(g, size=size, stride=stride, dilation=dilation), atg)


@given(array_shapes(max_dims=3, min_side=0, max_side=3), st.data(), seeds)
def test_pad_and_crop(x_shape, data, seed):
    width = tuple(data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in x_shape)
    y, aty = adjoint(lambda x: mt.pad(x, width), normal(seed, *x_shape), seed + 1)
    crop = tuple(slice(a, a + n) for (a, _), n in zip(width, x_shape, strict=True))
    np.testing.assert_array_equal(y[crop], aty)
    adjoint(lambda v: v[crop], y, seed + 2)


@given(array_shapes(max_dims=3, max_side=4), st.data(), seeds)
def test_getitem_and_add_at(x_shape, data, seed):
    i = data.draw(basic_indices(x_shape) | st.lists(st.integers(0, x_shape[0] - 1), min_size=1).map(np.array))
    y, aty = adjoint(lambda x: x[i], normal(seed, *x_shape), seed + 1)
    np.testing.assert_allclose(index.add_at(y, index=i, shape=x_shape), aty)
    adjoint(lambda v: index.add_at(v, index=i, shape=x_shape), y, seed + 2)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), st.sampled_from([0, 1, -1]), seeds)
def test_take_along_axis(n, m, k, axis, seed):
    places = (k, m) if axis == 0 else (n, k)
    i = np.random.default_rng(seed).integers(0, (n, m)[axis], places)
    adjoint(lambda x: mt.take_along_axis(x, i, axis), normal(seed, n, m), seed + 1)


@given(array_shapes(max_dims=3, min_side=0, max_side=4), st.data(), seeds)
def test_cumsum_flip_and_broadcast(x_shape, data, seed):
    axis = data.draw(st.integers(-len(x_shape), len(x_shape) - 1))
    x = normal(seed, *x_shape)
    adjoint(lambda v: mt.cumsum(v, axis), x, seed + 1)
    adjoint(lambda v: mt.flip(v, axis), x, seed + 1)
    adjoint(lambda v: shape.broadcast_to(v, shape=(2, *x_shape)), x, seed + 1)


@given(st.data(), seeds)
def test_einsum(data, seed):
    letters = "abcd"
    size = {c: data.draw(st.integers(0, 3), label=c) for c in letters}
    terms = data.draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=3))
    out = "".join(
        data.draw(
            st.permutations(sorted(set("".join(terms)))).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: p[:n]))
        )
    )
    subscripts = f"{','.join(terms)}->{out}"
    xs = [normal(seed + i, *(size[c] for c in t)) for i, t in enumerate(terms)]
    np.testing.assert_allclose(mt.einsum(subscripts, *xs).numpy(), np.einsum(subscripts, *xs), atol=1e-10)
    for k, x in enumerate(xs):
        adjoint(lambda v, k=k: mt.einsum(subscripts, *xs[:k], v, *xs[k + 1 :]), x, seed + 9)


@given(
    spans, spans, st.integers(1, 2), st.integers(1, 2), st.integers(1, 2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)), seeds,
)  # fmt: skip
def test_conv2d(rows, columns, groups, per_group, outputs, padding, seed):
    (kh, sh, dh, eh), (kw, sw, dw, ew) = rows, columns
    x = normal(seed, 2, groups * per_group, dh * (kh - 1) + 1 + eh, dw * (kw - 1) + 1 + ew)
    w = normal(seed + 1, groups * outputs, per_group, kh, kw)
    given_ = {"stride": (sh, sw), "padding": padding, "dilation": (dh, dw), "groups": groups}
    for context in (mt.unfused(), mt.enable_grad()):
        with context:
            adjoint(lambda v: convolution.conv2d(v, mt.Tensor(w), **given_), x, seed + 2)
            adjoint(lambda v: convolution.conv2d(mt.Tensor(x), v, **given_), w, seed + 2)


@given(shapes, st.data(), seeds)
def test_shape_ops_keep_every_entry(x_shape, data, seed):
    x = normal(seed, *x_shape)
    axes = tuple(data.draw(st.permutations(range(len(x_shape)))))
    leaf = mt.Tensor(x, requires_grad=True)
    y = mt.reshape(mt.transpose(leaf, axes), -1 if x.size else (0,))
    np.testing.assert_array_equal(y.numpy(), x.transpose(axes).reshape(math.prod(x_shape)))
    v = np.arange(x.size, dtype=float)
    back = mt.grad(y, leaf, v)[0].numpy()
    np.testing.assert_array_equal(back.transpose(axes).ravel(), v)


@pytest.mark.parametrize("shape", [(64, 2, 64, 64), (3, 5, 7, 9), (1, 1, 1, 1)])
def test_sums_over_many_rows_are_as_exact_as_numpys(shape):
    """A kernel adds up in blocks: float32 batch norm of a large batch stays within 1e-5 of float64."""
    x = (np.random.default_rng(0).standard_normal(shape) + 10).astype(np.float32)
    rows = x.transpose(0, 2, 3, 1).reshape(-1, shape[1])
    exact = rows.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(channel_sum(rows), exact, rtol=1e-6)
    if x.size > shape[1]:
        y = mt.nn.functional.batch_norm(mt.Tensor(x), None, None, training=True).numpy()
        wide = mt.nn.functional.batch_norm(mt.Tensor(x.astype(np.float64)), None, None, training=True).numpy()
        assert np.abs(y - wide).max() < 1e-5
