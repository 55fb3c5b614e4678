"""Total coding rate: the embeddings of a batch must need many bits, those of one example none (EMP-SSL)."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor, mean_of

F = mt.nn.functional


def coding_rate(z: Tensor, eps: float = 0.2) -> Tensor:
    """Return ½ log det(I + d / (n eps) zᵀz) of rows of unit length: z (n, d). Yu et al. 2020; Tong et al. 2023.

    By the smaller of the two Gram matrices, which have the same determinant, and Cholesky: det = Π L_ii².

    >>> round(float(coding_rate(mt.eye(3), eps=1.0)) / (3 / 2 * math.log(2)), 6)
    1.0
    """
    n, d = z.shape
    z = F.normalize(z, dim=-1)
    gram = z.T @ z if d < n else z @ z.T
    one = mt.eye(min(n, d), dtype=z.dtype, device=z.device)
    return mt.log(mt.diagonal(mt.linalg.cholesky(one + d / (n * eps) * gram))).sum()


def largest_rate(n: int, d: int, eps: float) -> float:
    """Return the largest coding rate of n rows of d numbers: that of orthogonal directions, equally used."""
    rank = min(n, d)
    return rank / 2 * math.log(1 + d / (rank * eps))


@dataclass(frozen=True)
class TCR(Objective):
    """invariance · mean (1 - cos(ŝ, s*)) + mean over views of R_max - R, R the `coding_rate`. Tong et al. 2023.

    EMP-SSL minimizes -200 mean cos - R; the constants 200 and R_max are added, so that 0 is the least. R_max is
    that of as many rows. In float32 also where the network computes in half precision. With the task multiview,
    question=mean, 20 views and target=shared it is EMP-SSL.

    Their code has eps 0.2 and weight 200, and brings the views to unit length before it takes their mean: so does
    projector.unit=true.
    """

    invariance: float = setting(200.0, between(0, 1_000_000))
    """weight of the distance"""
    eps: float = setting(0.2, between(1e-6, 1e6))
    """squared error that embeddings are coded with"""
    spreads = True
    held_out: ClassVar[str] = "invariance"

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        apart = 1 - F.cosine_similarity(prediction, target, dim=-1).mean()
        rate = mean_of(partial(_rate, self.eps), views)
        most = sum(largest_rate(len(z), z.shape[1], self.eps) for z in views) / len(views)
        return {"loss": self.invariance * apart + most - rate, "invariance": apart, "rate": rate}


def _rate(eps: float, z: Tensor) -> Tensor:
    return coding_rate(z if z.dtype.itemsize > 4 else z.astype("float32"), eps)
