"""Layers: functions with parameters. Names, argument order, defaults, initial laws and state-dict keys are PyTorch's.

A docstring says in what it differs. What holds for all is said here: layers have no `device` and `dtype`: use
`layer.to(device, dtype)`; losses and their functions have no `size_average` and `reduce`: use `reduction`.

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
    adaptive_pooling,
    attention,
    cells,
    containers,
    convolution,
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
    padding,
    parameters,
    parametrizations,
    parametrize,
    piecewise,
    pooling,
    recurrent,
    transformer,
    transformer_layers,
    transposed,
    vision,
)
from minitensor.nn.activation import *  # noqa: F403
from minitensor.nn.adaptive_pooling import *  # noqa: F403
from minitensor.nn.attention import *  # noqa: F403
from minitensor.nn.cells import *  # noqa: F403
from minitensor.nn.containers import *  # noqa: F403
from minitensor.nn.convolution import *  # noqa: F403
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
from minitensor.nn.padding import *  # noqa: F403
from minitensor.nn.parameter import Parameter
from minitensor.nn.parameters import *  # noqa: F403
from minitensor.nn.piecewise import *  # noqa: F403
from minitensor.nn.pooling import *  # noqa: F403
from minitensor.nn.recurrent import *  # noqa: F403
from minitensor.nn.transformer import *  # noqa: F403
from minitensor.nn.transformer_layers import *  # noqa: F403
from minitensor.nn.transposed import *  # noqa: F403
from minitensor.nn.vision import *  # noqa: F403

__all__ = [
    "Layer",
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
__all__ += adaptive_pooling.__all__
__all__ += convolution.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += transposed.__all__
__all__ += vision.__all__
