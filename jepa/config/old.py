"""The keys of older versions, each answered with the one that it is now."""

from typing import Any

from jepa.config.reading import shown

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

GONE = {
    "loss.force": "what must collapse is refused",
    "model.projector": "nothing has ever read it",
}
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
