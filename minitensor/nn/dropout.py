"""Dropout layers: of entries, of channels, of samples.

A mask is drawn on the host by `generator`, or the default one. Where PyTorch has `inplace`, it is taken and changes
nothing: the result is a new Tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.base.checks import share
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["AlphaDropout", "DropPath", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Layer):
    """A dropout function of p, in training."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: np.random.Generator | None = None) -> None:
        share(self, p=p)
        self.p, self.generator = p, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return x with a share dropped, in training."""
        return type(self).function(input, self.p, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        """Return p."""
        return f"p={self.p}"


class Dropout(_Dropout):
    """In training, y = x m / (1 - p) with m = 0 at a share p of the entries, else 1 (Srivastava et al. 2014).

    Any shape, the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> Dropout(0.1)
    Dropout(p=0.1)
    """

    function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """In training, `Dropout` of whole channels of sequences (Tompson et al. 2015).

    (n, c, length) or (c, length), the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> Dropout1d(0.1)
    Dropout1d(p=0.1)
    """

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """In training, `Dropout` of whole channels of images (Tompson et al. 2015).

    (n, c, h, w) or (c, h, w), the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing; (n, c, length) is read as (c, h, w).

    >>> Dropout2d(0.1)
    Dropout2d(p=0.1)
    """

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """In training, `Dropout` of whole channels of volumes (Tompson et al. 2015).

    (n, c, d, h, w) or (c, d, h, w), the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> Dropout3d(0.1)
    Dropout3d(p=0.1)
    """

    function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """In training, dropout to selu's floor that keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Any shape, the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> AlphaDropout(0.1)
    AlphaDropout(p=0.1)
    """

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """In training, `AlphaDropout` of whole channels (Klambauer et al. 2017).

    (n, c, ...), the same out; y = x in evaluation. Raises ValueError for p outside [0, 1].
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> FeatureAlphaDropout(0.1)
    FeatureAlphaDropout(p=0.1)
    """

    function = staticmethod(F.feature_alpha_dropout)


class DropPath(_Dropout):
    """In training, y = x m / (1 - p) with m = 0 for a share p of the samples, else 1: stochastic depth.

    For the residual branch: x + drop_path(f(x)). (n, ...), the same out; y = x in evaluation. Raises ValueError for p
    outside [0, 1]. Reference: Huang et al. 2016. Differs from PyTorch: it has none; torchvision's StochasticDepth is
    it.

    >>> DropPath(0.1)
    DropPath(p=0.1)
    """

    function = staticmethod(F.drop_path)

    def __init__(self, p: float = 0.0, *, generator: np.random.Generator | None = None) -> None:
        super().__init__(p, generator=generator)
