"""`Parameter`: a Tensor that a Layer learns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitensor.backend import writable
from minitensor.tensor import Tensor

__all__ = ["Parameter", "forget"]


class Parameter(Tensor):
    """A leaf Tensor that a Layer registers when it is assigned to one of its attributes, and that requires a gradient.

    data: an array, a Tensor or nested lists, not copied if it is an array.

    An optimizer moves the array into one flat buffer that it shares with others: `data` is then a view of it, and
    `slot` the place in a second buffer where backward writes the gradient. A copy starts anew, with memory of its own.
    Differs from PyTorch: a parameter of None is an attribute that is None, not a Parameter.

    >>> Parameter([1.0, 2.0])
    Tensor float32 (2,) requires_grad: [1. 2.]
    """

    __slots__ = ("home", "slot", "slot_free")

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)
        self.slot: Any = None  # a view of the optimizer's gradients, of this shape
        self.home: tuple[Any, int] | None = None  # (the flat buffers, where in them this parameter starts)

    def replace(self, data: Any) -> None:
        """Put another array in the place of this one, outside of any flat buffer; a gradient moves along.

        The optimizer and the moving average notice at their next step, and gather the parameters anew.
        """
        self.data, self.slot, self.home = data, None, None
        self.changed()

    def __reduce__(self) -> Any:
        return type(self), (self.data, self.requires_grad)  # without slot and home: they are the optimizer's

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copy = memo[id(self)] = type(self)(self.data.copy(), self.requires_grad)
        return copy


def forget(parameters: Iterable[Tensor], set_to_none: bool = True) -> None:
    """Set gradients to None, or to 0 in place: who keeps one sees the zeros, and what is added to them."""
    for p in parameters:
        if set_to_none:
            p._grad = None
        elif (g := p.grad) is not None:
            g.source, g.requires_grad = None, False
            g.data = writable(g.data)
            g.data[...] = 0
            g.changed()
