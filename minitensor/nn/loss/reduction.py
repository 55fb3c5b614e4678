"""What the loss layers share: a reduction, and the weights of classes as buffers."""

from __future__ import annotations

from minitensor.nn.base.layer import Layer
from minitensor.ops.loss.reduction import check_reduction
from minitensor.tensor import Tensor

__all__ = ["Loss", "buffer"]


def buffer(weight: Tensor | None) -> Tensor | None:
    """Return weights as a Tensor, or None."""
    return weight if weight is None or isinstance(weight, Tensor) else Tensor(weight)


class Loss(Layer):
    """A loss with a reduction: "mean", "sum", or "none", which keeps the loss of each sample."""

    shown: tuple[str, ...] = ()  # settings that repr shows if they are not the class's defaults

    def __init__(self, reduction: str = "mean") -> None:
        check_reduction(reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the settings, and the reduction if it is not the mean."""
        parts = [f"{name}={getattr(self, name)!r}" for name in self.shown]
        return ", ".join(parts + [f"reduction={self.reduction!r}"] * (self.reduction != "mean"))
