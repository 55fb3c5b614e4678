"""Short names that other projects' files use, as the settings that they stand for here."""

import re
from collections.abc import Callable
from typing import Any

from jepa.config.reading import shown
from jepa.errors import ConfigError

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
    size = {"encoder.dim": dim, "encoder.depth": depth, "encoder.heads": heads}
    return {"task": "masked", "encoder": "vit", **size, "encoder.patch": found[2], "source.size": found[3]}


def _loss(name: Any) -> dict[str, Any]:
    if str(name) not in LOSSES:
        raise ConfigError(f"loss_type={shown(name)}: expected one of {', '.join(LOSSES)}")
    return {"objective": LOSSES[str(name)]}


ALIASES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "backbone": _backbone,
    "mask_ratio": lambda v: {"task": "masked", "task.masks": "random", "task.ratio": [v, v]},
    "batch_size": lambda v: {"train.batch_size": v},
    "learning_rate": lambda v: {"optimizer.lr": v},
    "epochs": lambda v: {"train.epochs": v},
    "ema_decay": lambda v: {"target.start": v, "target.schedule": "constant"},
    "loss_type": _loss,
}


def spelled_out(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings, as texts, with every short name replaced by what it stands for; what is spelled out stays.

    >>> spelled_out({"epochs": "3", "loss_type": "huber", "seed": "1"})
    {'train.epochs': '3', 'objective': 'smooth_l1', 'seed': '1'}
    """
    full: dict[str, Any] = {}
    for key, value in settings.items():
        full |= ALIASES[key](value) if key in ALIASES else {key: value}
    return full
