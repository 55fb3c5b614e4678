"""Layers that move or resample the entries of images, without parameters."""

from __future__ import annotations

from typing import Any

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample", "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]  # fmt: skip

Setting = int | tuple[int, ...]


class Unfold(Layer):
    """Windows as columns (im2col): (n, c, h, w) -> (n, c kh kw, count), or without n.

    Raises ValueError if no window fits. Differs from PyTorch: integers are taken.

    >>> Unfold(2)(Tensor([[[0.0, 1, 2], [3, 4, 5]]]))
    Tensor float32 (4, 2): [[0. 1.] [1. 2.] [3. 4.] [4. 5.]]
    """

    def __init__(self, kernel_size: Setting, dilation: Setting = 1, padding: Setting = 0, stride: Setting = 1) -> None:
        whole(self, 1, kernel_size=kernel_size, dilation=dilation, stride=stride)
        whole(self, padding=padding)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Unfold):
    """Columns added back where `Unfold` read them (col2im): (n, c kh kw, count) -> (n, c, *output_size), or without n.

    Raises ValueError if the columns are not those of images of this size. Differs from PyTorch: integers are taken.

    >>> Fold((2, 3), 2)(Tensor([[1.0, 1]] * 4))
    Tensor float32 (1, 2, 3): [[[1. 2. 1.] [1. 2. 1.]]]
    """

    def __init__(
        self,
        output_size: Setting,
        kernel_size: Setting,
        dilation: Setting = 1,
        padding: Setting = 0,
        stride: Setting = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        whole(self, 1, output_size=output_size)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the images."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"output_size={self.output_size}, {super().extra_repr()}"


class Upsample(Layer):
    """x resampled to `size`, or to its lengths times `scale_factor`: (n, c, ...) -> (n, c, ...).

    Modes, conventions and errors are those of `functional.interpolate`.

    >>> Upsample(scale_factor=2)(Tensor([[[1.0, 2.0]]]))
    Tensor float32 (1, 1, 4): [[[1. 1. 2. 2.]]]
    """

    def __init__(
        self,
        size: Setting | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        factor: Any = scale_factor
        if factor is not None:
            for value in factor if isinstance(factor, (tuple, list)) else [factor]:
                number(self, 0, above=True, scale_factor=value)
            factor = tuple(map(float, factor)) if isinstance(factor, (tuple, list)) else float(factor)
        if size is not None:
            whole(self, 1, size=size)
        self.size, self.scale_factor, self.mode = size, factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the resampled input."""
        settings = (self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)
        return F.interpolate(input, *settings)

    def extra_repr(self) -> str:
        """Return size or scale, and the mode."""
        what = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """An image whose pixels are repeated: `Upsample` with mode="nearest".

    >>> UpsamplingNearest2d(scale_factor=2)(Tensor([[[[1.0, 2.0]]]]))
    Tensor float32 (1, 1, 2, 4): [[[[1. 1. 2. 2.] [1. 1. 2. 2.]]]]
    """

    def __init__(self, size: Setting | None = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` with mode="bilinear" and align_corners: the corners stay.

    >>> UpsamplingBilinear2d(size=(1, 3))(Tensor([[[[1.0, 2.0]]]]))
    Tensor float32 (1, 1, 1, 3): [[[[1. 1.5 2. ]]]]
    """

    def __init__(self, size: Setting | None = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Layer):
    """Channels become pixels: (..., c r², h, w) -> (..., c, h r, w r), r the upscale_factor (Shi et al. 2016).

    Raises ValueError unless r² divides the channels.

    >>> PixelShuffle(2)(Tensor([[[0]], [[1]], [[2]], [[3]]]))
    Tensor int64 (1, 2, 2): [[[0 1] [2 3]]]
    """

    def __init__(self, upscale_factor: int) -> None:
        whole(self, 1, upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the larger image."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Layer):
    """Pixels become channels: (..., c, h r, w r) -> (..., c r², h, w), r the downscale_factor.

    Raises ValueError unless r divides both lengths.

    >>> PixelUnshuffle(2)(Tensor([[[0, 1], [2, 3]]])).tolist()
    [[[0]], [[1]], [[2]], [[3]]]
    """

    def __init__(self, downscale_factor: int) -> None:
        whole(self, 1, downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the smaller image."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Layer):
    """The channels of g groups dealt out in turn: (n, c, ...), the same out (Zhang et al. 2018).

    Raises ValueError unless the groups divide the channels.

    >>> ChannelShuffle(2)(Tensor([[[0], [1], [2], [3]]])).tolist()
    [[[0], [2], [1], [3]]]
    """

    def __init__(self, groups: int) -> None:
        whole(self, 1, groups=groups)
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return the channels in another order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the number of groups."""
        return f"groups={self.groups}"
