"""Losses as layers, with PyTorch's names and defaults. What each does, at its edges too, stands at its function."""

from minitensor.nn.loss import binary, classification, likelihood, ranking, regression
from minitensor.nn.loss.binary import *  # noqa: F403
from minitensor.nn.loss.classification import *  # noqa: F403
from minitensor.nn.loss.likelihood import *  # noqa: F403
from minitensor.nn.loss.ranking import *  # noqa: F403
from minitensor.nn.loss.regression import *  # noqa: F403

__all__: list[str] = []
__all__ += binary.__all__
__all__ += classification.__all__
__all__ += likelihood.__all__
__all__ += ranking.__all__
__all__ += regression.__all__
