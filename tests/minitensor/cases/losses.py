"""Cases: losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops import loss
from minitensor.ops.loss import binary
from tests.minitensor.cases.case import case, distinct, normal, positive
from tests.minitensor.cases.reduce import softmax

REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}
PROBABILITIES = np.array([[0.1, 0.4, 0.9], [0.5, 0.7, 0.2]])


def _each(op: Any, *args: Any, ref: Callable[..., Any], note: str = "", **settings: Any) -> None:
    """Three cases, one for each reduction of `ref`, the losses one by one."""
    for name, reduce in REDUCTIONS.items():

        def reference(*a: Any, f: Any = reduce) -> Any:
            return f(ref(*a))

        case(op, *args, ref=reference, note=f"{note}{name}", reduction=name, **settings)


def _smooth_l1(a: Any, b: Any, beta: float) -> Any:
    d = np.abs(a - b)
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2) if beta else d


def _huber(a: Any, b: Any, delta: float) -> Any:
    d = np.abs(a - b)
    return np.where(d < delta, d**2 / 2, delta * (d - delta / 2))


# -- numbers ---------------------------------------------------------------------------------------------------------

a_, b_ = np.array([[0.1, 1.3], [-0.2, 2.5]]), np.array([[0.3, -1.0], [0.1, 2.4]])
_each(loss.mse_loss, normal(2, 3), normal(2, 3), ref=lambda a, b: (a - b) ** 2)
_each(loss.l1_loss, a_, b_, ref=lambda a, b: np.abs(a - b))
for beta_ in (1.0, 0.4, 0.0):
    _each(loss.smooth_l1_loss, a_, b_, beta=beta_, ref=lambda a, b, k=beta_: _smooth_l1(a, b, k), note=f"{beta_}-")
for delta_ in (1.0, 0.25):
    _each(loss.huber_loss, a_, b_, delta=delta_, ref=lambda a, b, k=delta_: _huber(a, b, k), note=f"{delta_}-")
w_ = np.array([[1, 2], [3, 4]])
case(loss.mse_loss, a_, b_, weight=w_, ref=lambda a, b: (w_ * (a - b) ** 2).sum() / w_.sum(), note="weight")
case(loss.l1_loss, a_, b_, weight=w_, ref=lambda a, b: (w_ * np.abs(a - b)).sum() / w_.sum(), note="weight")
case(loss.huber_loss, a_, b_, weight=w_, ref=lambda a, b: (w_ * _huber(a, b, 1.0)).mean(), note="weight")

# -- classes ---------------------------------------------------------------------------------------------------------


def _nll(logp: Any, t: Any, w: Any, ignore: int, spread: float = 0.0) -> tuple[Any, Any]:
    """Return the losses of all places, and their weights."""
    axis = 0 if logp.ndim == 1 else 1
    logp, c = np.moveaxis(logp, axis, -1), logp.shape[axis]
    w = np.ones(c) if w is None else w
    kept = t != ignore
    q = np.eye(c)[np.where(kept, t, 0)] * (1 - spread) + spread / c
    return -(q * logp * w).sum(axis=-1) * kept, w[np.where(kept, t, 0)] * kept


def _classes(op: Any, x: Any, t: Any, w: Any = None, note: str = "", **settings: Any) -> None:
    for name in REDUCTIONS:

        def reference(x: Any, t: Any, w: Any = None, name: str = name) -> Any:
            logp = np.log(softmax(x, 0 if x.ndim == 1 else 1)) if op is loss.cross_entropy else x
            losses, weights = _nll(logp, t, w, settings.get("ignore_index", -100), settings.get("label_smoothing", 0.0))
            return losses.sum() / weights.sum() if name == "mean" else REDUCTIONS[name](losses)

        arrays = (x, t) if w is None else (x, t, w)
        case(op, *arrays, ref=reference, note=f"{note}-{name}", reduction=name, **settings)


for op_ in (loss.nll_loss, loss.cross_entropy):
    _classes(op_, normal(3, 4), np.array([0, 3, 1]), note="classes")
    _classes(op_, normal(3, 4), np.array([0, 1, 1]), ignore_index=1, note="ignore1")
    _classes(op_, normal(3, 4), np.array([0, -100, 1]), positive(4), note="weight")
    _classes(op_, normal(4), np.array(2), note="one")
    _classes(op_, normal(2, 3, 2), np.array([[0, 2], [1, 1]]), positive(3), note="places")
_classes(loss.cross_entropy, normal(3, 4), np.array([0, -100, 1]), label_smoothing=0.1, note="smoothed")
_apart = normal(3, 4) + [[0.0], [300.0], [-200.0]]  # rows that share no scale
_classes(loss.cross_entropy, _apart, np.array([3, 1, 0]), label_smoothing=0.3, note="apart")
_classes(loss.cross_entropy, normal(2, 3, 2), np.array([[0, 2], [1, 1]]), positive(3), label_smoothing=0.2, note="both")


def _soft(x: Any, t: Any, w: Any = 1.0, spread: float = 0.1) -> Any:
    return -((t * (1 - spread) + spread / x.shape[1]) * np.log(softmax(x, 1)) * w).sum(axis=1)


_each(loss.cross_entropy, normal(2, 3), softmax(normal(2, 3)), label_smoothing=0.1, ref=_soft, note="soft-")
_each(loss.cross_entropy, normal(2, 3), softmax(normal(2, 3)), positive(3),
      ref=lambda x, t, w: _soft(x, t, w, 0.0), note="soft-weight-")  # fmt: skip


def _multi_margin(x: Any, t: Any, p: int = 1, margin: float = 1.0, w: Any = None) -> Any:
    z = np.maximum(margin - x[np.arange(len(t)), t][:, None] + x, 0) ** p
    z[np.arange(len(t)), t] = 0
    return z.sum(axis=1) / x.shape[1] * (1 if w is None else w[t])


_each(loss.multi_margin_loss, distinct(3, 4), np.array([0, 3, 1]), ref=_multi_margin)
_each(loss.multi_margin_loss, distinct(3, 4), np.array([0, 3, 1]), p=2, margin=0.53, weight=np.arange(1, 5),
      ref=lambda x, t: _multi_margin(x, t, 2, 0.53, np.arange(1, 5)), note="settings-")  # fmt: skip


def _several(x: Any, t: Any) -> Any:
    """L of each row, by loops."""
    rows = []
    for row, classes in zip(np.atleast_2d(x), np.atleast_2d(t), strict=True):
        chosen = [c for k, c in enumerate(classes) if (classes[: k + 1] >= 0).all()]
        others = [i for i in range(len(row)) if i not in chosen]
        rows.append(np.sum([max(0.0, 1 - row[c] + row[i]) for c in chosen for i in others]) / len(row))
    return np.array(rows) if x.ndim == 2 else rows[0]


_each(
    loss.multilabel_margin_loss, distinct(3, 4), np.array([[0, 3, -1, 1], [-1, 2, 2, 2], [1, 1, 2, -1]]), ref=_several
)
_each(loss.multilabel_margin_loss, distinct(4), np.array([2, -1, 0, 0]), ref=_several, note="one-")


def _alignments(lp: Any, t: Any, steps: Any, lengths: Any, blank: int = 0) -> Any:
    """L of each sequence, by all alignments."""
    losses = []
    for i, (n, k) in enumerate(zip(steps, lengths, strict=True)):
        wanted = [int(c) for c in (t[i, :k] if t.ndim == 2 else t[np.sum(lengths[:i], dtype=int) :][:k])]
        total = 0.0
        for path in itertools.product(range(lp.shape[2]), repeat=int(n)):
            merged = [c for j, c in enumerate(path) if (not j or c != path[j - 1]) and c != blank]
            total += np.exp(sum(lp[j, i, c] for j, c in enumerate(path))) if merged == wanted else 0.0
        losses.append(-np.log(total) if total else np.inf)
    return np.array(losses)


lp_, steps_, lengths_ = np.log(softmax(normal(4, 3, 3), 2)), np.array([4, 3, 2]), np.array([2, 2, 1])
for t_, blank_ in ((np.array([[1, 2], [2, 2], [1, 9]]), 0), (np.array([0, 1, 0, 0, 1]), 2)):
    for name_ in ("sum", "none", "mean"):

        def _ctc(
            lp: Any, t: Any, n: Any, k: Any, f: Any = REDUCTIONS[name_], name: str = name_, b: int = blank_
        ) -> Any:
            losses = _alignments(lp, t, n, k, b)
            return f(losses / k if name == "mean" else losses)

        case(
            loss.ctc_loss, lp_, t_, steps_, lengths_, ref=_ctc, note=f"{blank_}-{name_}", reduction=name_, blank=blank_
        )
case(loss.ctc_loss, lp_[:, 0], np.array([1, 2]), np.array([4]), np.array([2]),
     ref=lambda lp, t, n, k: _alignments(lp[:, None], t[None], n, k)[0] / 2, note="one")  # fmt: skip
case(loss.ctc_loss, lp_[:2], np.array([[1, 1], [2, 1], [0, 0]]), np.array([2, 2, 0]), np.array([2, 2, 0]),
     ref=lambda lp, t, n, k: np.array([0.0, _alignments(lp, t, n, k)[1], 0.0]), note="impossible", smooth=False,
     reduction="none", zero_infinity=True)  # fmt: skip

# -- yes or no -------------------------------------------------------------------------------------------------------


def _bce(x: Any, t: Any, w: Any = 1.0, p: Any = 1.0) -> Any:
    return -w * (p * t * np.log(x) + (1 - t) * np.log(1 - x))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


t_ = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 0.8]])
case(binary.log_likelihood, PROBABILITIES, t_, ref=lambda x, t: -_bce(x, t))
case(binary.likelihood_slope, PROBABILITIES, t_, ref=lambda x, t: (t - x) / (x * (1 - x)))
_each(loss.binary_cross_entropy, PROBABILITIES, t_, ref=_bce)
_each(loss.binary_cross_entropy, PROBABILITIES, t_, positive(3), ref=_bce, note="weight-")
logits_ = loss.binary_cross_entropy_with_logits
_each(logits_, normal(2, 3), t_, ref=lambda x, t: _bce(_sigmoid(x), t))
_each(logits_, normal(2, 3), t_, positive(2, 3), ref=lambda x, t, w: _bce(_sigmoid(x), t, w), note="weight-")
_each(logits_, normal(2, 3), t_, pos_weight=w_[1:, 0], ref=lambda x, t: _bce(_sigmoid(x), t, 1, 3), note="p-")
signs_ = np.array([1.0, -1.0, 1.0])
_each(loss.soft_margin_loss, normal(3), signs_, ref=lambda x, t: np.log1p(np.exp(-t * x)))
_each(loss.hinge_embedding_loss, distinct(3), signs_.astype(int),
      ref=lambda x, t: np.where(t == 1, x, np.maximum(0, 1 - x)))  # fmt: skip
_each(loss.multilabel_soft_margin_loss, normal(2, 3), t_, positive(3),
      ref=lambda x, t, w: _bce(_sigmoid(x), t, w).mean(axis=-1))  # fmt: skip

# -- distributions ---------------------------------------------------------------------------------------------------

q_ = softmax(normal(2, 3))
_each(loss.kl_div, normal(2, 3), q_, ref=lambda x, t: t * (np.log(t) - x))
_each(loss.kl_div, normal(2, 3), np.log(q_), log_target=True, ref=lambda x, t: np.exp(t) * (t - x), note="log-")
case(
    loss.kl_div, normal(2, 3), q_, reduction="batchmean", ref=lambda x, t: (t * (np.log(t) - x)).sum() / 2, note="batch"
)
counts_ = np.array([0.0, 1.0, 3.0])
_each(loss.poisson_nll_loss, normal(3), counts_, ref=lambda x, t: np.exp(x) - t * x)


def _stirling(t: Any) -> Any:
    s = np.maximum(t, 1)
    return np.where(t > 1, s * np.log(s) - s + np.log(2 * math.pi * s) / 2, 0)


_each(loss.poisson_nll_loss, positive(3), counts_ + 0.2, log_input=False, full=True, note="full-",
      ref=lambda x, t: x - t * np.log(x + 1e-8) + _stirling(t))  # fmt: skip


def _gaussian(x: Any, t: Any, v: Any, full: float = 0.0) -> Any:
    return 0.5 * (np.log(v) + (x - t) ** 2 / v) + full * 0.5 * np.log(2 * math.pi)


_each(loss.gaussian_nll_loss, normal(2, 3), normal(2, 3), positive(2, 3), ref=_gaussian)
_each(loss.gaussian_nll_loss, normal(2, 3), normal(2, 3), positive(2), full=True, note="rows-",
      ref=lambda x, t, v: _gaussian(x, t, v[:, None], 1.0))  # fmt: skip

# -- comparisons -----------------------------------------------------------------------------------------------------


def _cosine(a: Any, b: Any) -> Any:
    return (a * b).sum(-1) / np.sqrt(((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12))


def _distance(a: Any, b: Any, p: float = 2.0) -> Any:
    return np.linalg.norm(a - b + 1e-6, p, axis=-1)


_each(loss.margin_ranking_loss, distinct(3), 3 * distinct(3), signs_, margin=0.2,
      ref=lambda a, b, t: np.maximum(0, -t * (a - b) + 0.2))  # fmt: skip
_each(loss.cosine_embedding_loss, np.array([[1.0, 2.0], [0.3, -1.0], [2.0, 1.0]]), normal(3, 2) + 1, signs_,
      margin=-1.0, ref=lambda a, b, t: np.where(t == 1, 1 - _cosine(a, b), _cosine(a, b) + 1))  # fmt: skip
triplet_ = (normal(2, 3), normal(2, 3), normal(2, 3) + 1)
_each(loss.triplet_margin_loss, *triplet_, margin=3.0,
      ref=lambda a, p, n: np.maximum(0, _distance(a, p) - _distance(a, n) + 3))  # fmt: skip
_each(loss.triplet_margin_loss, *triplet_, margin=5.0, p=3.0, swap=True, note="swap-",
      ref=lambda a, p, n: np.maximum(
          0, _distance(a, p, 3) - np.minimum(_distance(a, n, 3), _distance(p, n, 3)) + 5))  # fmt: skip
