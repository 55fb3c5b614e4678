"""Parity: attention."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, rng, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity


def theirs(q, k, v, m=None, **settings):
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the one with a second gradient
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, m, **settings)


def check(*args, constant=(), **settings):
    ours = lambda *a: F.scaled_dot_product_attention(*a, **settings)  # noqa: E731
    compare(ours, lambda *a: theirs(*a, **settings), *args, constant=constant)


ALLOWED = rng.random((4, 5)) > 0.4
ALLOWED[:, 0] = True
NOWHERE = np.concatenate([ALLOWED[:3], np.zeros((1, 5), bool)])
MASKS = {
    "none": None,
    "bool": ALLOWED,
    "float": normal(4, 5),
    "floor": np.where(ALLOWED, 0.0, -np.inf),
    "row": NOWHERE,
    "floor row": np.where(NOWHERE, 0.3, -np.inf),
    "broadcast": ALLOWED[:1],
    "one axis": ALLOWED[0],
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_masks(mask, lead, scale):
    q, k, v = normal(*lead, 4, 3), normal(*lead, 5, 3), normal(*lead, 5, 2)
    args = (q, k, v) if MASKS[mask] is None else (q, k, v, MASKS[mask])
    check(*args, constant=() if mask == "float" else (3,), scale=scale)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (1, 4), (4, 1)])
def test_causal(shape):
    n, m = shape
    check(normal(2, n, 3), normal(2, m, 3), normal(2, m, 2), is_causal=True)


def test_mask_for_each_head():
    check(normal(2, 3, 4, 2), normal(2, 3, 5, 2), normal(2, 3, 5, 2), rng.random((2, 3, 4, 5)) > 0.5)
    check(normal(2, 3, 4, 2), normal(2, 3, 5, 2), normal(2, 3, 5, 2), normal(2, 1, 4, 5))


@pytest.mark.parametrize("heads", [(6, 2, 2), (6, 3, 2), (4, 4, 4), (4, 1, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_grouped_queries(heads, masked):
    a, b, c = heads
    args = (normal(2, a, 3, 4), normal(2, b, 5, 4), normal(2, c, 5, 2))
    check(*args, *([rng.random((3, 5)) > 0.3] if masked else []), enable_gqa=True)
    check(*(x[0] for x in args), enable_gqa=True)


def test_empty_and_single():
    check(normal(2, 3, 4), normal(2, 0, 4), normal(2, 0, 5))
    check(normal(2, 0, 4), normal(2, 3, 4), normal(2, 3, 5))
    check(normal(0, 3, 4), normal(0, 3, 4), normal(0, 3, 5))
    check(normal(1, 1), normal(1, 1), normal(1, 1))
    check(normal(2, 3, 0), normal(2, 3, 0), normal(2, 3, 5), constant=(0, 1))


def test_large_scores_and_leading_axes():
    check(1e3 * normal(3, 4), normal(5, 4), normal(5, 2))
    check(normal(2, 1, 3, 4), normal(1, 3, 5, 4), normal(1, 3, 5, 2))
    q = normal(3, 4, 2, 5).transpose(2, 0, 3, 1)  # not contiguous
    check(q, q[:, ::-1], q[::-1])


def test_not_a_number_goes_through():
    for bad in (np.nan, np.inf):
        q = normal(2, 3)
        q[0, 0] = bad
        k, v = np.abs(normal(2, 3)), normal(2, 2)
        with np.errstate(invalid="ignore"):  # inf - inf
            y = F.scaled_dot_product_attention(*map(mt.Tensor, (q, k, v))).numpy()
        np.testing.assert_allclose(y, theirs(*map(torch.tensor, (q, k, v))).numpy(), rtol=1e-10)


@pytest.mark.parametrize(
    ("shapes", "settings", "error", "text"),
    [
        (((3,), (3,), (3,)), {}, ValueError, "query has at least two axes"),
        (((2, 3), (2, 4), (2, 3)), {}, ValueError, "differ in their last axis, the features"),
        (((2, 3), (4, 3), (2, 3)), {}, ValueError, "differ in length"),
        (((2, 3), (2, 3), (2, 3)), {"attn_mask": np.ones((3, 2))}, ValueError, "does not broadcast"),
        (((2, 3), (2, 3), (2, 3)), {"attn_mask": np.ones((5, 2, 2))}, ValueError, "does not broadcast"),
        (((2, 3), (2, 3), (2, 3)), {"attn_mask": np.ones((2, 2), int)}, TypeError, "attn_mask is bool"),
        (((2, 3), (2, 3), (2, 3)), {"attn_mask": np.ones((2, 2)), "is_causal": True}, ValueError, "not both"),
        (((2, 3), (2, 3), (2, 3)), {"dropout_p": 1.5}, ValueError, "between 0 and 1"),
        (((6, 2, 3), (4, 2, 3), (4, 2, 3)), {"enable_gqa": True}, ValueError, "are a multiple of the key's"),
        (((2, 3), (2, 3), (2, 3)), {"enable_gqa": True}, ValueError, "enable_gqa"),
    ],
)
def test_error_inputs(shapes, settings, error, text):
    ours = {k: mt.Tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    other = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    with pytest.raises(error, match=text):
        F.scaled_dot_product_attention(*(mt.ones(s) for s in shapes), **ours)
    with pytest.raises((RuntimeError, IndexError)):
        torch.nn.functional.scaled_dot_product_attention(*(torch.ones(s) for s in shapes), **other)


def test_integers_are_refused():
    x = mt.Tensor(np.ones((2, 3), int))
    with pytest.raises(TypeError, match="query is a float Tensor; got Tensor int64"):
        F.scaled_dot_product_attention(x, x, x)


def test_dropout_keeps_the_mean_and_everything_can_be_dropped():
    q = mt.Tensor(normal(2, 3, 4))
    assert not F.scaled_dot_product_attention(q, q, q, dropout_p=1.0).numpy().any()
    mt.manual_seed(0)
    v = mt.ones((2, 1000, 1), "float64")
    y = F.scaled_dot_product_attention(mt.zeros((2, 500, 4)), mt.zeros((2, 1000, 4)), v, dropout_p=0.3)
    assert abs(y.numpy().mean() - 1) < 0.01 and y.numpy().std() > 0.01
