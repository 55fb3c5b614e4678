"""Losses, with PyTorch's names, reductions and conventions at the edges."""

from minitensor.ops.loss import binary, classification, ctc, likelihood, ranking, regression
from minitensor.ops.loss.binary import *  # noqa: F403
from minitensor.ops.loss.classification import *  # noqa: F403
from minitensor.ops.loss.ctc import *  # noqa: F403
from minitensor.ops.loss.likelihood import *  # noqa: F403
from minitensor.ops.loss.ranking import *  # noqa: F403
from minitensor.ops.loss.regression import *  # noqa: F403

__all__: list[str] = []
__all__ += binary.__all__
__all__ += classification.__all__
__all__ += ctc.__all__
__all__ += likelihood.__all__
__all__ += ranking.__all__
__all__ += regression.__all__
