"""Squared distance of predicted and true embeddings."""

from __future__ import annotations

import minitensor as mt


def l2(prediction: mt.Tensor, target: mt.Tensor) -> dict[str, mt.Tensor]:
    """Mean (ŝ - s*)² over all entries; both (n, t, d). Assran et al. 2023, eq. 1, up to a factor.

    >>> float(l2(mt.ones((2, 1, 4)), mt.zeros((2, 1, 4)))["loss"])
    1.0
    """
    return {"loss": mt.nn.functional.mse_loss(prediction, target)}
