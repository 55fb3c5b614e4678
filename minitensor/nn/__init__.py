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

from minitensor.nn import (
    activation,
    attention,
    cells,
    containers,
    dropout,
    embedding,
    flatten,
    functional,
    gated,
    identity,
    init,
    initial,
    layer_normalisation,
    linear,
    loss,
    normalisation,
    packed,
    parameters,
    parametrizations,
    parametrize,
    piecewise,
    recurrent,
    transformer,
    transformer_layers,
)
from minitensor.nn.activation import *  # noqa: F403
from minitensor.nn.attention import *  # noqa: F403
from minitensor.nn.cells import *  # noqa: F403
from minitensor.nn.containers import *  # noqa: F403
from minitensor.nn.convolution import Conv2d
from minitensor.nn.dropout import *  # noqa: F403
from minitensor.nn.embedding import *  # noqa: F403
from minitensor.nn.flatten import *  # noqa: F403
from minitensor.nn.gated import *  # noqa: F403
from minitensor.nn.identity import *  # noqa: F403
from minitensor.nn.layer import Layer
from minitensor.nn.layer_normalisation import *  # noqa: F403
from minitensor.nn.linear import *  # noqa: F403
from minitensor.nn.loss import *  # noqa: F403
from minitensor.nn.normalisation import *  # noqa: F403
from minitensor.nn.packed import *  # noqa: F403
from minitensor.nn.parameter import Parameter
from minitensor.nn.parameters import *  # noqa: F403
from minitensor.nn.piecewise import *  # noqa: F403
from minitensor.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from minitensor.nn.recurrent import *  # noqa: F403
from minitensor.nn.transformer import *  # noqa: F403
from minitensor.nn.transformer_layers import *  # noqa: F403

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "Conv2d",
    "Layer",
    "MaxPool2d",
    "Parameter",
    "functional",
    "init",
    "initial",
    "parametrizations",
    "parametrize",
]
__all__ += recurrent.__all__
__all__ += cells.__all__
__all__ += packed.__all__
__all__ += transformer_layers.__all__
__all__ += transformer.__all__
__all__ += attention.__all__
__all__ += activation.__all__
__all__ += containers.__all__
__all__ += dropout.__all__
__all__ += embedding.__all__
__all__ += flatten.__all__
__all__ += gated.__all__
__all__ += identity.__all__
__all__ += layer_normalisation.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += normalisation.__all__
__all__ += parameters.__all__
__all__ += piecewise.__all__
