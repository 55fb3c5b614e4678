"""Encoders: from examples to one token for each place of a grid (`jepa.contracts.Encoder`)."""

from jepa.encoders.cnn import CNN, CNNSettings
from jepa.encoders.convnext import ConvNeXt, ConvNeXtSettings, convnext
from jepa.encoders.energy import EnergySettings, EnergyTransformer
from jepa.encoders.mlp import MLP, MLPSettings
from jepa.encoders.resnet import ResNet, ResNetSettings, resnet18, resnet34
from jepa.encoders.vit import ViT, ViTSettings, vit

__all__ = [
    "CNN",
    "MLP",
    "CNNSettings",
    "ConvNeXt",
    "ConvNeXtSettings",
    "EnergySettings",
    "EnergyTransformer",
    "MLPSettings",
    "ResNet",
    "ResNetSettings",
    "ViT",
    "ViTSettings",
    "convnext",
    "resnet18",
    "resnet34",
    "vit",
]
