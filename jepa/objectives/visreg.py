"""VISReg: center, scale and shape of each view's embeddings, apart (2026, arXiv 2606.02572)."""

from dataclasses import dataclass
from functools import lru_cache, partial
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config.settings import PROBABILITY, between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor, mean_of
from jepa.objectives.sigreg import directions

EPS = 1e-6  # added to a deviation


@lru_cache(maxsize=16)
def quantiles(n: int) -> NDArray[np.float64]:
    """Return Φ⁻¹(i / (n + 1)) for i = 1 ... n: where n sorted samples of N(0, 1) lie.

    >>> quantiles(3).round(3)
    array([-0.674,  0.   ,  0.674])
    """
    normal = NormalDist()
    return np.array([normal.inv_cdf(i / (n + 1)) for i in range(1, n + 1)])


def center_scale_shape(z: Tensor, a: Tensor) -> Tensor:
    """Return three numbers (3,) that are 0 for a sample of N(0, 1) in each direction: z (n, d), unit columns a (d, K).

        center = mean μ²,   scale = mean (s - 1)²,   shape = mean_ik (sort_i ((z - μ) / s · a)_k - q_i)²

    μ and s are mean and deviation (biased, plus 1e-6) of each dimension, q the `quantiles`. Where all are 0 it is
    0 + 1 + mean q². Just off collapse the gradient of `scale` has unit size, where that of SIGReg vanishes; at it there
    is none, as of any norm at 0.

    The authors stop the gradient of s in the shape. Then shape pulls on the scale, too: mean q² is below 1, and samples
    of 8 shrink to a point, as `scale` pulls less. Here s has its gradient, and shape says nothing of the scale.
    """
    mean = z.mean(axis=0)
    centered = z - mean
    squares = (centered * centered).mean(axis=0)
    s = mt.sqrt(mt.where(squares > 0, squares, 1.0)) * (squares > 0) + EPS  # the root has no gradient at 0
    sketches = mt.sort((centered / s) @ a, axis=0)  # (n, K)
    q = mt.Tensor(quantiles(len(z))[:, None], device=z.device).astype(z.dtype)
    return mt.stack([(mean * mean).mean(), ((s - 1) ** 2).mean(), ((sketches - q) ** 2).mean()])


@dataclass(frozen=True)
class VISReg(Objective):
    """(1 - weight) · mean (ŝ - s*)² + weight · mean over views of center + scale + shape (`center_scale_shape`).

    The directions of the shape are drawn anew in each step, from the step's own generator; in float32 also where the
    network computes in half precision. With the task multiview, question=mean and target=shared it is the paper's.
    stable-pretraining's code has 256 directions, the authors' 4096, and the former does not let s fall below a floor,
    instead of adding to it. Published weights: 0.6 of Imagenette, 0.9 of ImageNet.
    """

    weight: float = setting(0.6, PROBABILITY)
    """share of the three terms in the loss; the distance has the rest"""
    directions: int = setting(256, between(1, 65_536))
    """directions in which the shape is looked at, in each step"""
    held_out: ClassVar[str] = "invariance"

    @property
    def spreads(self) -> bool:
        return self.weight > 0

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        a = directions(self.directions, target.shape[-1], rng).to(target.device)
        terms = mean_of(partial(_terms, a), views)
        apart = mt.nn.functional.mse_loss(prediction, target)
        loss = (1 - self.weight) * apart + self.weight * terms.sum()
        return {"loss": loss, "invariance": apart, "center": terms[0], "scale": terms[1], "shape": terms[2]}


def _terms(a: Tensor, z: Tensor) -> Tensor:
    z = z if z.dtype.itemsize > 4 else z.astype("float32")
    return center_scale_shape(z, a.astype(z.dtype))
