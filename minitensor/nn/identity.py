"""The layer that does nothing."""

from __future__ import annotations

from typing import Any

from minitensor.nn.base.layer import Layer

__all__ = ["Identity"]


class Identity(Layer):
    """y = x; takes and ignores any arguments, so that it can stand in for another layer.

    >>> Identity(54, unused=True)(3)
    3
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        """Return x."""
        return input
