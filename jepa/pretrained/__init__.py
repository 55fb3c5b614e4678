"""Models in folders, and the weights that I-JEPA's authors have published."""

from jepa.pretrained.folders import load_pretrained, pretrained_transformer, save_pretrained
from jepa.pretrained.official import ijepa_encoder, load_ijepa_checkpoint

__all__ = ["ijepa_encoder", "load_ijepa_checkpoint", "load_pretrained", "pretrained_transformer", "save_pretrained"]
