"""Parity: losses of yes or no, of distributions and of comparisons, at both orders, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

G = torch.nn.functional
pytestmark = pytest.mark.parity
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
shapes = pytest.mark.parametrize("shape", [(4, 5), (), (0,), (1,), (2, 3, 4)])


def share(*shape):
    return np.asarray(1 / (1 + np.exp(-normal(*shape))))


@reductions
@shapes
def test_binary_cross_entropy(reduction, shape):
    x, t, w = share(*shape), share(*shape), np.asarray(np.exp(normal(*shape)))
    both("binary_cross_entropy", x, t, reduction=reduction)
    both("binary_cross_entropy", x, t, w, reduction=reduction, constant=(2,))
    x = np.asarray(3 * normal(*shape))
    both("binary_cross_entropy_with_logits", x, t, reduction=reduction)
    both("binary_cross_entropy_with_logits", x, t, w, reduction=reduction, constant=(2,))
    ours = lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, reduction=reduction, pos_weight=w)  # noqa: E731
    theirs = lambda x, t, w: G.binary_cross_entropy_with_logits(x, t, reduction=reduction, pos_weight=w)  # noqa: E731
    compare(ours, theirs, x, t, w, constant=(2,))


def test_binary_cross_entropy_at_its_edges():
    x, t = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1e-30]), np.array([0.0, 1.0, 0.0, 1.0, 0.5, 1.0])
    both("binary_cross_entropy", x, t, reduction="none", constant=(1,), dtypes=("float32",))  # 1e-12 is rounded to it
    logits = np.array([-np.inf, -1e4, 1e4, np.inf, np.nan, 0.0])
    both(
        "binary_cross_entropy_with_logits", logits, np.array([1.0, 0.0, 1.0, 0.0, 0.5, 0.0]), reduction="none", order=1
    )


@reductions
@shapes
def test_margins(reduction, shape):
    x, signs = normal(*shape), np.where(np.asarray(normal(*shape)) > 0, 1.0, -1.0)
    for name in ("soft_margin_loss", "hinge_embedding_loss"):
        both(name, x, signs, reduction=reduction, constant=(1,))
    both("hinge_embedding_loss", x, signs, margin=0.3, reduction=reduction, constant=(1,))
    both("margin_ranking_loss", x, normal(*shape), signs, margin=0.3, reduction=reduction)
    both("margin_ranking_loss", x, x, signs, reduction=reduction, order=1)  # at the hinge
    if shape and 0 not in shape:
        both("multilabel_soft_margin_loss", x, share(*shape), reduction=reduction)
        both("multilabel_soft_margin_loss", x, share(*shape), share(shape[-1]), reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div(reduction, log_target):
    x, t = normal(3, 4), normal(3, 4) if log_target else share(3, 4)
    both("kl_div", x, t, reduction=reduction, log_target=log_target)
    both("kl_div", x, t[0], reduction=reduction, log_target=log_target)  # it broadcasts
    if not log_target:
        t[0, 0] = 0
        both("kl_div", x, t, reduction=reduction, constant=(1,))


@reductions
@pytest.mark.parametrize("log_input", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_poisson(reduction, log_input, full):
    x, t = np.exp(normal(3, 4)), np.floor(3 * share(3, 4))
    both("poisson_nll_loss", x, t, reduction=reduction, log_input=log_input, full=full, constant=(1,) if full else ())


@reductions
@pytest.mark.parametrize("full", [False, True])
def test_gaussian(reduction, full):
    x, t = normal(3, 4), normal(3, 4)
    for var in (np.exp(normal(3, 4)), np.exp(normal(3, 1)), np.exp(normal(3)), 1e-9 * share(3, 4)):
        both("gaussian_nll_loss", x, t, var, reduction=reduction, full=full, eps=1e-4)
    compare(lambda x, t: F.gaussian_nll_loss(x, t, 0.3), lambda x, t: G.gaussian_nll_loss(x, t, 0.3), x, t)


@reductions
def test_cosine_embedding(reduction):
    a, b, t = normal(4, 3), normal(4, 3), np.array([1, -1, -1, 1])
    both("cosine_embedding_loss", a, b, t, margin=0.2, reduction=reduction)
    both("cosine_embedding_loss", a[0], b[0], np.array(-1), reduction=reduction)
    a[0] = 0
    # PyTorch rounds its 1e-12 to float32
    both("cosine_embedding_loss", a, b, t, reduction=reduction, order=1, dtypes=("float32",))


@reductions
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_triplet(reduction, swap, p):
    a, b, c = normal(4, 3), normal(4, 3), normal(4, 3)
    both("triplet_margin_loss", a, b, c, swap=swap, p=p, reduction=reduction, margin=2.0)
    both("triplet_margin_loss", a[0], b[0], c[0], swap=swap, p=p, reduction=reduction)
    both("triplet_margin_loss", a, a, a, reduction=reduction, order=1)


REFUSED = {
    "bce": (
        lambda f, t: f.binary_cross_entropy(t([0.5, 1.5]), t([1.0, 1.0])),
        ValueError,
        "input is probabilities, all in",
    ),
    "bce, nan": (lambda f, t: f.binary_cross_entropy(t([np.nan]), t([1.0])), ValueError, "input is probabilities"),
    "bce, shape": (
        lambda f, t: f.binary_cross_entropy(t([[0.5]]), t([1.0])),
        ValueError,
        r"input \(1, 1\) and target \(1,\) differ in shape",
    ),
    "logits": (
        lambda f, t: f.binary_cross_entropy_with_logits(t([[0.5]]), t([1.0])),
        ValueError,
        r"input \(1, 1\) and target \(1,\) differ in shape",
    ),
    "kl": (
        lambda f, t: f.kl_div(t([1.0]), t([1.0]), reduction="x"),
        ValueError,
        "'batchmean', 'mean', 'sum' or 'none'",
    ),
    "gaussian": (
        lambda f, t: f.gaussian_nll_loss(t([1.0]), t([1.0]), t([-1.0])),
        ValueError,
        "a variance, at least 0; it has a negative entry",
    ),
    "gaussian, shape": (
        lambda f, t: f.gaussian_nll_loss(t([[1.0, 2.0]]), t([[1.0, 2.0]]), t([1.0, 1.0, 1.0])),
        ValueError,
        r"var has the shape \(1, 2\) of input, or less; got \(3,\)",
    ),
    "ranking": (
        lambda f, t: f.margin_ranking_loss(t([1.0]), t([[1.0]]), t([1.0])),
        ValueError,
        r"have one shape; got \(1,\), \(1, 1\) and \(1,\)",
    ),
    "cosine": (
        lambda f, t: f.cosine_embedding_loss(t([[1.0]]), t([[1.0]]), t([[1.0]])),
        ValueError,
        r"with a target \(n,\), or \(d,\) with \(\); got \(1, 1\), \(1, 1\) and \(1, 1\)",
    ),
    "triplet": (
        lambda f, t: f.triplet_margin_loss(t([[1.0]]), t([[1.0]]), t([1.0])),
        ValueError,
        "anchor, positive and negative have as many axes",
    ),
    "triplet, margin": (
        lambda f, t: f.triplet_margin_loss(t([1.0]), t([1.0]), t([1.0]), margin=-1.0),
        ValueError,
        "margin is above 0; got -1.0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call(F, mt.Tensor)
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        call(G, torch.tensor)


VARIANCES = [(4, 3), (1, 3), (4, 1), (4,), (1, 1), (3,), (2, 3), (4, 3, 1), (4, 1, 1)]


@pytest.mark.parametrize("shape", VARIANCES)
def test_gaussian_takes_the_variances_that_pytorch_takes(shape):
    x, t, v = normal(4, 3), normal(4, 3), share(*shape)
    given = [[lib(a) for a in (x, t, v)] for lib in (torch.tensor, mt.Tensor)]
    try:
        wanted = G.gaussian_nll_loss(*given[0])
    except ValueError:
        with pytest.raises(ValueError, match="var has the shape"):
            F.gaussian_nll_loss(*given[1])
        return
    assert F.gaussian_nll_loss(*given[1]).item() == pytest.approx(wanted.item(), rel=1e-12)
    both("gaussian_nll_loss", normal(4, 3, 2), normal(4, 3, 2), share(4, 1, 2) + 0.1, reduction="sum")
