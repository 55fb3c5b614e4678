"""Normalization of each sample by itself: over its last axes, its groups of channels, or its neighbors."""

from __future__ import annotations

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.ops.nn import normalization
from minitensor.tensor import Tensor

__all__ = ["GRN", "GroupNorm", "LayerNorm", "LayerNorm2d", "LocalResponseNorm", "RMSNorm"]


def _ones(shape: int | tuple[int, ...]) -> Parameter:
    return Parameter(np.ones(shape, np.float32))


def _zeros(shape: int | tuple[int, ...]) -> Parameter:
    return Parameter(np.zeros(shape, np.float32))


def _images(layer: Layer, x: Tensor, channels: int) -> None:
    """Raise ValueError unless x is images of so many channels."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(
            f"{type(layer).__name__}({channels}) takes (n, c, h, w) with c = {channels}; got shape {x.shape}"
        )


class LayerNorm(Layer):
    """y = (x - mean) / √(var + eps) · weight + bias over the last axes of each sample, var biased (Ba et al. 2016).

    Shapes: (..., *normalized_shape), the same out; weight and bias (*normalized_shape). Raises ValueError for last axes
    that differ.

    >>> LayerNorm(64)
    LayerNorm((64,))
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        whole(self, normalized_shape=normalized_shape)
        shape = normalized_shape
        self.normalized_shape = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
        number(self, 0, eps=eps)
        self.eps = eps
        self.weight = _ones(self.normalized_shape) if elementwise_affine else None
        self.bias = _zeros(self.normalized_shape) if elementwise_affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalized activations."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the shape, and the settings that are not the defaults."""
        text = f"{self.normalized_shape}" + ("" if self.eps == 1e-5 else f", eps={self.eps}")
        if self.weight is None:
            return text + ", elementwise_affine=False"
        return text + ("" if self.bias is not None else ", bias=False")


class RMSNorm(Layer):
    """y = x / √(mean(x²) + eps) · weight over the last axes of each sample (Zhang & Sennrich 2019).

    Shapes: (..., *normalized_shape), the same out; weight (*normalized_shape). eps None is the smallest step from 1 in
    the input's dtype. Raises ValueError for last axes that differ.

    >>> RMSNorm(64)
    RMSNorm((64,))
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        whole(self, normalized_shape=normalized_shape)
        shape = normalized_shape
        self.normalized_shape = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
        if eps is not None:
            number(self, 0, eps=eps)
        self.eps = eps
        self.weight = _ones(self.normalized_shape) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized activations."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the shape, and the settings that are not the defaults."""
        text = f"{self.normalized_shape}" + ("" if self.eps is None else f", eps={self.eps}")
        return text + ("" if self.weight is not None else ", elementwise_affine=False")


class GroupNorm(Layer):
    """y = (x - mean) / √(var + eps) · weight + bias, with the statistics of each group of channels (Wu & He 2018).

    (n, c, ...), the same out; weight and bias (c,), the variance biased. Raises ValueError if the groups do not divide
    the channels.

    >>> GroupNorm(2, 8)
    GroupNorm(2, 8)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, bias: bool = True
    ) -> None:
        whole(self, num_groups=num_groups, num_channels=num_channels)
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels cannot be cut into {num_groups} equal groups")
        number(self, 0, eps=eps)
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = _ones(num_channels) if affine else None
        self.bias = _zeros(num_channels) if affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalized activations."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return groups and channels, and the settings that are not the defaults."""
        text = f"{self.num_groups}, {self.num_channels}" + ("" if self.eps == 1e-5 else f", eps={self.eps}")
        if self.weight is None:
            return text + ", affine=False"
        return text + ("" if self.bias is not None else ", bias=False")


class LayerNorm2d(Layer):
    """y = (x - mean) / √(var + eps) · weight + bias over the channels at each place of an image, var biased.

    (n, c, h, w), the same out; weight and bias (c,). Raises ValueError for other shapes. Reference: Liu et al. 2022
    (ConvNeXt). Differs from PyTorch: it has none; torchvision's LayerNorm2d is it.

    >>> LayerNorm2d(64)
    LayerNorm2d(64)
    """

    def __init__(self, num_channels: int, eps: float = 1e-6, affine: bool = True) -> None:
        whole(self, num_channels=num_channels)
        number(self, 0, eps=eps)
        self.num_channels, self.eps = num_channels, eps
        self.weight = _ones(num_channels) if affine else None
        self.bias = _zeros(num_channels) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized activations."""
        _images(self, x, self.num_channels)
        y = F.layer_norm(x.transpose(0, 2, 3, 1), (self.num_channels,), self.weight, self.bias, self.eps)
        return y.transpose(0, 3, 1, 2)

    def extra_repr(self) -> str:
        """Return the channels, and the settings that are not the defaults."""
        text = f"{self.num_channels}" + ("" if self.eps == 1e-6 else f", eps={self.eps}")
        return text + ("" if self.weight is not None else ", affine=False")


class GRN(Layer):
    """y = weight (x · r) + bias + x, r = ‖x‖ / (mean of ‖x‖ over the channels + eps), ‖x‖ over all places.

    Global response normalization: channels compete. (n, c, h, w), the same out; weight and bias (c,) start as 0, so
    that it starts as y = x. Raises ValueError for other shapes. Reference: Woo et al. 2023 (ConvNeXt V2), whose gamma
    and beta are weight and bias here.

    >>> GRN(64)
    GRN(64)
    """

    def __init__(self, num_channels: int, eps: float = 1e-6) -> None:
        whole(self, num_channels=num_channels)
        number(self, 0, eps=eps)
        self.num_channels, self.eps = num_channels, eps
        self.weight, self.bias = _zeros(num_channels), _zeros(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized activations."""
        _images(self, x, self.num_channels)
        y: Tensor = normalization.global_response_norm(x, self.weight, self.bias, eps=self.eps)
        return y

    def extra_repr(self) -> str:
        """Return the channels."""
        return f"{self.num_channels}" + ("" if self.eps == 1e-6 else f", eps={self.eps}")


class LocalResponseNorm(Layer):
    """y = x / (k + alpha/size Σ x²)^beta, the sum over `size` neighboring channels (Krizhevsky et al. 2012).

    (n, c, ...), the same out. Raises ValueError for fewer than 3 axes.

    >>> LocalResponseNorm(5)
    LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        whole(self, 1, size=size)
        number(self, alpha=alpha, beta=beta, k=k)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalized activations."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
