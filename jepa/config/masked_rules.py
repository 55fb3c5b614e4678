"""What the settings of the masked methods must satisfy together."""

from __future__ import annotations

from collections.abc import Iterator

from jepa.config.schema import Config

__all__ = ["masked_problems"]


def masked_problems(config: Config) -> Iterator[str]:
    """Yield one sentence for each rule of ijepa and hjepa that is broken."""
    size, vit, masks = config.model.image_size, config.vit, config.masks
    for key in ("", "predictor_"):
        dim, heads = getattr(vit, f"{key}dim"), getattr(vit, f"{key}heads")
        if heads > 0 and dim % heads:
            yield f"vit.{key}heads={heads} must divide vit.{key}dim={dim}: each head gets its share of the numbers"
        if dim % 4 and vit.positions == "sincos":
            yield f"vit.{key}dim={dim}: sine-cosine positions need a multiple of 4 (or set vit.positions=learned)"
    if vit.patch_size > 0 and size % vit.patch_size:
        yield f"vit.patch_size={vit.patch_size} must divide model.image_size={size}: the image is cut into whole ones"
        return
    patches = (size // max(vit.patch_size, 1)) ** 2
    if patches <= masks.min_keep + 1:
        yield (
            f"masks.min_keep={masks.min_keep} of {patches} patches leaves nothing to predict: lower it, or "
            "vit.patch_size"
        )
    if vit.class_token is False and config.evaluation.pool == "cls":
        yield "evaluation.pool=cls needs vit.class_token=true"
    if config.method == "hjepa" and len(config.hierarchy.weights) != config.hierarchy.levels:
        yield (
            f"hierarchy.weights={list(config.hierarchy.weights)}: needs one weight for each of "
            f"hierarchy.levels={config.hierarchy.levels}"
        )
