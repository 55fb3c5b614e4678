"""Losses on embeddings, one file each; `build` makes the one that a config names.

A loss takes the `Embeddings` of a batch and returns its parts by name; "loss" is their sum, which is minimised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jepa.losses.cosine import cosine
from jepa.losses.infonce import infonce
from jepa.losses.l2 import l2
from jepa.losses.smooth_l1 import smooth_l1
from jepa.losses.vicreg import vicreg

if TYPE_CHECKING:
    import minitensor as mt
    from jepa.config import LossConfig
    from jepa.models import Embeddings

__all__ = ["build", "cosine", "infonce", "l2", "smooth_l1", "vicreg"]

Loss = Callable[["Embeddings"], "dict[str, mt.Tensor]"]


def build(config: LossConfig) -> Loss:
    """Return the loss that the config names, as a function of the embeddings of a batch."""
    if config.name == "l2":
        return lambda e: l2(e.prediction, e.target)
    if config.name == "smooth_l1":
        return lambda e: smooth_l1(e.prediction, e.target)
    if config.name == "cosine":
        return lambda e: cosine(e.prediction, e.target)
    if config.name == "infonce":
        return lambda e: infonce(e.prediction, e.target, temperature=config.temperature)
    return lambda e: vicreg(
        e.prediction,
        e.target,
        e.context,
        invariance=config.invariance,
        variance=config.variance,
        covariance=config.covariance,
    )
