"""The functions behind the layers, with PyTorch's names, argument order and defaults (`dim` is NumPy's axis)."""

from minitensor.nn.functional import (
    activation,
    affine,
    attention,
    convolution,
    distance,
    lookup,
    loss,
    normalization,
    padding,
    pooling,
    random,
    vision,
)
from minitensor.nn.functional.activation import *  # noqa: F403
from minitensor.nn.functional.affine import *  # noqa: F403
from minitensor.nn.functional.attention import *  # noqa: F403
from minitensor.nn.functional.convolution import *  # noqa: F403
from minitensor.nn.functional.distance import *  # noqa: F403
from minitensor.nn.functional.lookup import *  # noqa: F403
from minitensor.nn.functional.loss import *  # noqa: F403
from minitensor.nn.functional.normalization import *  # noqa: F403
from minitensor.nn.functional.padding import *  # noqa: F403
from minitensor.nn.functional.pooling import *  # noqa: F403
from minitensor.nn.functional.random import *  # noqa: F403
from minitensor.nn.functional.vision import *  # noqa: F403

__all__: list[str] = []
__all__ += activation.__all__
__all__ += attention.__all__
__all__ += convolution.__all__
__all__ += random.__all__
__all__ += distance.__all__
__all__ += lookup.__all__
__all__ += affine.__all__
__all__ += loss.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += vision.__all__
