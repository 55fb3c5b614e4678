"""Cases: normalisation, attention, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops import attention, loss, normalisation
from tests.minitensor.cases.case import case, normal
from tests.minitensor.cases.reduce import softmax


def _normalised(x: np.ndarray, axes: Any, w: Any = 1.0, b: Any = 0.0, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps) * w + b


def _batch_norm(x: np.ndarray, w: Any = 1.0, b: Any = 0.0) -> Any:
    axes, shape = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    y = _normalised(x, axes, np.reshape(w, shape), np.reshape(b, shape))
    return y, x.mean(axis=axes), x.var(axis=axes)


case(normalisation.layer_norm, normal(2, 4), normal(4), normal(4), ref=lambda x, w, b: _normalised(x, -1, w, b))
case(normalisation.layer_norm, normal(2, 3), ref=lambda x: _normalised(x, -1))
case(
    normalisation.layer_norm,
    normal(2, 2, 3),
    normal(2, 3),
    axes=2,
    eps=1e-2,
    ref=lambda x, w: _normalised(x, (-1, -2), w, eps=1e-2),
)
case(normalisation.batch_norm, normal(4, 3), normal(3), normal(3), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 2, 3), normal(2), normal(2), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 3), ref=_batch_norm)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = None, scale: Any = None) -> np.ndarray:
    s = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        s = s + (np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask)
    e = np.exp(s - np.where(np.isfinite(s), s, -1e9).max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1), 0) @ v


_qkv = (normal(2, 2, 3), normal(2, 4, 3), normal(2, 4, 2))
_mask = np.array([[True, False, True, True], [False, False, False, False]])
for note_, mask_ in {"bool": _mask, "float": (normal(2, 4),), "floor": np.where(_mask, 0.3, -np.inf)}.items():
    mask_ = mask_[0] if isinstance(mask_, tuple) else mask_
    case(attention.scaled_dot_product_attention, *_qkv, mask_, ref=_attention, note=note_, smooth=note_ != "floor")
case(attention.scaled_dot_product_attention, *_qkv, ref=_attention, note="unmasked")
case(
    attention.scaled_dot_product_attention,
    *_qkv,
    scale=0.3,
    ref=lambda q, k, v: _attention(q, k, v, scale=0.3),
    note="scale",
)
REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def _smooth_l1(a: np.ndarray, b: np.ndarray, beta: float) -> np.ndarray:
    d = np.abs(a - b)
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2) if beta else d


def _cross_entropy(
    x: np.ndarray, t: np.ndarray, reduction: str, ignore: int = -100, smoothing: float = 0.0
) -> np.ndarray:
    logp, c = np.moveaxis(np.log(softmax(x, 1)), 1, -1), x.shape[1]
    kept = t != ignore if t.ndim < x.ndim else np.ones(logp.shape[:-1], bool)
    q = np.eye(c)[np.where(kept, t, 0)] if t.ndim < x.ndim else np.moveaxis(t, 1, -1)
    losses = -((q * (1 - smoothing) + smoothing / c) * logp).sum(axis=-1) * kept
    return losses.sum() / kept.sum() if reduction == "mean" else REDUCTIONS[reduction](losses)


for reduction_, reduce_ in REDUCTIONS.items():
    case(
        loss.mse_loss,
        normal(2, 3),
        normal(2, 3),
        reduction=reduction_,
        ref=lambda a, b, f=reduce_: f((a - b) ** 2),
        note=reduction_,
    )
    for beta_ in (1.0, 0.4, 0.0):
        case(
            loss.smooth_l1_loss,
            np.array([[0.1, 1.3], [-0.2, 2.5]]),
            np.array([[0.3, -1.0], [0.1, 2.4]]),
            beta=beta_,
            reduction=reduction_,
            ref=lambda a, b, f=reduce_, beta=beta_: f(_smooth_l1(a, b, beta)),
            note=f"{reduction_}{beta_}",
        )
    for note_, x_, t_, settings_ in (
        ("classes", normal(3, 4), np.array([0, 3, 1]), {}),
        ("ignored", normal(3, 4), np.array([0, -100, 1]), {"label_smoothing": 0.1}),
        ("ignore1", normal(3, 4), np.array([0, 1, 1]), {"ignore_index": 1}),
        ("places", normal(2, 3, 2), np.array([[0, 2], [1, 1]]), {"label_smoothing": 0.2}),
        ("soft", normal(2, 3), softmax(normal(2, 3)), {"label_smoothing": 0.1}),
    ):
        case(
            loss.cross_entropy,
            x_,
            t_,
            reduction=reduction_,
            **settings_,
            ref=lambda x, t, r=reduction_, s=settings_: _cross_entropy(
                x, t, r, s.get("ignore_index", -100), s.get("label_smoothing", 0.0)
            ),
            note=f"{note_}-{reduction_}",
        )


def _cosine(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    return (a * b).sum(axis) / (np.linalg.norm(a, axis=axis) * np.linalg.norm(b, axis=axis))


case(loss.cosine_similarity, normal(2, 3), normal(2, 3), ref=lambda a, b: _cosine(a, b, -1))
case(loss.cosine_similarity, normal(3, 2), normal(3, 2), axis=0, ref=lambda a, b: _cosine(a, b, 0), note="axis0")
