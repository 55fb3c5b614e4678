"""The encoder that a configuration names: the one place where settings become an encoder."""

from __future__ import annotations

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig
from jepa.models.convnext import convnext
from jepa.models.encoder import ContextEncoder
from jepa.models.energy import EnergyTransformer
from jepa.models.hiding import TokenEncoder
from jepa.models.mlp_encoder import MLPEncoder
from jepa.models.pooling import PooledEncoder
from jepa.models.resnet import resnet18
from jepa.models.vit import VisionTransformer

__all__ = ["image_encoder", "token_encoder"]


def image_encoder(model: JEPAConfig, vit: ViTConfig) -> mt.nn.Layer:
    """Return the encoder that makes one embedding of an image; "auto" is the CNN.

    (n, channels, h, w) -> (n, model.embedding_dim), and `pooled`, what comes before the last Linear: what a probe reads
    best. h = w = model.image_size; all but the MLP take images of other sizes too.

    >>> encoder = image_encoder(JEPAConfig(encoder="mlp", image_size=8, embedding_dim=16), ViTConfig())
    >>> encoder(mt.ones((2, 3, 8, 8))).shape
    (2, 16)
    """
    if model.encoder in ("auto", "cnn"):
        return _cnn(model)
    if model.encoder == "mlp":
        return MLPEncoder((model.channels, model.image_size, model.image_size), model.embedding_dim, norm=model.norm)
    return PooledEncoder(token_encoder(model, vit), model.embedding_dim)


def token_encoder(model: JEPAConfig, vit: ViTConfig) -> VisionTransformer | TokenEncoder:
    """Return the encoder that makes a token of each patch, and can leave some out; "auto" is the vision transformer.

    Raises ValueError for an MLP, which has no patches.

    >>> token_encoder(JEPAConfig(), ViTConfig(depth=2)).extra_repr()
    '32 x 32, patch 4, dim 192, depth 2, heads 3'
    >>> token_encoder(JEPAConfig(encoder="convnext"), ViTConfig()).grid
    (4, 4)
    """
    images = {"channels": model.channels, "image_size": model.image_size}
    if model.encoder in ("auto", "vit"):
        settings = {
            "patch_size": vit.patch_size,
            "dim": vit.dim,
            "depth": vit.depth,
            "heads": vit.heads,
            "mlp_ratio": vit.mlp_ratio,
            "positions": vit.positions,
            "class_token": vit.class_token,
        }
        if vit.body == "energy":
            return EnergyTransformer(**images, **settings)  # type: ignore[arg-type]
        return VisionTransformer(**images, **settings, drop_path=vit.drop_path)  # type: ignore[arg-type]
    if model.encoder == "resnet18":
        return TokenEncoder(resnet18(**images))
    if model.encoder == "convnext":
        return TokenEncoder(convnext("convnext_micro", **images))
    if model.encoder == "cnn":
        return TokenEncoder(_cnn(model))
    raise ValueError(f"an encoder of patches is cnn, resnet18, convnext or vit; got encoder={model.encoder!r}")


def _cnn(model: JEPAConfig) -> ContextEncoder:
    return ContextEncoder(model.channels, model.widths, model.embedding_dim, model.norm, model.image_size)
