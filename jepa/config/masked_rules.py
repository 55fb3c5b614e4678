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
        more = "lower vit.patch_size" if name == "vit" else "take a larger model.image_size"
        ways = ["lower it", more] if patches > 2 else [more]
        yield (f"masks.min_keep={masks.min_keep} of {patches} patches leaves nothing to predict: {', or '.join(ways)}")
    if name != "vit" and pool != "mean":
        also = " vit.class_token=true" if pool == "cls" else ""
        yield (f"evaluation.pool={pool} needs model.encoder=vit{also}; tokens of model.encoder={name} have but a mean")
    elif config.vit.class_token is False and pool == "cls":
        yield "evaluation.pool=cls needs vit.class_token=true"
    if config.method == "hjepa" and len(config.hierarchy.weights) != config.hierarchy.levels:
        yield (
            f"hierarchy.weights={list(config.hierarchy.weights)}: needs one weight for each of "
            f"hierarchy.levels={config.hierarchy.levels}"
        )
