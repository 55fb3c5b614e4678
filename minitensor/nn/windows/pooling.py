"""Pooling of signals, images and volumes over windows of a given size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.windows.convolution import brief
from minitensor.ops.windows.sliding import each
from minitensor.tensor import Tensor

__all__ = [
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip

Setting = int | tuple[int, ...]


class _Pool(Layer):
    """What the pools share: the function, and a text that leaves out what is the default."""

    function: ClassVar[Callable[..., Any]]
    kernel_size: Setting
    stride: Setting

    def extra_repr(self) -> str:
        """Return the window, and the settings that are not the defaults."""
        defaults = {
            "norm_type": None, "kernel_size": None, "stride": self.kernel_size, "padding": 0, "dilation": 1,
            "ceil_mode": False, "return_indices": False, "count_include_pad": True, "divisor_override": None,
        }  # fmt: skip
        shown = {k: brief(getattr(self, k)) for k in defaults if hasattr(self, k)}
        return ", ".join(f"{k}={v}" for k, v in shown.items() if v != brief(defaults[k]))


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        dilation: Setting = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        whole(self, 1, kernel_size=self.kernel_size, stride=self.stride, dilation=dilation)
        whole(self, padding=padding)
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Return the largest entries, and their places if `return_indices` is set."""
        settings = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)
        return self.function(input, *settings)


class MaxPool1d(_MaxPool):
    """The largest entry of each window: (n, c, l) -> (n, c, l'), or without n. Settings are those of `MaxPool2d`.

    Differs from PyTorch: integers are taken.

    >>> MaxPool1d(2)(Tensor([[1.0, 3.0, 2.0, 0.0]]))
    Tensor float32 (1, 2): [[3. 2.]]
    """

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest entry of each window: (n, c, h, w) -> (n, c, h', w'), or without n.

    `stride` None is the window's size; h' = (h + 2 padding - dilation (k - 1) - 1) // stride + 1, rounded up with
    `ceil_mode`. Padding counts as -inf, a tie takes the first entry, NaN is the largest; with `return_indices` the
    result is (y, places in (h, w)). Raises ValueError for padding of more than half the window, or if no window fits.
    Differs from PyTorch: refuses a window that meets only padding.

    >>> MaxPool2d(2)
    MaxPool2d(kernel_size=2)
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest entry of each window: (n, c, d, h, w) -> (n, c, d', h', w'), or without n. Else like `MaxPool2d`.

    Differs from PyTorch: refuses a window that meets only padding.

    >>> MaxPool3d(3, stride=2, padding=1)
    MaxPool3d(kernel_size=3, stride=2, padding=1)
    """

    function = staticmethod(F.max_pool3d)


class AvgPool1d(_Pool):
    """The mean of each window: (n, c, l) -> (n, c, l'), or without n. Settings are those of `AvgPool2d`.

    >>> AvgPool1d(2)(Tensor([[1.0, 3.0, 2.0, 0.0]]))
    Tensor float32 (1, 2): [[2. 1.]]
    """

    function = staticmethod(F.avg_pool1d)

    def __init__(
        self,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = each("AvgPool1d", "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else each("AvgPool1d", "stride", stride, 1)
        self.padding = each("AvgPool1d", "padding", padding, 1, least=0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        settings = (self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)
        return self.function(input, *settings)


class AvgPool2d(_Pool):
    """The mean of each window: (n, c, h, w) -> (n, c, h', w'), or without n; `stride` None is the window's size.

    Padding counts as zeros, unless `count_include_pad` is False; `divisor_override` is divided by instead of the number
    of entries. Raises ValueError for padding of more than half the window, or if no window fits.

    >>> AvgPool2d(3, padding=1, count_include_pad=False)
    AvgPool2d(kernel_size=3, padding=1, count_include_pad=False)
    """

    function = staticmethod(F.avg_pool2d)

    def __init__(
        self,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        whole(self, 1, kernel_size=self.kernel_size, stride=self.stride)
        whole(self, padding=padding)
        if divisor_override is not None:
            whole(self, 1, divisor_override=divisor_override)
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        settings = (self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)
        return self.function(input, self.kernel_size, *settings)


class AvgPool3d(AvgPool2d):
    """The mean of each window: (n, c, d, h, w) -> (n, c, d', h', w'), or without n. Else like `AvgPool2d`.

    >>> AvgPool3d(2, ceil_mode=True)
    AvgPool3d(kernel_size=2, ceil_mode=True)
    """

    function = staticmethod(F.avg_pool3d)


class LPPool1d(_Pool):
    """y = (Σ x^norm_type)^(1/norm_type) over each window: (n, c, l) -> (n, c, l'), or without n. Else like `LPPool2d`.

    >>> LPPool1d(2, 2)(Tensor([[3.0, 4.0, 0.0, 0.0]]))
    Tensor float32 (1, 2): [[5. 0.]]
    """

    function = staticmethod(F.lp_pool1d)

    def __init__(
        self, norm_type: float, kernel_size: Setting, stride: Setting | None = None, ceil_mode: bool = False
    ) -> None:
        self.norm_type, self.kernel_size, self.ceil_mode = norm_type, kernel_size, ceil_mode
        self.stride = kernel_size if stride is None else stride
        number(self, infinite=True, norm_type=norm_type)
        if norm_type == 0:
            raise ValueError(f"{type(self).__name__}: norm_type is the power of a norm, other than 0")
        whole(self, 1, kernel_size=kernel_size, stride=self.stride)

    def forward(self, input: Tensor) -> Tensor:
        """Return the power means."""
        return self.function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(LPPool1d):
    """y = (Σ x^norm_type)^(1/norm_type) over each window: (n, c, h, w) -> (n, c, h', w'), or without n.

    Norm inf is the largest absolute value. A sum of 0 has gradient 0. Raises ValueError for norm 0, or if no window
    fits.

    >>> LPPool2d(2, 3, stride=2)
    LPPool2d(norm_type=2, kernel_size=3, stride=2)
    """

    function = staticmethod(F.lp_pool2d)


class LPPool3d(LPPool1d):
    """y = (Σ x^norm_type)^(1/norm_type) over each window: (n, c, d, h, w) -> (n, c, d', h', w'). Else like `LPPool2d`.

    >>> LPPool3d(1.5, 2)
    LPPool3d(norm_type=1.5, kernel_size=2)
    """

    function = staticmethod(F.lp_pool3d)


class MaxUnpool1d(_Pool):
    """The entries of `MaxPool1d(..., return_indices=True)` back at their places, 0 elsewhere: (n, c, l) -> (n, c, l').

    Called with the pooled values, the indices and perhaps an `output_size`. Else like `MaxUnpool2d`.

    >>> MaxUnpool1d(2)(Tensor([[3.0, 2.0]]), Tensor([[1, 2]]))
    Tensor float32 (1, 4): [[0. 3. 2. 0.]]
    """

    dims: ClassVar[int] = 1
    function = staticmethod(F.max_unpool1d)

    def __init__(self, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0) -> None:
        name, n = type(self).__name__, self.dims
        self.kernel_size = each(name, "kernel_size", kernel_size, n)
        self.stride = self.kernel_size if stride is None else each(name, "stride", stride, n)
        self.padding = each(name, "padding", padding, n, least=0)

    def forward(self, input: Tensor, indices: Tensor, output_size: tuple[int, ...] | None = None) -> Tensor:
        """Return x's entries at their places in zeros."""
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(MaxUnpool1d):
    """The entries of `MaxPool2d(..., return_indices=True)` back at their places, 0 elsewhere.

    (n, c, h, w), indices alike -> (n, c, h', w') with h' = (h - 1) stride - 2 padding + kernel_size, or what
    `output_size` in the call says. Raises ValueError for a size that no pool brings to h, IndexError for a place beyond
    the result (on the CPU).

    >>> MaxUnpool2d(2)
    MaxUnpool2d(kernel_size=2)
    """

    dims = 2
    function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(MaxUnpool1d):
    """The entries of `MaxPool3d(..., return_indices=True)` back at their places, 0 elsewhere. Else like `MaxUnpool2d`.

    (n, c, d, h, w), indices alike -> (n, c, d', h', w').

    >>> MaxUnpool3d((1, 2, 2))
    MaxUnpool3d(kernel_size=(1, 2, 2))
    """

    dims = 3
    function = staticmethod(F.max_unpool3d)
