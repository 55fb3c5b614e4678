"""Lookups: what they refuse, empty inputs, bags by hand."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F

TABLE = mt.Tensor(np.arange(8.0).reshape(4, 2), requires_grad=True)
REFUSED = {
    "one_hot, float": (lambda: F.one_hot(mt.zeros(2)), TypeError, r"one_hot takes integers; got Tensor float32 \(2,\)"),
    "one_hot, below": (lambda: F.one_hot(mt.Tensor([0, -1])), IndexError, "a class is 0 to 0; got -1"),
    "one_hot, beyond": (lambda: F.one_hot(mt.Tensor([0, 3]), 3), IndexError, "a class is 0 to 2; got 3"),
    "one_hot, none": (lambda: F.one_hot(mt.Tensor([0]), 0), ValueError, "above 0, or -1 to count them; got 0"),
    "one_hot, empty": (
        lambda: F.one_hot(mt.zeros(0, dtype="int64")),
        ValueError,
        "cannot count the classes of an empty",
    ),
    "embedding, float": (lambda: F.embedding(mt.zeros(2), TABLE), TypeError, "embedding takes integers"),
    "embedding, row": (lambda: F.embedding(mt.Tensor([4]), TABLE), IndexError, "has rows 0 to 3; got 4 to 4"),
    "padding": (lambda: F.embedding(mt.Tensor([0]), TABLE, 4), ValueError, "padding_idx is a row, -4 to 3; got 4"),
    "padding of a layer": (
        lambda: nn.Embedding(4, 2, -5),
        ValueError,
        "Embedding: padding_idx is a row, -4 to 3; got -5",
    ),
    "bag, mode": (lambda: F.embedding_bag(mt.Tensor([[0]]), TABLE, mode="min"), ValueError, "'sum', 'mean' or 'max'"),
    "bag, offsets": (lambda: F.embedding_bag(mt.Tensor([[0]]), TABLE, [0]), ValueError, "takes no offsets"),
    "bag, none": (lambda: F.embedding_bag(mt.Tensor([0]), TABLE), ValueError, r"\(bags, m\), or \(n,\) with offsets"),
    "bag, falling": (lambda: F.embedding_bag(mt.Tensor([0, 1]), TABLE, [0, 2, 1]), ValueError, "offsets rise from 0"),
    "bag, weights": (
        lambda: F.embedding_bag(mt.Tensor([[0]]), TABLE, per_sample_weights=mt.ones((1, 1))),
        ValueError,
        "per_sample_weights go with mode 'sum'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call()


def test_empty():
    none = mt.zeros((0, 3), dtype="int64")
    assert F.one_hot(none, 4).shape == (0, 3, 4) and F.embedding(none, TABLE).shape == (0, 3, 2)
    assert F.embedding_bag(none, TABLE).shape == (0, 2)
    assert F.embedding_bag(mt.zeros(0, dtype="int64"), TABLE, [0, 0]).tolist() == [[0, 0], [0, 0]]


def test_weighted_bags_by_hand():
    weights = mt.Tensor([2.0, 1.0, 0.5], dtype="float64", requires_grad=True)
    x = mt.Tensor([1, 3, 3])
    y = F.embedding_bag(x, TABLE, [0, 1, 1], mode="sum", per_sample_weights=weights)
    assert y.tolist() == [[4, 6], [0, 0], [9, 10.5]]
    (g,) = mt.grad(y.sum(), weights)
    assert g.tolist() == [5, 13, 13]
    assert mt.gradgradcheck(lambda t: F.embedding_bag(x, t, [0, 1], mode="max"), TABLE.numpy())
    assert F.embedding_bag(mt.Tensor([[1, 3]]), TABLE, mode="max", padding_idx=3).tolist() == [[2, 3]]


def test_gradients_by_frequency():
    table = mt.Tensor(np.arange(8.0).reshape(4, 2), requires_grad=True)
    for call in (
        lambda x: F.embedding(x, table, scale_grad_by_freq=True),
        lambda x: F.embedding_bag(x, table, mode="sum", scale_grad_by_freq=True),
    ):
        (g,) = mt.grad([call(mt.Tensor([[0, 3], [3, 3]])).sum()], [table])
        assert g.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1]]
    (g,) = mt.grad([F.embedding(mt.Tensor([3, 3, 0]), table).sum()], [table])
    assert g.tolist() == [[1, 1], [0, 0], [0, 0], [2, 2]]


def test_max_norm_shortens_the_named_rows_in_place():
    layer = nn.Embedding.from_pretrained([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], max_norm=1.0)
    np.testing.assert_allclose(layer(mt.Tensor([0, 1])).numpy(), [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(layer.weight.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-6)
    assert not layer.weight.requires_grad and "max_norm=1.0" in repr(layer)


@pytest.mark.parametrize("make", [
    lambda: nn.Embedding(4, 2, sparse=True),
    lambda: nn.EmbeddingBag(4, 2, sparse=True),
    lambda: F.embedding(mt.Tensor([0]), TABLE, sparse=True),
])  # fmt: skip
def test_sparse_is_refused(make):
    with pytest.raises(ValueError, match="sparse gradients are not offered"):
        make()


def test_refused_settings():
    with pytest.raises(ValueError, match="not 'max'"):
        F.embedding_bag(mt.Tensor([[0]]), TABLE, mode="max", scale_grad_by_freq=True)
    with pytest.raises(ValueError, match="max_norm is at least 0; got -1"):
        F.embedding(mt.Tensor([0]), TABLE, max_norm=-1)
    with pytest.raises(ValueError, match="pass a leaf"):
        F.embedding(mt.Tensor([0]), TABLE * 1, max_norm=1)
    with pytest.raises(ValueError, match=r"\(num_embeddings, embedding_dim\); got shape \(2,\)"):
        nn.Embedding.from_pretrained([1.0, 2.0])
