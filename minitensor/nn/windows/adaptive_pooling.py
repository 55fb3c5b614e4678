"""Pooling to a given size, whatever the input's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from minitensor.nn import functional as F
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
]  # fmt: skip

Size = int | tuple[int | None, ...]


def _sizes(layer: Layer, output_size: Any) -> None:
    """Refuse a length that is neither a whole number nor None, which keeps the input's."""
    for n in output_size if isinstance(output_size, (tuple, list)) else (output_size,):
        if n is not None:
            whole(layer, output_size=n)


class AdaptiveAvgPool1d(Layer):
    """The mean over each of l' parts: (n, c, l) -> (n, c, l'), or without n. Else like `AdaptiveAvgPool2d`.

    >>> AdaptiveAvgPool1d(2)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 2): [[1.5 2.5]]
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.adaptive_avg_pool1d)

    def __init__(self, output_size: Size) -> None:
        _sizes(self, output_size)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        y: Tensor = self.function(input, self.output_size)
        return y

    def extra_repr(self) -> str:
        """Return the output's size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(AdaptiveAvgPool1d):
    """The mean over each of h' by w' parts of the image: (n, c, h, w) -> (n, c, h', w'), or without n.

    Part i of h' goes from row ⌊i h/h'⌋ to ⌈(i+1) h/h'⌉. One size for both axes or (h', w'); None keeps a length. Raises
    ValueError for other shapes, TypeError for integers.

    >>> AdaptiveAvgPool2d(1)
    AdaptiveAvgPool2d(output_size=1)
    """

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(AdaptiveAvgPool1d):
    """The mean over each of d' by h' by w' parts: (n, c, d, h, w) -> (n, c, d', h', w'). Else like `AdaptiveAvgPool2d`.

    >>> AdaptiveAvgPool3d((None, 1, 1))
    AdaptiveAvgPool3d(output_size=(None, 1, 1))
    """

    function = staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(Layer):
    """The largest entry of each of l' parts: (n, c, l) -> (n, c, l'), or without n. Else like `AdaptiveMaxPool2d`.

    >>> AdaptiveMaxPool1d(2)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 2): [[2. 3.]]
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.adaptive_max_pool1d)

    def __init__(self, output_size: Size, return_indices: bool = False) -> None:
        _sizes(self, output_size)
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the largest entries, and their places if `return_indices` is set."""
        return self.function(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """Return the output's size."""
        return f"output_size={self.output_size}" + (", return_indices=True" if self.return_indices else "")


class AdaptiveMaxPool2d(AdaptiveMaxPool1d):
    """The largest entry of each of h' by w' parts of the image: (n, c, h, w) -> (n, c, h', w'), or without n.

    The parts are those of `AdaptiveAvgPool2d`. A tie takes the first entry, NaN is the largest; with `return_indices`
    the result is (y, places in (h, w)). Raises ValueError for other shapes, TypeError for integers.

    >>> AdaptiveMaxPool2d((3, None))
    AdaptiveMaxPool2d(output_size=(3, None))
    """

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(AdaptiveMaxPool1d):
    """The largest entry of each of d' by h' by w' parts: (n, c, d, h, w) -> (n, c, d', h', w').

    Else like `AdaptiveMaxPool2d`.

    >>> AdaptiveMaxPool3d(2, return_indices=True)
    AdaptiveMaxPool3d(output_size=2, return_indices=True)
    """

    function = staticmethod(F.adaptive_max_pool3d)
