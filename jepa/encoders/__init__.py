"""Encoders: from examples to one token for each place of a grid (`jepa.contracts.Encoder`)."""

from jepa.encoders.bag import Bag
from jepa.encoders.cnn import CNN
from jepa.encoders.cnn1d import CNN1d
from jepa.encoders.convnext import ConvNeXt, convnext
from jepa.encoders.energy import EnergyTransformer
from jepa.encoders.frames import FrameEncoder
from jepa.encoders.mlp import MLP
from jepa.encoders.multiscale import MultiScale
from jepa.encoders.resnet import ResNet, resnet18
from jepa.encoders.resnet9 import ResNet9
from jepa.encoders.rnn import RNN
from jepa.encoders.vit import ViT, vit
from jepa.encoders.words import Words

__all__ = [
    "Bag",
    "CNN",
    "CNN1d",
    "ConvNeXt",
    "EnergyTransformer",
    "FrameEncoder",
    "MLP",
    "MultiScale",
    "RNN",
    "ResNet",
    "ResNet9",
    "ViT",
    "Words",
    "convnext",
    "resnet18",
    "vit",
]
