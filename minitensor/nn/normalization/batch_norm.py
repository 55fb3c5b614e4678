"""Batch and instance normalization, and how to keep their running statistics as they are.

Those without statistics of their own, layer norm and its kin, stand in `layer_normalization.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minitensor.graph import state
from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, share, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "frozen_statistics",
]  # fmt: skip


class _Norm(Layer):
    """What batch and instance norm share: a scale and a shift for each channel, and running statistics."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self, num_features: int, eps: float, momentum: float | None, affine: bool, track: bool, bias: bool
    ) -> None:
        whole(self, num_features=num_features)
        number(self, 0, eps=eps)
        if momentum is not None:
            share(self, momentum=momentum)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.update_statistics = True
        ones, zeros = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        self.weight = Parameter(ones.copy()) if affine else None
        self.bias = Parameter(zeros.copy()) if affine and bias else None
        self.register_buffer("running_mean", Tensor(zeros) if track else None)
        self.register_buffer("running_var", Tensor(ones) if track else None)
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)) if track else None)

    def _settings(self, affine: bool, track: bool) -> str:
        """Return the channels, and the settings that are not these defaults."""
        text = f"{self.num_features}"
        text += "" if self.eps == 1e-5 else f", eps={self.eps}"
        text += "" if self.momentum == 0.1 else f", momentum={self.momentum}"
        text += "" if (self.weight is not None) == affine else f", affine={not affine}"
        text += "" if self.weight is None or self.bias is not None else ", bias=False"
        return text + ("" if (self.running_mean is not None) == track else f", track_running_stats={not track}")


class _BatchNorm(_Norm):
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
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalized activations."""
        if input.ndim not in self.ndims or input.shape[1] != self.num_features:
            name = f"{type(self).__name__}({self.num_features})"
            raise ValueError(f"{name} takes {self.shapes} with c = {self.num_features}; got shape {input.shape}")
        mean, var, count = self.running_mean, self.running_var, self.num_batches_tracked
        weight, bias, eps = self.weight, self.bias, self.eps
        if count is None or (self.training and not self.update_statistics):
            return F.batch_norm(input, None, None, weight, bias, training=True, eps=eps)
        if not self.training:
            return F.batch_norm(input, mean, var, weight, bias, training=False, eps=eps)
        momentum = 1 / (count.item() + 1) if self.momentum is None else self.momentum
        y = F.batch_norm(input, mean, var, weight, bias, training=True, momentum=momentum, eps=eps)
        if not state.replaying:
            count.data += 1
            count.changed()
        return y

    def extra_repr(self) -> str:
        """Return the channels, and the settings that are not the defaults."""
        return self._settings(affine=True, track=True)


class BatchNorm1d(_BatchNorm):
    """Batch normalization of vectors or sequences: (n, c) or (n, c, length), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel; see `BatchNorm2d`.

    >>> BatchNorm1d(2)(Tensor([[1.0, 0.0], [3.0, 4.0]])).shape
    (2, 2)
    """

    ndims, shapes = (2, 3), "(n, c) or (n, c, length)"


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images: (n, c, h, w), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel (Ioffe & Szegedy 2015); weight, bias,
    running_mean and running_var are (c,). In training, mean and variance are the batch's; in evaluation the running
    ones, which each training step has moved towards its batch's: by a share `momentum`, or, if that is None, to the
    mean over all batches. `frozen_statistics` keeps it from moving them. Raises ValueError for other shapes, and in
    training for one value per channel.

    >>> BatchNorm2d(8)
    BatchNorm2d(8)
    """

    ndims, shapes = (4,), "(n, c, h, w)"


class BatchNorm3d(_BatchNorm):
    """Batch normalization of volumes: (n, c, d, h, w), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel; see `BatchNorm2d`.

    >>> BatchNorm3d(8, momentum=None)
    BatchNorm3d(8, momentum=None)
    """

    ndims, shapes = (5,), "(n, c, d, h, w)"


@contextmanager
def frozen_statistics(layer: Layer) -> Iterator[None]:
    """Inside, batch norm in training mode uses its batch's statistics and leaves its buffers alone.

    For a target encoder whose buffers are moved by an EMA, and for a second pass over the same batch.
    Differs from PyTorch: it has none; there momentum is set to 0 for a while.

    >>> from minitensor import nn, rand
    >>> norm = nn.BatchNorm1d(2)
    >>> with frozen_statistics(norm):
    ...     y = norm(rand(4, 2))
    >>> norm.running_mean
    Tensor float32 (2,): [0. 0.]
    """
    norms = [norm for _, norm in layer.named_layers() if isinstance(norm, _Norm)]
    before = [norm.update_statistics for norm in norms]
    for norm in norms:
        norm.update_statistics = False
    try:
        yield
    finally:
        for norm, value in zip(norms, before, strict=True):
            norm.update_statistics = value


class _InstanceNorm(_Norm):
    """y = (x - mean) / √(var + eps) · weight + bias for each channel of each sample (Ulyanov et al. 2016).

    Mean and variance are those of the sample's places, in evaluation too; with track_running_stats their means over the
    samples are kept, by a share `momentum` of the new, and used in evaluation.
    """

    places: int
    shapes: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalized activations."""
        single = input.ndim == self.places + 1
        if not (single or input.ndim == self.places + 2) or input.shape[0 if single else 1] != self.num_features:
            name = f"{type(self).__name__}({self.num_features})"
            raise ValueError(f"{name} takes {self.shapes} with c = {self.num_features}; got shape {input.shape}")
        own = self.training or self.running_mean is None
        mean, var = self.running_mean, self.running_var
        if self.training and not self.update_statistics:
            mean = var = None
        y = F.instance_norm(
            input.reshape(1, *input.shape) if single else input,
            mean,
            var,
            self.weight,
            self.bias,
            own,
            self.momentum or 0.0,
            self.eps,
        )
        return y.reshape(input.shape) if single else y

    def extra_repr(self) -> str:
        """Return the channels, and the settings that are not the defaults."""
        return self._settings(affine=False, track=False)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of sequences: (n, c, length) or (c, length), the same out; see `InstanceNorm2d`.

    >>> InstanceNorm1d(1)(Tensor([[[1.0, 3.0]]]))
    Tensor float32 (1, 1, 2): [[[-1. 1.]]]
    """

    places, shapes = 1, "(n, c, length) or (c, length)"


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of images: (n, c, h, w) or (c, h, w), the same out.

    y = (x - mean) / √(var + eps) · weight + bias for each channel of each sample (Ulyanov et al. 2016), the variance
    biased; no weight and bias unless affine, no running statistics unless track_running_stats, which evaluation then
    uses. Raises ValueError for other shapes and for one place per channel.

    >>> InstanceNorm2d(8, affine=True)
    InstanceNorm2d(8, affine=True)
    """

    places, shapes = 2, "(n, c, h, w) or (c, h, w)"


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of volumes: (n, c, d, h, w) or (c, d, h, w), the same out; see `InstanceNorm2d`.

    >>> InstanceNorm3d(8)
    InstanceNorm3d(8)
    """

    places, shapes = 3, "(n, c, d, h, w) or (c, d, h, w)"
