"""Weights with a norm of their own: weight normalization and spectral normalization."""

from __future__ import annotations

import numpy as np

from minitensor.generators import remembered
from minitensor.modes import no_grad
from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.layer import Layer
from minitensor.nn.parametrize import register_parametrization
from minitensor.ops.elementwise import sqrt
from minitensor.ops.nn.collective import from_first
from minitensor.tensor import Tensor

__all__ = ["spectral_norm", "weight_norm"]


def _parameter(name: str, layer: Layer, tensor_name: str) -> Tensor:
    weight = getattr(layer, tensor_name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{name}: {type(layer).__name__} has no Parameter {tensor_name!r}")
    return weight


class _WeightNorm(Layer):
    """W = g v / ‖v‖, a norm for each slice along `dim`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def _norm(self, v: Tensor) -> Tensor:
        if self.dim == -1:
            return sqrt((v * v).sum())
        axes = tuple(i for i in range(v.ndim) if i != self.dim)
        return sqrt((v * v).sum(axis=axes, keepdims=True))

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return g v / ‖v‖."""
        return v * (g / self._norm(v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return (‖W‖, W)."""
        return self._norm(weight), weight


def weight_norm(module: Layer, name: str = "weight", dim: int | None = 0) -> Layer:
    """W = g v / ‖v‖: a weight's length g and direction v are learned apart, for each slice along `dim`; returns it.

    g is `parametrizations.weight.original0`, (out, 1, ...), v is original1, of W's shape; dim None (or -1) has one
    length for all, (). W starts as it is. A slice of zeros gives NaN. Raises ValueError if there is no such Parameter
    or axis. Reference: Salimans & Kingma 2016. Differs from PyTorch: the second gradient where dim is the first or the
    last axis, which PyTorch 2.13 gets wrong (its own gradgradcheck says so).

    >>> from minitensor.nn import Linear
    >>> layer = weight_norm(Linear(3, 2))
    >>> {k: v.shape for k, v in layer.state_dict().items()}
    {'bias': (2,), 'parametrizations.weight.original0': (2, 1), 'parametrizations.weight.original1': (2, 3)}
    """
    axes = _parameter("weight_norm", module, name).ndim
    if dim is not None and not -axes <= dim < axes:
        raise ValueError(f"weight_norm: dim is an axis of {name}, which has {axes}, or None; got {dim}")
    return register_parametrization(module, name, _WeightNorm(-1 if dim in (None, -1) else dim % axes), unsafe=True)


class _SpectralNorm(Layer):
    """W / σ(W), σ by power iteration."""

    _u: Tensor  # σ = uᵀ W v
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int, dim: int, eps: float, generator: np.random.Generator | None
    ) -> None:
        self.n_power_iterations, self.eps, self.dim, self.axes = n_power_iterations, eps, dim, weight.ndim
        if weight.ndim < 2:
            return
        with no_grad():
            matrix = self._matrix(weight.detach())
            for name, n in zip(("_u", "_v"), matrix.shape, strict=True):
                start = Tensor(initial.normal((n,), generator=generator), dtype=weight.dtype, device=weight.device)
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        """Return the weight as a matrix (dim, rest)."""
        order = (self.dim, *(i for i in range(self.axes) if i != self.dim))
        return weight.transpose(order).reshape(weight.shape[self.dim], -1)

    def _iterate(self, matrix: Tensor, count: int) -> None:
        """Move u and v towards the first singular vectors: u ← W v / ‖W v‖, v ← Wᵀ u / ‖Wᵀ u‖."""
        u, v = self._vectors()
        for _ in range(count):
            a = F.normalize(matrix @ v, dim=0, eps=self.eps)
            b = F.normalize(matrix.mT @ a, dim=0, eps=self.eps)
            for t, new in ((u, a), (v, b)):
                t.data[...] = new.data
                t.changed()

    def _vectors(self) -> tuple[Tensor, Tensor]:
        return self._u, self._v

    def forward(self, weight: Tensor) -> Tensor:
        """Return W / σ(W); in training u and v move first."""
        if self.axes < 2:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:  # once for all parts of a batch, and for both runs of `checkpoint`
            u, v = from_first("the vectors of a spectral norm", lambda: remembered(lambda: self._moved(matrix)))
        else:
            u, v = remembered(self._copies)
        sigma = (u * (matrix @ v)).sum()
        y: Tensor = weight / sigma
        return y

    def _moved(self, matrix: Tensor) -> list[Tensor]:
        """Move u and v, and return them."""
        with no_grad():
            self._iterate(matrix.detach(), self.n_power_iterations)
        return self._copies()

    def _copies(self) -> list[Tensor]:
        """Return u and v as they are now: they move at the next reading, and the graph keeps these."""
        return [t.clone() for t in self._vectors()]

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value: what is assigned is the weight before it is divided."""
        return value


def spectral_norm(
    module: Layer,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    generator: np.random.Generator | None = None,
) -> Layer:
    """W = original / σ, σ its largest singular value as a matrix (dim, rest): the map stretches by 1 at most.

    σ = uᵀ W v, with u and v (buffers _u and _v of `parametrizations.weight.0`) moved by n_power_iterations steps of
    power iteration at each reading in training; 15 steps go before. dim None is 0, or 1 for transposed convolutions. A
    vector is divided by its norm. Returns the layer. Raises ValueError if there is no such Parameter or axis, or fewer
    than 1 step. Reference: Miyato et al. 2018. Differs from PyTorch: the random start of u and v.

    >>> from minitensor.nn import Linear
    >>> layer = spectral_norm(Linear(3, 2), generator=np.random.default_rng(0)).eval()
    >>> round(float(np.linalg.norm(layer.weight.detach(), 2)), 3)
    1.0
    """
    weight = _parameter("spectral_norm", module, name)
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm: n_power_iterations is at least 1; got {n_power_iterations}")
    if dim is None:
        dim = 1 if "ConvTranspose" in type(module).__name__ else 0
    if not -weight.ndim <= dim < weight.ndim:
        raise ValueError(f"spectral_norm: dim is an axis of {name}, which has {weight.ndim}; got {dim}")
    function = _SpectralNorm(weight, n_power_iterations, dim % weight.ndim, eps, generator)
    return register_parametrization(module, name, function)
