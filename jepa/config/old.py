"""The keys of older versions, each answered with the one that it is now."""

from __future__ import annotations

from typing import Any

from jepa.config.reading import shown

__all__ = ["GONE", "RENAMED", "VALUES", "now"]

RENAMED = {
    "method": "task",
    "data.make": "source",
    "data.root": "source",
    "data.count": "source.count",
    "data.validation": "source.validation",
    "data.channels": "source.channels",
    "data.on_error": "source.on_error",
    "data.sizes": "source.fit",
    "data.range": "source.range",
    "data.mean": "source.mean",
    "data.std": "source.std",
    "data.limit": "source.limit",
    "data.prefetch": "train.prefetch",
    "data.threads": "train.threads",
    "data.eval_root": "evaluation.data",
    "augment.crop": "task.crop",
    "regions.kind": "task.regions",
    "regions.context_scale": "task.context_scale",
    "regions.target_scale": "task.target_scale",
    "regions.aspect": "task.aspect",
    "regions.targets": "task.targets",
    "regions.overlap": "task.overlap",
    "regions.fill": "task.fill",
    "regions.context_scale_end": "task.context_scale_end",
    "regions.target_scale_end": "task.target_scale_end",
    "regions.overlap_end": "task.overlap_end",
    "model.image_size": "source.size",
    "model.channels": "source.channels",
    "model.target_size": "task.target_size",
    "model.encoder": "encoder",
    "model.widths": "encoder.widths",
    "model.norm": "encoder.norm",
    "model.embedding_dim": "projector.dim",
    "model.predictor_width": "predictor.width",
    "model.predictor_depth": "predictor.depth",
    "model.geometry": "predictor",
    "model.target": "target",
    "model.ema_start": "target.start",
    "model.ema_end": "target.end",
    "model.ema_schedule": "target.schedule",
    "vit.body": "encoder",
    "vit.patch_size": "encoder.patch",
    "vit.dim": "encoder.dim",
    "vit.depth": "encoder.depth",
    "vit.heads": "encoder.heads",
    "vit.mlp_ratio": "encoder.mlp_ratio",
    "vit.positions": "encoder.positions",
    "vit.class_token": "encoder.class_token",
    "vit.drop_path": "encoder.drop_path",
    "vit.predictor_dim": "predictor.dim",
    "vit.predictor_depth": "predictor.depth",
    "vit.predictor_heads": "predictor.heads",
    "masks.kind": "task.masks",
    "masks.context_scale": "task.context_scale",
    "masks.target_scale": "task.target_scale",
    "masks.aspect": "task.aspect",
    "masks.ratio": "task.ratio",
    "masks.contexts": "task.contexts",
    "masks.targets": "task.targets",
    "masks.min_keep": "task.min_keep",
    "masks.overlap": "task.overlap",
    "masks.sizes": "task.sizes",
    "masks.collate": "task.collate",
    "masks.compat": "task.compat",
    "masks.target_scale_end": "task.target_scale_end",
    "masks.context_scale_end": "task.context_scale_end",
    "masks.ratio_end": "task.ratio_end",
    "hierarchy.levels": "task.levels",
    "hierarchy.weights": "task.weights",
    "hierarchy.fusion": "predictor.fusion",
    "loss.name": "objective",
    "loss.normalize_targets": "objective.normalize",
    "loss.temperature": "objective.temperature",
    "loss.invariance": "objective.invariance",
    "loss.variance": "objective.variance",
    "loss.covariance": "objective.covariance",
    "optim.name": "optimizer",
    "optim.lr": "optimizer.lr",
    "optim.betas": "optimizer.betas",
    "optim.weight_decay": "optimizer.weight_decay",
    "optim.weight_decay_end": "optimizer.weight_decay_end",
    "optim.start_lr": "optimizer.start_lr",
    "optim.warmup_steps": "optimizer.warmup_steps",
    "optim.final_lr": "optimizer.final_lr",
    "optim.schedule": "optimizer.schedule",
    "optim.clip": "optimizer.clip",
    "optim.momentum": "optimizer.momentum",
    "optim.ipe_scale": "optimizer.ipe_scale",
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
