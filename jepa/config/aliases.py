"""Short names that other projects' files use, as the settings that they stand for here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jepa.config.reading import shown
from jepa.errors import ConfigError

__all__ = ["ALIASES", "spelled_out"]

SIZES = {
    "tiny": ("192", "12", "3"),
    "small": ("384", "12", "6"),
    "base": ("768", "12", "12"),
    "large": ("1024", "24", "16"),
}
"""dim, depth, heads"""
LOSSES = {"huber": "smooth_l1", "smooth_l1": "smooth_l1", "mse": "l2", "l2": "l2", "cosine": "cosine"}


def _backbone(name: Any) -> dict[str, Any]:
    found = re.fullmatch(r"vit_([a-z]+)_patch([0-9]+)_([0-9]+)", str(name))
    if found is None or found[1] not in SIZES:
        raise ConfigError(f"backbone={shown(name)}: expected vit_SIZE_patchP_IMAGE, SIZE one of {', '.join(SIZES)}")
    dim, depth, heads = SIZES[found[1]]
    size = {"vit.dim": dim, "vit.depth": depth, "vit.heads": heads}
    return {"method": "ijepa", **size, "vit.patch_size": found[2], "model.image_size": found[3]}


def _loss(name: Any) -> dict[str, Any]:
    if str(name) not in LOSSES:
        raise ConfigError(f"loss_type={shown(name)}: expected one of {', '.join(LOSSES)}")
    return {"loss.name": LOSSES[str(name)]}


ALIASES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "backbone": _backbone,
    "mask_ratio": lambda v: {"masks.kind": "random", "masks.ratio": [v, v]},
    "batch_size": lambda v: {"train.batch_size": v},
    "learning_rate": lambda v: {"optim.lr": v},
    "epochs": lambda v: {"train.epochs": v},
    "ema_decay": lambda v: {"model.ema_start": v, "model.ema_schedule": "constant"},
    "loss_type": _loss,
}


def spelled_out(settings: dict[str, Any], source: str = "") -> dict[str, Any]:
    """Return settings, as texts, with every short name replaced by what it stands for; what is spelled out stays.

    >>> spelled_out({"epochs": "3", "loss_type": "huber", "seed": "1"})
    {'train.epochs': '3', 'loss.name': 'smooth_l1', 'seed': '1'}
    """
    full: dict[str, Any] = {}
    for key, value in settings.items():
        try:
            full |= ALIASES[key](value) if key in ALIASES else {key: value}
        except ConfigError as error:
            raise ConfigError(f"{source}{error}") from None
    return full
