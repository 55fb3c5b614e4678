"""Models in folders, and the encoders that others have published."""

from jepa.pretrained.folders import load_pretrained, pretrained_transformer, save_pretrained
from jepa.pretrained.official import ijepa_encoder, load_ijepa_checkpoint
from jepa.pretrained.published import Published, published

__all__ = [
    "Published",
    "ijepa_encoder",
    "load_ijepa_checkpoint",
    "load_pretrained",
    "pretrained_transformer",
    "published",
    "save_pretrained",
]
