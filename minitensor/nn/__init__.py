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
    bilinear,
    containers,
    dropout,
    flatten,
    functional,
    identity,
    init,
    initial,
    linear,
    loss,
    parameter_lists,
    parametrizations,
    parametrize,
)
from minitensor.nn.activations import activation, gated, piecewise
from minitensor.nn.activations.activation import *  # noqa: F403
from minitensor.nn.activations.gated import *  # noqa: F403
from minitensor.nn.activations.piecewise import *  # noqa: F403
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.nn.bilinear import *  # noqa: F403
from minitensor.nn.containers import *  # noqa: F403
from minitensor.nn.dropout import *  # noqa: F403
from minitensor.nn.flatten import *  # noqa: F403
from minitensor.nn.identity import *  # noqa: F403
from minitensor.nn.linear import *  # noqa: F403
from minitensor.nn.loss import *  # noqa: F403
from minitensor.nn.normalization import batch_norm, layer_norm
from minitensor.nn.normalization.batch_norm import *  # noqa: F403
from minitensor.nn.normalization.layer_norm import *  # noqa: F403
from minitensor.nn.parameter_lists import *  # noqa: F403
from minitensor.nn.sequences import attention, cells, embedding, packed, recurrent, transformer, transformer_layers
from minitensor.nn.sequences.attention import *  # noqa: F403
from minitensor.nn.sequences.cells import *  # noqa: F403
from minitensor.nn.sequences.embedding import *  # noqa: F403
from minitensor.nn.sequences.packed import *  # noqa: F403
from minitensor.nn.sequences.recurrent import *  # noqa: F403
from minitensor.nn.sequences.transformer import *  # noqa: F403
from minitensor.nn.sequences.transformer_layers import *  # noqa: F403
from minitensor.nn.windows import adaptive_pooling, convolution, padding, pooling, transposed_convolution, vision
from minitensor.nn.windows.adaptive_pooling import *  # noqa: F403
from minitensor.nn.windows.convolution import *  # noqa: F403
from minitensor.nn.windows.padding import *  # noqa: F403
from minitensor.nn.windows.pooling import *  # noqa: F403
from minitensor.nn.windows.transposed_convolution import *  # noqa: F403
from minitensor.nn.windows.vision import *  # noqa: F403

__all__ = ["Layer", "Parameter", "functional", "init", "initial", "parametrizations", "parametrize"]
__all__ += activation.__all__
__all__ += adaptive_pooling.__all__
__all__ += attention.__all__
__all__ += batch_norm.__all__
__all__ += bilinear.__all__
__all__ += cells.__all__
__all__ += containers.__all__
__all__ += convolution.__all__
__all__ += dropout.__all__
__all__ += embedding.__all__
__all__ += flatten.__all__
__all__ += gated.__all__
__all__ += identity.__all__
__all__ += layer_norm.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += packed.__all__
__all__ += padding.__all__
__all__ += parameter_lists.__all__
__all__ += piecewise.__all__
__all__ += pooling.__all__
__all__ += recurrent.__all__
__all__ += transformer.__all__
__all__ += transformer_layers.__all__
__all__ += transposed_convolution.__all__
__all__ += vision.__all__
