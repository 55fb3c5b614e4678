"""SwAV: one view says to which prototypes another one belongs, in equal shares (Caron et al. 2020)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor


def equal_shares(scores: mt.Tensor, *, sharpness: float, rounds: int) -> mt.Tensor:
    """Return how much each row belongs to each of K prototypes: scores (n, K) -> (n, K), rows that sum to 1.

    Sinkhorn and Knopp's rounds on Q = e^(scores / sharpness): columns are divided by their sums, so that every
    prototype has the same share of the rows, then rows by theirs. Logarithms are kept, so that nothing overflows.

    >>> import numpy as np
    >>> q = equal_shares(mt.Tensor(np.array([[2.0, 0.0], [1.0, 0.0]])), sharpness=1.0, rounds=50)
    >>> np.round(q.numpy(), 3).tolist(), np.round(q.numpy().sum(axis=0), 3).tolist()
    ([[0.622, 0.378], [0.378, 0.622]], [1.0, 1.0])
    """
    log_q = scores / sharpness
    for _ in range(rounds):
        log_q = log_q - mt.logsumexp(log_q, axis=0, keepdims=True)
        log_q = log_q - mt.logsumexp(log_q, axis=1, keepdims=True)
    q: mt.Tensor = mt.exp(log_q)
    return q


@dataclass(frozen=True)
class SwAV(Objective):
    """Mean of -Σ_k q_k log softmax(ŝ/τ)_k, q = `equal_shares` of the target's scores, without a gradient. Their eq. 2.

    Embeddings are scores, one for each of K prototypes: what projector=prototypes makes, with predictor=none. Since
    the prototypes have equal shares of a batch, one constant for all examples has loss log K, and is not the minimum;
    a batch should have more rows than there are prototypes (the paper keeps a queue of earlier ones). Both ways of a
    pair, or all pairs of more views, are the task multiview with question=pairs. With target=ema it is the loss of
    DINOv2 (Oquab et al. 2023), whose teacher has these shares in place of DINO's running mean.

    The paper's values are τ = 0.1, sharpness 0.05 and 3 rounds, as in solo-learn and lightly. "entropy" is that of the
    mean assignment in the predictions, over log K: 1 where all prototypes are in use.
    """

    temperature: float = setting(0.1, between(1e-4, 1e4))
    """divides the scores of predictions"""
    sharpness: float = setting(0.05, between(1e-4, 1e4))
    """divides the scores of targets"""
    rounds: int = setting(3, between(1, 1000))
    """rounds that make the shares equal"""
    spreads = True
    contrasts: ClassVar[bool] = True

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        k = prediction.shape[-1]
        q = equal_shares(target.detach().reshape(-1, k), sharpness=self.sharpness, rounds=self.rounds)
        log_p = mt.log_softmax(prediction.reshape(-1, k) / self.temperature, axis=1)
        used = mt.exp(log_p.detach()).mean(axis=0)
        entropy = -(used * mt.log(used + 1e-12)).sum() / math.log(k)
        return {"loss": -(q * log_p).sum(axis=1).mean(), "entropy": entropy}
