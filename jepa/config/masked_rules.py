"""What the settings of the masked methods must satisfy together."""

from __future__ import annotations

from collections.abc import Iterator

from jepa.config.encoders import encoder_name, patch_size
from jepa.config.schema import Config

__all__ = ["masked_problems"]


def masked_problems(config: Config) -> Iterator[str]:
    """Yield one sentence for each rule of ijepa and hjepa that is broken."""
    masks, name, pool = config.masks, encoder_name(config), config.evaluation.pool
    side = max(patch_size(config), 1)
    patches = (config.model.image_size // side) ** 2
    if name != "mlp" and config.model.image_size % side == 0 and patches <= masks.min_keep + 1:
        smaller = "vit.patch_size" if name == "vit" else "take larger images"
        yield f"masks.min_keep={masks.min_keep} of {patches} patches leaves nothing to predict: lower it, or {smaller}"
    if name != "vit" and pool != "mean":
        yield f"evaluation.pool={pool} needs model.encoder=vit; tokens of model.encoder={name} have a mean and no more"
    elif config.vit.class_token is False and pool == "cls":
        yield "evaluation.pool=cls needs vit.class_token=true"
    if config.method == "hjepa" and len(config.hierarchy.weights) != config.hierarchy.levels:
        yield (
            f"hierarchy.weights={list(config.hierarchy.weights)}: needs one weight for each of "
            f"hierarchy.levels={config.hierarchy.levels}"
        )
