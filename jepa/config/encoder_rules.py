"""What an encoder asks of the sizes of images."""

from __future__ import annotations

import math
from collections.abc import Iterator

from jepa.config.encoders import encoder_name, patch_size
from jepa.config.schema import Config

__all__ = ["encoder_problems"]


def encoder_problems(config: Config) -> Iterator[str]:
    """Yield one sentence for each rule of the encoder that is broken."""
    model, name = config.model, encoder_name(config)
    crops = config.method == "crops"
    sizes = {"model.image_size": model.image_size} | ({"model.target_size": model.target_size} if crops else {})
    smallest, side = min(sizes.values()), patch_size(config)
    if name == "vit":
        yield from _transformer_problems(config, "")
        for key, size in sizes.items():
            if side > 0 and size % side:
                yield f"vit.patch_size={side} must divide {key}={size}: the image is cut into whole ones"
    elif name == "mlp" and not crops:
        yield (
            f"model.encoder=mlp with method={config.method}: an MLP sees the whole image as one token, so there are no "
            "patches to hide; take method=crops, or model.encoder=cnn, resnet18, convnext or vit"
        )
    elif name == "mlp" and model.image_size != model.target_size:
        shapes = (f"{model.channels} x {size} x {size}" for size in sizes.values())
        yield (
            "model.encoder=mlp takes images of one shape, but model.image_size makes contexts of {} and "
            "model.target_size targets of {}: set both to one size, or take another encoder".format(*shapes)
        )
    elif name == "cnn" and 2 ** len(model.widths) > smallest >= 4:
        yield (
            f"model.widths={list(model.widths)}: {len(model.widths)} stages, each halving the image, leave nothing of "
            f"{smallest} pixels; use at most {int(math.log2(max(smallest, 1)))}, or larger images"
        )
    elif name == "convnext" and side > smallest >= 4:
        yield f"model.encoder=convnext: one token stands for {side} x {side} pixels, and images of {smallest} have none"
    elif not crops and smallest % side:
        yield (
            f"model.encoder={name}: one token stands for {side} x {side} pixels, and {side} must divide "
            f"model.image_size={smallest}"
        )
    if not crops:
        yield from _transformer_problems(config, "predictor_")


def _transformer_problems(config: Config, key: str) -> Iterator[str]:
    """Yield what is wrong with the heads and the dim of the encoder ("") or of the predictor ("predictor_")."""
    vit = config.vit
    dim, heads = getattr(vit, f"{key}dim"), getattr(vit, f"{key}heads")
    if heads > 0 and dim % heads:
        yield f"vit.{key}heads={heads} must divide vit.{key}dim={dim}: each head gets its share of the numbers"
    if dim % 4 and vit.positions == "sincos":
        yield f"vit.{key}dim={dim}: sine-cosine positions need a multiple of 4 (or set vit.positions=learned)"
