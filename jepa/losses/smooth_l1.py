"""Squared distance for small differences, absolute for large ones: an outlier pulls no harder than others."""

from __future__ import annotations

import minitensor as mt


def smooth_l1(prediction: mt.Tensor, target: mt.Tensor) -> dict[str, mt.Tensor]:
    """Mean of d²/2 where |d| < 1, else |d| - 1/2, for d = ŝ - s*; both (n, t, d). What I-JEPA's code minimises.

    >>> float(smooth_l1(mt.full((2, 1, 4), 3.0), mt.zeros((2, 1, 4)))["loss"])
    2.5
    """
    return {"loss": mt.nn.functional.smooth_l1_loss(prediction, target)}
