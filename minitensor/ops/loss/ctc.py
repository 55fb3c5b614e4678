"""Connectionist temporal classification: the loss of a label sequence whose alignment is not known."""

from __future__ import annotations

import numpy as np

from minitensor.backend import Array, device_of, is_array, move, namespace, to_numpy
from minitensor.composite import composite
from minitensor.graph import Variable, describe
from minitensor.ops.elementwise import greater, maximum, where
from minitensor.ops.indexing.index import take_along_axis
from minitensor.ops.loss.reduction import check_reduction, reduced
from minitensor.ops.nn.recurrent import separate
from minitensor.ops.nn.softmax import logsumexp
from minitensor.ops.shaping.join import concatenate, stack
from minitensor.ops.shaping.shape import expand_dims

__all__ = ["ctc_loss"]

NEVER = -1e30  # stands in for log 0: sums of it stay finite, and so do the gradients


def _host(name: str, what: str, values: Array) -> np.ndarray:
    """Return integers as a NumPy array."""
    raw = values.data if isinstance(values, Variable) else values
    array = to_numpy(raw) if is_array(raw) else np.asarray(raw)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: {what} are integers; got {describe(values)}")
    return array.astype(np.int64)


def _lengths(what: str, values: Array, n: int, most: int) -> np.ndarray:
    array = _host("ctc_loss", what, values).reshape(-1)
    if array.shape != (n,):
        raise ValueError(f"ctc_loss: {what} has one entry for each of {n} sequences; got {array.size}")
    if array.size and not 0 <= array.min() <= array.max() <= most:
        raise ValueError(f"ctc_loss: {what} are 0 to {most}; got {array.tolist()}")
    return array


def _padded(targets: np.ndarray, lengths: np.ndarray, blank: int) -> np.ndarray:
    """Return the labels with a blank before, between and behind them: (n, 2 longest + 1)."""
    n, longest = len(lengths), int(lengths.max(initial=0))
    rows = np.full((n, 2 * longest + 1), blank)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for i, k in enumerate(lengths):
        rows[i, 1 : 2 * k : 2] = targets[i, :k] if targets.ndim == 2 else targets[starts[i] : starts[i] + k]
    return rows


@composite
def ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Array:
    """L = -ln Σ Π_t p_t(a_t) over all alignments a of T steps with the target: repeats merged, then blanks left out

    log_probs (T, n, classes) or (T, classes), of log_softmax; targets integers (n, longest), or all in a row; lengths
    n integers each -> (), or (n,) with "none". The mean is of L / target length. A target that no alignment gives has
    L = inf, or 0 with zero_infinity, and the gradient 0. Raises ValueError for lengths that do not fit, IndexError for
    a class out of range, TypeError for floats. Reference: Graves et al. 2006.
    Differs from PyTorch: the gradient of log_probs is the loss's own, -P(class at t); there e^log_probs is added to
    it, which log_softmax takes away again. An infinite loss has the gradient 0, not NaN.
    A class out of range and float targets are refused.

    >>> import minitensor as mt
    >>> logp = mt.nn.functional.log_softmax(mt.zeros((2, 1, 2)), 2)
    >>> mt.nn.functional.ctc_loss(logp, mt.Tensor([[1]]), [2], [1])  # 3 of 4 alignments: 1-, -1, 11
    Tensor float32 (): 0.2877
    """
    check_reduction(reduction)
    if len(log_probs.shape) not in (2, 3) or not log_probs.shape[0]:
        raise ValueError(f"ctc_loss: log_probs is (T, n, classes) or (T, classes), T above 0; got {log_probs.shape}")
    single = len(log_probs.shape) == 2
    lp = expand_dims(log_probs, axis=1) if single else log_probs
    (steps, n, classes), labels = lp.shape, _host("ctc_loss", "targets", targets)
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: blank is one of the classes 0 to {classes - 1}; got {blank}")
    labels = labels.reshape(1, -1) if single else labels
    if labels.ndim not in (1, 2) or (labels.ndim == 2 and labels.shape[0] != n):
        raise ValueError(f"ctc_loss: targets are (n, longest) with n = {n}, or all in a row; got {labels.shape}")
    inputs = _lengths("input_lengths", input_lengths, n, steps)
    lengths = _lengths("target_lengths", target_lengths, n, labels.shape[-1])
    if labels.ndim == 1 and lengths.sum() != labels.size:
        raise ValueError(f"ctc_loss: the target_lengths add up to {lengths.sum()}, the targets are {labels.size}")
    rows = _padded(labels, lengths, blank)  # (n, states)
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        wrong = int(rows.min() if rows.min() < 0 else rows.max())
        raise IndexError(f"ctc_loss: a class is 0 to {classes - 1}; the targets hold {wrong}")
    loss = -_log_likelihood(lp, rows, inputs, lengths)
    xp, device = namespace(_raw(lp)), device_of(_raw(lp))
    impossible = greater(_raw(loss), -NEVER / 2)
    loss = where(impossible, 0.0 if zero_infinity else xp.inf, loss)
    loss = loss[0] if single else loss
    if reduction != "mean":
        return reduced(loss, reduction)
    counts = move(np.maximum(lengths, 1).astype(np.float32), device)
    return reduced(loss / (counts[0] if single else counts), "mean")


def _raw(x: Array) -> Array:
    return x.data if isinstance(x, Variable) else x


def _log_likelihood(lp: Array, rows: np.ndarray, inputs: Array, lengths: Array) -> Array:
    """Return ln P(target) of each sequence, the forward recursion over the states: the labels and blanks of `rows`."""
    xp, device = namespace(_raw(lp)), device_of(_raw(lp))
    n, states = rows.shape
    at = np.broadcast_to(rows, (lp.shape[0], n, states)).copy()
    emitted = separate(maximum(take_along_axis(lp, move(at, device), axis=2), NEVER), axis=0)  # T of (n, states)
    never = xp.full((n, 2), NEVER, _raw(lp).dtype)
    skips = np.zeros((n, states), bool)  # may a path jump over the blank before this label?
    skips[:, 2:] = rows[:, 2:] != rows[:, :-2]
    skips_here = move(skips, device)
    start = np.full((n, states), NEVER, _raw(lp).dtype)
    start[:, 0] = 0  # before the first step: from the first blank it stays, or goes on to the first label
    state: Array = move(start, device)
    for t, e in enumerate(emitted):
        before = concatenate(never, state, axis=1)  # (n, 2 + states)
        jump = where(skips_here, before[:, :states], NEVER)
        new = logsumexp(stack(state, before[:, 1 : 1 + states], jump, axis=0), axis=0) + e
        state = where(move((t < inputs)[:, None], device), new, state)
    ends = np.stack([2 * lengths, np.maximum(2 * lengths - 1, 0)], axis=1)  # (n, 2): the last blank, the last label
    both = take_along_axis(state, move(ends, device), axis=1)
    return logsumexp(where(move(np.stack([lengths >= 0, lengths > 0], axis=1), device), both, NEVER), axis=1)
