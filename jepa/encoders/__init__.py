"""Encoders: from examples to one token for each place of a grid (`jepa.contracts.Encoder`)."""

from jepa.encoders.cnn import CNN, CNNSettings
from jepa.encoders.vit import ViT, ViTSettings, vit

__all__ = ["CNN", "CNNSettings", "ViT", "ViTSettings", "vit"]
