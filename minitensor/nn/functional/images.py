"""What a function of images asks of its input."""

from minitensor.graph import describe
from minitensor.tensor import Tensor

__all__ = ["images"]


def images(name: str, x: Tensor) -> None:
    """Raise ValueError unless x is a batch of images (n, c, h, w)."""
    if len(x.shape) != 4:
        raise ValueError(f"{name} takes images (n, c, h, w); got {describe(x)}")
