"""Parity: connectionist temporal classification, and the margin loss of several labels."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

G = torch.nn.functional
pytestmark = pytest.mark.parity
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
PADDED, LENGTHS, STEPS = np.array([[1, 3, 2], [2, 2, 0], [4, 0, 0], [0, 0, 0]]), [3, 2, 1, 0], [6, 5, 6, 2]
IN_A_ROW = np.array([1, 3, 2, 2, 2, 4])


def _ctc(f, scores, targets, steps, lengths, **settings):
    """The loss of unnormalized scores: PyTorch's gradient is right only behind log_softmax."""
    return f.ctc_loss(f.log_softmax(scores, -1), targets, steps, lengths, **settings)


@reductions
@pytest.mark.parametrize("targets", [PADDED, IN_A_ROW], ids=["padded", "in a row"])
@pytest.mark.parametrize("lengths", [list, tuple, np.array])
def test_ctc(reduction, targets, lengths):
    x = normal(6, 4, 5)
    steps, counts = lengths(STEPS), lengths(LENGTHS)
    compare(
        lambda x, t: _ctc(F, x, t, steps, counts, reduction=reduction),
        lambda x, t: _ctc(G, x, t, tuple(STEPS), tuple(LENGTHS), reduction=reduction),
        x,
        targets,
        order=1,  # PyTorch's second order takes its first for a constant
    )


@reductions
def test_ctc_of_another_blank_and_of_one_sequence(reduction):
    x, t = normal(6, 4, 5), np.where(PADDED == 0, 4, PADDED - 1)
    both_ = lambda f: lambda x, t: _ctc(f, x, t, tuple(STEPS), tuple(LENGTHS), reduction=reduction, blank=4)  # noqa: E731
    compare(both_(F), both_(G), x, np.minimum(t, 3), order=1)
    one = lambda f, a: lambda x, t: _ctc(f, x, t, a(6), a(3), reduction=reduction)  # noqa: E731
    compare(one(F, lambda n: (n,)), one(G, torch.tensor), normal(6, 5), PADDED[0], order=1)


@reductions
def test_ctc_that_no_alignment_gives(reduction):
    x, t = normal(3, 2, 4), np.array([[1, 1, 1], [1, 2, 0]])
    settings = {"reduction": reduction, "zero_infinity": True}
    compare(lambda x, t: _ctc(F, x, t, (3, 3), (3, 2), **settings),
            lambda x, t: _ctc(G, x, t, (3, 3), (3, 2), **settings), x, t, order=1)  # fmt: skip
    ours = _ctc(F, mt.Tensor(x, requires_grad=True), mt.Tensor(t), (3, 3), (3, 2), reduction="none")
    assert np.isinf(ours.numpy()).tolist() == [True, False]


def test_ctc_at_both_orders():
    lengths = ([2, 2, 1, 0], [4, 3, 2, 1])

    def f(x):
        return _ctc(F, x, mt.Tensor(PADDED[:, :2]), lengths[1], lengths[0])

    x = mt.Tensor(normal(4, 4, 5), requires_grad=True)
    assert mt.gradcheck(f, x) and mt.gradgradcheck(f, x)


def test_ctc_of_a_long_sequence_stays_finite():
    x, t = 20 * normal(400, 2, 8), np.tile(np.array([[1, 2, 3, 3, 4]]), (2, 12))
    compare(lambda x, t: _ctc(F, x, t, (400, 380), (60, 55)), lambda x, t: _ctc(G, x, t, (400, 380), (60, 55)), x, t,
            order=1, dtypes=("float64",))  # fmt: skip


def test_ctc_layer():
    x, t = np.asarray(normal(6, 4, 5), np.float32), PADDED
    ours = nn.CTCLoss(zero_infinity=True)(F.log_softmax(mt.Tensor(x), 2), mt.Tensor(t), STEPS, mt.Tensor(LENGTHS))
    theirs = torch.nn.CTCLoss(zero_infinity=True)(
        G.log_softmax(torch.tensor(x), 2), torch.tensor(t), torch.tensor(STEPS), torch.tensor(LENGTHS)
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert repr(nn.CTCLoss(2, "sum")) == "CTCLoss(blank=2, zero_infinity=False, reduction='sum')"


@reductions
def test_multilabel_margin(reduction):
    t = np.array([[0, 3, -1, 1], [-1, 2, 2, 2], [1, 0, 2, -1], [3, 2, 1, 0]])
    both("multilabel_margin_loss", normal(4, 4), t, reduction=reduction, order=1)
    both("multilabel_margin_loss", normal(4), t[0], reduction=reduction, order=1)
    both("multilabel_margin_loss", np.zeros((4, 4)), t, reduction=reduction, order=1)
    both(
        "multilabel_margin_loss", np.array([[1.0, 0.0, 2.0, 1.0]]), t[:1], reduction=reduction, order=1
    )  # at the margin
    if reduction == "none":  # the sum of none is not set in PyTorch
        both("multilabel_margin_loss", np.zeros((0, 4)), t[:0], reduction=reduction, order=1)


def _scores(f, t):
    return f.log_softmax(t(np.zeros((4, 2, 3))), 2)


REFUSED = {
    "steps": (
        lambda f, t: f.ctc_loss(_scores(f, t), t([[1], [2]]), (5, 4), (1, 1)),
        ValueError,
        r"input_lengths are 0 to 4; got \[5, 4\]",
    ),
    "count": (
        lambda f, t: f.ctc_loss(_scores(f, t), t([[1], [2]]), (4,), (1, 1)),
        ValueError,
        "input_lengths has one entry for each of 2 sequences; got 1",
    ),
    "target lengths": (
        lambda f, t: f.ctc_loss(_scores(f, t), t([[1], [2]]), (4, 4), (1, 2)),
        ValueError,
        r"target_lengths are 0 to 1; got \[1, 2\]",
    ),
    "blank": (
        lambda f, t: f.ctc_loss(_scores(f, t), t([[1], [2]]), (4, 4), (1, 1), blank=3),
        ValueError,
        "blank is one of the classes 0 to 2; got 3",
    ),
    "batch": (
        lambda f, t: f.ctc_loss(_scores(f, t), t([[1], [2], [1]]), (4, 4), (1, 1)),
        ValueError,
        r"\(n, longest\) with n = 2, or all in a row; got \(3, 1\)",
    ),
    "labels, shape": (
        lambda f, t: f.multilabel_margin_loss(t([[1.0, 2.0]]), t([[0]])),
        ValueError,
        r"target has its shape; got \(1, 2\) and \(1, 1\)",
    ),
    "labels, class": (
        lambda f, t: f.multilabel_margin_loss(t([[1.0, 2.0]]), t([[2, -1]])),
        IndexError,
        "a class is 0 to 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        call(F, mt.Tensor)
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        call(G, torch.tensor)


def test_refused_where_pytorch_reads_on():
    with pytest.raises(IndexError, match="a class is 0 to 2; the targets hold 7"):
        F.ctc_loss(_scores(F, mt.Tensor), mt.Tensor([[1], [7]]), (4, 4), (1, 1))
    with pytest.raises(TypeError, match="targets are integers; got Tensor"):
        F.ctc_loss(_scores(F, mt.Tensor), mt.Tensor([[1.0], [2.0]]), (4, 4), (1, 1))
    with pytest.raises(ValueError, match="add up to 2, the targets are 3"):
        F.ctc_loss(_scores(F, mt.Tensor), mt.Tensor([1, 2, 1]), (4, 4), (1, 1))
    with pytest.raises(ValueError, match="T above 0"):
        F.ctc_loss(mt.zeros((0, 2, 3)), mt.Tensor([[1], [1]]), (0, 0), (1, 1))
