"""Angle between predicted and true embeddings."""

from __future__ import annotations

import minitensor as mt


def cosine(prediction: mt.Tensor, target: mt.Tensor) -> dict[str, mt.Tensor]:
    """Mean of 1 - ŝ · s* / (|ŝ| |s*|) over all pairs; both (n, t, d). Half of BYOL's loss (Grill et al. 2020, eq. 2).

    >>> float(cosine(mt.ones((2, 1, 4)), 3 * mt.ones((2, 1, 4)))["loss"])
    0.0
    """
    return {"loss": 1 - mt.nn.functional.cosine_similarity(prediction, target, dim=-1).mean()}
