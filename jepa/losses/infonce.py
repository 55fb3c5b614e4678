"""InfoNCE: find the true embedding among those of the whole batch."""

from __future__ import annotations

import minitensor as mt


def infonce(prediction: mt.Tensor, target: mt.Tensor, *, temperature: float = 0.1) -> dict[str, mt.Tensor]:
    """-log of e^(cos(ŝᵢ, s*ᵢ)/τ) / Σⱼ e^(cos(ŝᵢ, s*ⱼ)/τ), averaged over i; both (n, t, d).

    van den Oord et al. 2018, eq. 4, with cosines. j runs over all n·t targets of the batch. "accuracy" is the
    share of i whose own target is nearest.

    >>> z = mt.eye(4)[:, None]
    >>> round(float(infonce(z, z, temperature=0.1)["loss"]), 6)
    0.000136
    """
    d = prediction.shape[-1]
    p = mt.nn.functional.normalize(prediction.reshape(-1, d), dim=-1)  # (n t, d)
    s = mt.nn.functional.normalize(target.reshape(-1, d), dim=-1)  # (n t, d)
    logits = p @ s.T / temperature  # (n t, n t)
    own = mt.arange(logits.shape[0], device=logits.device)
    hits = (logits.detach().argmax(axis=1) == own).astype(logits.dtype)
    return {"loss": mt.nn.functional.cross_entropy(logits, own), "accuracy": hits.mean()}
