"""Normalisation layers, and how to keep batch norm's running statistics as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minitensor.graph import state
from minitensor.nn import functional as F
from minitensor.nn.layer import Layer
from minitensor.nn.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "frozen_statistics"]


class _BatchNorm(Layer):
    """y = (x - mean) / √(var + eps) · weight + bias for each channel (Ioffe & Szegedy 2015).

    In training, mean and (biased) variance are the batch's, and the running ones move towards them:
    running = (1 - momentum) running + momentum · batch, with the unbiased variance; momentum None takes the mean over
    all batches. In evaluation the running ones are used. `update_statistics = False` (see `frozen_statistics`) leaves
    them as they are in training too; with track_running_stats=False there are none.
    """

    ndims: tuple[int, ...]
    shapes: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.update_statistics = True
        ones, zeros = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        self.weight = Parameter(ones.copy()) if affine else None
        self.bias = Parameter(zeros.copy()) if affine else None
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        self.register_buffer("running_mean", Tensor(zeros) if track_running_stats else None)
        self.register_buffer("running_var", Tensor(ones) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)) if track_running_stats else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised activations."""
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            name = f"{type(self).__name__}({self.num_features})"
            raise ValueError(f"{name} takes {self.shapes} with c = {self.num_features}; got shape {x.shape}")
        mean, var, count = self.running_mean, self.running_var, self.num_batches_tracked
        weight, bias, eps = self.weight, self.bias, self.eps
        if count is None or (self.training and (state.replaying or not self.update_statistics)):
            return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
        if not self.training:
            return F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps)
        momentum = 1 / (count.item() + 1) if self.momentum is None else self.momentum
        y = F.batch_norm(x, mean, var, weight, bias, training=True, momentum=momentum, eps=eps)
        count.data += 1
        count.changed()
        return y

    def extra_repr(self) -> str:
        """Return the channels, and the settings that are not the defaults."""
        text = f"{self.num_features}"
        text += "" if self.eps == 1e-5 else f", eps={self.eps}"
        text += "" if self.momentum == 0.1 else f", momentum={self.momentum}"
        text += "" if self.weight is not None else ", affine=False"
        return text + ("" if self.running_mean is not None else ", track_running_stats=False")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of vectors or sequences: (n, c) or (n, c, length), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel; see `BatchNorm2d`.
    """

    ndims, shapes = (2, 3), "(n, c) or (n, c, length)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images: (n, c, h, w), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel (Ioffe & Szegedy 2015); weight, bias,
    running_mean and running_var are (c,). In training, mean and variance are the batch's; in evaluation the running
    ones, which each training step has moved towards its batch's. `frozen_statistics` keeps it from moving them.

    >>> BatchNorm2d(8)
    BatchNorm2d(8)
    """

    ndims, shapes = (4,), "(n, c, h, w)"


@contextmanager
def frozen_statistics(layer: Layer) -> Iterator[None]:
    """Inside, batch norm in training mode uses its batch's statistics and leaves its buffers alone.

    For a target encoder whose buffers are moved by an EMA, and for a second pass over the same batch.
    """
    norms = [norm for norm in layer.layers() if isinstance(norm, _BatchNorm)]
    before = [norm.update_statistics for norm in norms]
    for norm in norms:
        norm.update_statistics = False
    try:
        yield
    finally:
        for norm, value in zip(norms, before, strict=True):
            norm.update_statistics = value


class LayerNorm(Layer):
    """y = (x - mean) / √(var + eps) · weight + bias over the last axes of each sample, var biased (Ba et al. 2016).

    Shapes: (..., *normalized_shape), the same out; weight and bias (*normalized_shape).

    >>> LayerNorm(64)
    LayerNorm((64,))
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        shape = self.normalized_shape
        self.weight = Parameter(np.ones(shape, np.float32)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, np.float32)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised activations."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the shape, and the settings that are not the defaults."""
        text = f"{self.normalized_shape}" + ("" if self.eps == 1e-5 else f", eps={self.eps}")
        if self.weight is None:
            return text + ", elementwise_affine=False"
        return text + ("" if self.bias is not None else ", bias=False")
