"""Layers: functions with parameters. Names, argument order, defaults, initial laws and state-dict keys are PyTorch's.

>>> from minitensor import nn, zeros
>>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU())
>>> model
Sequential(
  0: Flatten()
  1: Linear(12 -> 4)
  2: ReLU()
)
>>> model(zeros((5, 3, 2, 2))).shape
(5, 4)
"""

from minitensor.nn import functional, initial
from minitensor.nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    LogSigmoid,
    Mish,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)
from minitensor.nn.containers import Identity, LayerList, Sequential
from minitensor.nn.convolution import Conv2d
from minitensor.nn.dropout import Dropout
from minitensor.nn.embedding import Embedding
from minitensor.nn.flatten import Flatten
from minitensor.nn.gated import GLU, LogSoftmax, Softmax, Softmax2d, Softmin, SwiGLU
from minitensor.nn.layer import Layer
from minitensor.nn.linear import Linear
from minitensor.nn.normalisation import BatchNorm1d, BatchNorm2d, LayerNorm, frozen_statistics
from minitensor.nn.parameter import Parameter
from minitensor.nn.piecewise import (
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Softshrink,
    Threshold,
)
from minitensor.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "Layer",
    "LayerList",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool2d",
    "Mish",
    "PReLU",
    "Parameter",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SwiGLU",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "frozen_statistics",
    "functional",
    "initial",
]
