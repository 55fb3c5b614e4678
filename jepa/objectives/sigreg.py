"""SIGReg: sketches of each view's embeddings must look like those of a standard normal (Balestriero & LeCun 2025)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

import minitensor as mt
from jepa.config.settings import PROBABILITY, between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor, mean_of

KNOTS, END = 17, 3.0
"""the points of the integral over t, and its upper end, as in the authors' code"""


def directions(count: int, dim: int, rng: Random) -> Tensor:
    """Return unit columns in random directions: (dim, count), float32."""
    a = rng.standard_normal((dim, count))
    return mt.Tensor((a / np.linalg.norm(a, axis=0)).astype(np.float32))


def epps_pulley(x: Tensor) -> Tensor:
    """Return how far each column is from samples of N(0, 1): x (n, K) -> (K,). Epps & Pulley 1983.

        n ∫ |φ_n(t) - e^(-t²/2)|² e^(-t²/2) dt,   φ_n(t) = mean_i e^(i t x_i)

    by the trapezoid rule on 17 points of [0, 3], twice, since the integrand is even. Its mean over samples of N(0, 1)
    is 1.05 for any n; it is 0.40 n where all are 0.

    >>> round(float(epps_pulley(mt.zeros((10, 1)))[0]) / 10, 3)
    0.402
    """
    t = np.linspace(0, END, KNOTS)
    normal = np.exp(-(t**2) / 2)
    weight = np.full(KNOTS, 2 * END / (KNOTS - 1))
    weight[[0, -1]] /= 2
    total = mt.zeros(x.shape[1:], dtype=x.dtype, device=x.device)
    for point, height, w in zip(t.tolist(), normal.tolist(), (weight * normal).tolist(), strict=True):
        turned = point * x
        total = total + w * ((mt.cos(turned).mean(axis=0) - height) ** 2 + mt.sin(turned).mean(axis=0) ** 2)
    return total * x.shape[0]


@dataclass(frozen=True)
class SIGReg(Objective):
    """(1 - weight) · mean (ŝ - s*)² + weight · mean over views and directions a of epps_pulley(z a).

    Sketched isotropic Gaussian regularization: z are the embeddings that have a gradient, each view by itself, and
    the directions are drawn anew in each step, from the step's own generator. In float32 also where the network
    computes in half precision. With the task multiview, question=mean and target=shared it is LeJEPA.

    Published codes differ. The authors' has 256 to 1024 directions, weight 0.02 to 0.05, and multiplies by n as here,
    so that the weight's meaning changes with the batch; eb_jepa does not, takes t from -3 to 3 at ten points, and adds
    ten times the statistic; stable-pretraining flattens the views first, which asks for another thing: the views of an
    example would have to be independent; H-JEPA's standardizes each sketch, so that embeddings may shrink.
    """

    weight: float = setting(0.05, PROBABILITY)
    """share of the statistic in the loss; the distance has the rest"""
    directions: int = setting(256, between(1, 65_536))
    """directions that embeddings are looked at along, in each step"""
    held_out: ClassVar[str] = "invariance"

    @property
    def spreads(self) -> bool:
        return self.weight > 0

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        a = directions(self.directions, target.shape[-1], rng).to(target.device)
        statistic = mean_of(partial(sketched, a), views)
        apart = mt.nn.functional.mse_loss(prediction, target)
        return {
            "loss": (1 - self.weight) * apart + self.weight * statistic,
            "invariance": apart,
            "sigreg": statistic,
        }


def sketched(a: Tensor, z: Tensor) -> Tensor:
    """Return how far embeddings (n, ..., d) are from normal along directions (d, K), over the first axis; a mean."""
    z = z if z.dtype.itemsize > 4 else z.astype("float32")
    return epps_pulley(z @ a.astype(z.dtype)).mean()
