"""Padding of signals, images and volumes: what stands beyond the border."""

from __future__ import annotations

from typing import ClassVar

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number
from minitensor.nn.base.layer import Layer
from minitensor.ops.windows.sliding import each
from minitensor.tensor import Tensor

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip

Widths = int | tuple[int, ...]


class _Pad(Layer):
    """What the paddings share: the widths (before, after) of the last axis, then of the one before it, ..."""

    dims: ClassVar[int]
    mode: ClassVar[str] = "constant"

    def __init__(self, padding: Widths) -> None:
        # one number stands for all; a width below 0 cuts off
        self.padding = each(type(self).__name__, "padding", padding, 2 * self.dims, least=-(2**62))

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class ConstantPad1d(_Pad):
    """x between `padding` entries of `value`: (..., l) -> (..., before + l + after); one width, or (before, after).

    A width below 0 cuts off. Raises ValueError if it cuts off too much.

    >>> ConstantPad1d(1, 9.0)(Tensor([[1.0, 2.0]]))
    Tensor float32 (1, 4): [[9. 1. 2. 9.]]
    """

    dims = 1

    def __init__(self, padding: Widths, value: float) -> None:
        super().__init__(padding)
        if value == value:  # NaN marks what was put there
            number(self, infinite=True, value=value)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """An image in a frame of `value`: (..., h, w) -> (..., h', w'); one width, or (left, right, top, bottom).

    A width below 0 cuts off. Raises ValueError if it cuts off too much.

    >>> ConstantPad2d((0, 1, 0, 0), 9.0)
    ConstantPad2d(padding=(0, 1, 0, 0), value=9.0)
    """

    dims = 2


class ConstantPad3d(ConstantPad1d):
    """A volume in a frame of `value`: (..., d, h, w) -> (..., d', h', w'); one width, or six, the last axis first.

    A width below 0 cuts off. Raises ValueError if it cuts off too much.

    >>> ConstantPad3d(1, 0.5)(Tensor([[[[1.0]]]])).shape
    (1, 3, 3, 3)
    """

    dims = 3


class ZeroPad1d(_Pad):
    """A signal continued by zeros.

    (..., l) -> (..., l'); one width, or (before, after). A width below 0 cuts off. Raises ValueError if it cuts off too
    much.

    >>> ZeroPad1d(1)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 5): [[0. 1. 2. 3. 0.]]
    """

    dims = 1
    value = 0.0


class ZeroPad2d(_Pad):
    """An image continued by zeros.

    (..., h, w) -> (..., h', w'); one width, or (left, right, top, bottom). A width below 0 cuts off. Raises ValueError
    if it cuts off too much.

    >>> ZeroPad2d(1)
    ZeroPad2d((1, 1, 1, 1))
    """

    dims = 2
    value = 0.0


class ZeroPad3d(_Pad):
    """A volume continued by zeros.

    (..., d, h, w) -> (..., d', h', w'); one width, or six, the last axis first. A width below 0 cuts off. Raises
    ValueError if it cuts off too much.

    >>> ZeroPad3d(1)
    ZeroPad3d((1, 1, 1, 1, 1, 1))
    """

    dims = 3
    value = 0.0


class ReflectionPad1d(_Pad):
    """A signal continued by its mirror image, the border entry not repeated (c b | a b c | b a).

    (n, c, l) -> (n, c, l'), or without n; one width, or (before, after). Raises ValueError for a width of the axis'
    length or more.

    >>> ReflectionPad1d(1)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 5): [[2. 1. 2. 3. 2.]]
    """

    dims = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """An image continued by its mirror image, the border entry not repeated (c b | a b c | b a).

    (n, c, h, w) -> (n, c, h', w'), or without n; one width, or (left, right, top, bottom). Raises ValueError for a
    width of the axis' length or more.

    >>> ReflectionPad2d(1)
    ReflectionPad2d((1, 1, 1, 1))
    """

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """A volume continued by its mirror image, the border entry not repeated (c b | a b c | b a).

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; one width, or six, the last axis first. Raises ValueError for a
    width of the axis' length or more.

    >>> ReflectionPad3d(1)
    ReflectionPad3d((1, 1, 1, 1, 1, 1))
    """

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """A signal continued by its border entries (a a | a b c | c c).

    (n, c, l) -> (n, c, l'), or without n; one width, or (before, after). Raises ValueError for an empty axis.

    >>> ReplicationPad1d(1)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 5): [[1. 1. 2. 3. 3.]]
    """

    dims = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """An image continued by its border entries (a a | a b c | c c).

    (n, c, h, w) -> (n, c, h', w'), or without n; one width, or (left, right, top, bottom). Raises ValueError for an
    empty axis.

    >>> ReplicationPad2d(1)
    ReplicationPad2d((1, 1, 1, 1))
    """

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """A volume continued by its border entries (a a | a b c | c c).

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; one width, or six, the last axis first. Raises ValueError for
    an empty axis.

    >>> ReplicationPad3d(1)
    ReplicationPad3d((1, 1, 1, 1, 1, 1))
    """

    dims = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """A signal continued by itself, as on a circle (b c | a b c | a b).

    (n, c, l) -> (n, c, l'), or without n; one width, or (before, after). Raises ValueError for a width of more than the
    axis' length.

    >>> CircularPad1d(1)(Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 5): [[3. 1. 2. 3. 1.]]
    """

    dims = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """An image continued by itself, as on a circle (b c | a b c | a b).

    (n, c, h, w) -> (n, c, h', w'), or without n; one width, or (left, right, top, bottom). Raises ValueError for a
    width of more than the axis' length.

    >>> CircularPad2d(1)
    CircularPad2d((1, 1, 1, 1))
    """

    dims = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """A volume continued by itself, as on a circle (b c | a b c | a b).

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; one width, or six, the last axis first. Raises ValueError for a
    width of more than the axis' length.

    >>> CircularPad3d(1)
    CircularPad3d((1, 1, 1, 1, 1, 1))
    """

    dims = 3
    mode = "circular"
