"""Activations along an axis, as layers: softmaxes, and gates of one half by the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from minitensor.nn import functional as F
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin", "SwiGLU"]


class _Along(Layer):
    """A function along one axis; dim None lets the function choose."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, dim: int | None = None) -> None:
        if dim is not None:
            whole(self, None, dim=dim)
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the function of x along the axis."""
        return type(self).function(input, self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class Softmax(_Along):
    """yᵢ = e^(xᵢ) / Σⱼ e^(xⱼ) along `dim`.

    Any shape, the same out; dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1.
    Differs from PyTorch: no warning if dim is None.

    >>> Softmax(dim=0)(Tensor([0.0, 0.0, 1000.0]))
    Tensor float32 (3,): [0. 0. 1.]
    """

    function = staticmethod(F.softmax)


class LogSoftmax(_Along):
    """yᵢ = xᵢ - ln Σⱼ e^(xⱼ) along `dim`.

    Any shape, the same out; dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1.
    Differs from PyTorch: no warning if dim is None.

    >>> LogSoftmax(dim=0)(Tensor([0.0, 0.0, 1000.0]))
    Tensor float32 (3,): [-1000. -1000. 0.]
    """

    function = staticmethod(F.log_softmax)


class Softmin(_Along):
    """yᵢ = e^(-xᵢ) / Σⱼ e^(-xⱼ) along `dim`.

    Any shape, the same out; dim None is axis 0 of an input of 0, 1 or 3 axes, else axis 1.
    Differs from PyTorch: no warning if dim is None.

    >>> Softmin(dim=0)(Tensor([0.0, 0.0, 1000.0]))
    Tensor float32 (3,): [0.5 0.5 0. ]
    """

    function = staticmethod(F.softmin)


class Softmax2d(Layer):
    """The softmax over the channels at each place of an image.

    (n, c, h, w) or (c, h, w), the same out. Raises ValueError for another number of axes.

    >>> Softmax2d()(Tensor([[[0.0]], [[0.0]]])).shape
    (2, 1, 1)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax over the channels."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d takes images (n, c, h, w) or (c, h, w); got shape {input.shape}")
        return F.softmax(input, -3)


class GLU(_Along):
    """y = a σ(b) for the halves a, b of x along `dim`: the gated linear unit.

    (..., 2n, ...) -> (..., n, ...). Raises ValueError for an odd length. Reference: Dauphin et al. 2017.

    >>> GLU()(Tensor([2.0, 4.0, 0.0, 100.0]))
    Tensor float32 (2,): [1. 4.]
    """

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim)


class SwiGLU(_Along):
    """y = a σ(a) b for the halves a, b of x along `dim`: the first half is the gate. It has no parameters.

    (..., 2n, ...) -> (..., n, ...). Raises ValueError for an odd length. Reference: Shazeer 2020.
    Differs from PyTorch: it has no such layer. The feed-forward block of Shazeer is
    Sequential(Linear(d, 2 h), SwiGLU(), Linear(h, d)).

    >>> SwiGLU()(Tensor([0.0, 100.0, 3.0, 2.0]))
    Tensor float32 (2,): [ 0. 200.]
    """

    function = staticmethod(F.swiglu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim)
