"""Keys that are no settings: older versions', answered with what they are now, and short ones of other projects."""

import re
from collections.abc import Callable
from typing import Any

from jepa.config.reading import shown
from jepa.errors import ConfigError

_GROUPS = {
    "data source": "count validation channels on_error sizes:fit range mean std limit",
    "data train": "prefetch threads",
    "data evaluation": "eval_root:data",
    "augment task": "crop",
    "regions task": "kind:regions context_scale target_scale aspect targets overlap fill context_scale_end "
    "target_scale_end overlap_end",
    "model source": "image_size:size channels",
    "model task": "target_size",
    "model encoder": "widths norm",
    "model projector": "embedding_dim:dim",
    "model predictor": "predictor_width:width predictor_depth:depth",
    "model target": "ema_start:start ema_end:end ema_schedule:schedule",
    "vit encoder": "patch_size:patch dim depth heads mlp_ratio positions class_token drop_path",
    "vit predictor": "predictor_dim:dim predictor_depth:depth predictor_heads:heads",
    "masks task": "kind:masks context_scale target_scale aspect ratio contexts targets min_keep overlap sizes collate "
    "compat target_scale_end context_scale_end ratio_end",
    "hierarchy task": "levels weights",
    "hierarchy predictor": "fusion",
    "loss objective": "normalize_targets:normalize temperature invariance variance covariance",
    "optim optimizer": "lr betas weight_decay weight_decay_end start_lr warmup_steps final_lr schedule clip momentum "
    "ipe_scale",
}  # old group, new group: old name:new name

RENAMED = {
    **{"method": "task", "data.make": "source", "data.root": "source", "model.encoder": "encoder"},
    **{"model.geometry": "predictor", "model.target": "target", "vit.body": "encoder"},
    **{"loss.name": "objective", "optim.name": "optimizer"},
    **{
        f"{groups.split()[0]}.{name.split(':')[0]}": f"{groups.split()[1]}.{name.split(':')[-1]}"
        for groups, names in _GROUPS.items()
        for name in names.split()
    },
}
"""old key -> new key"""

VALUES = {
    "method": {"ijepa": "masked", "hjepa": "levels"},
    "model.encoder": {"resnet18": "resnet"},
    "model.geometry": {"true": "geometry", "false": "mlp"},
    "vit.body": {"transformer": "vit"},
    "data.sizes": {"resize": "stretch"},
    "data.count": {"0": "null"},
    "data.limit": {"0": "null"},
    "optim.clip": {"0": "null", "0.0": "null"},
}
"""old key -> old value -> new value, where they are others"""

GONE = {"loss.force": "what must collapse is refused", "model.projector": "nothing has ever read it"}
"""old key -> why there is none any more"""


def now(key: str, given: Any) -> str:
    """Return what to say of a key of an older version; nothing of another.

    >>> now("method", "ijepa")
    'method is called task now: write task=masked'
    """
    if key in GONE:
        return f"{key} is gone: {GONE[key]}; leave it away"
    if key not in RENAMED:
        return ""
    text = f"[{', '.join(map(str, given))}]" if isinstance(given, list) else str(given or "null")
    return f"{key} is called {RENAMED[key]} now: write {RENAMED[key]}={shown(VALUES.get(key, {}).get(text, text))}"


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
    names = ("encoder.dim", "encoder.depth", "encoder.heads", "encoder.patch", "source.size")
    return {
        "task": "masked",
        "encoder": "vit",
        **dict(zip(names, (*SIZES[found[1]], *found.groups()[1:]), strict=True)),
    }


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
