"""Dropout, with PyTorch's names, argument order and defaults.

A mask is drawn on the host by `generator`, or the default one, so that all devices drop the same entries. Where PyTorch
has `inplace`, it is taken and changes nothing: the result is a new Tensor.
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.functions.operands import plain_settings
from minitensor.generators import generator_of
from minitensor.graph import describe
from minitensor.tensor import Tensor

__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "drop_path", "feature_alpha_dropout",
]  # fmt: skip

Generator = np.random.Generator | None
SELU_FLOOR = -1.7580993408473766  # what selu tends to on the left


def _check_share(name: str, p: float) -> None:
    plain_settings(name, p=p)
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is a share between 0 and 1; got {p}")


def _kept(shape: tuple[int, ...], p: float, generator: Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Draw what is kept: False with probability p."""
    return generator_of(generator).random(shape, dtype=np.float32) >= p


def _masked(x: Tensor, shape: tuple[int, ...], p: float, generator: Generator) -> Tensor:
    """Return x m / (1 - p), m drawn in a shape that broadcasts against x."""
    mask = _kept(shape, p, generator).astype(np.float32) * np.float32(1 / (1 - p) if p < 1 else 0)
    return x * Tensor(mask.astype(x.dtype), device=x.device)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return x m / (1 - p) with m = 0 at a share p of the entries, else 1; x itself outside training.

    Any shape, the same out; the mean stays what it is. Raises ValueError for p outside [0, 1].
    Reference: Srivastava et al. 2014. Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> dropout(Tensor([1.0, 1.0, 1.0, 1.0]), 0.5, generator=np.random.default_rng(2))
    Tensor float32 (4,): [2. 0. 0. 0.]
    """
    _check_share("dropout", p)
    return input if not training or p == 0 else _masked(input, input.shape, p, generator)


def _channels(name: str, input: Tensor, places: int, p: float, training: bool, generator: Generator) -> Tensor:
    """Drop whole channels of (n, c, ...), or of (c, ...), with so many axes of places."""
    _check_share(name, p)
    if len(input.shape) not in (places + 1, places + 2):
        raise ValueError(f"{name} takes (n, c, ...) or (c, ...) with {places} axes of places; got {describe(input)}")
    if not training or p == 0:
        return input
    return _masked(input, (*input.shape[: len(input.shape) - places], *(1,) * places), p, generator)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return `dropout` of whole channels of sequences: (n, c, length) or (c, length), the same out.

    Raises ValueError for another number of axes or p outside [0, 1]. Reference: Tompson et al. 2015.
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> dropout1d(Tensor([[1.0, 1.0], [1.0, 1.0]]), 0.5, generator=np.random.default_rng(2))
    Tensor float32 (2, 2): [[2. 2.] [0. 0.]]
    """
    return _channels("dropout1d", input, 1, p, training, generator)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return `dropout` of whole channels of images: (n, c, h, w) or (c, h, w), the same out.

    Raises ValueError for another number of axes or p outside [0, 1]. Reference: Tompson et al. 2015.
    Differs from PyTorch: the random numbers; `inplace` changes nothing; (n, c, length) is read as (c, h, w).

    >>> dropout2d(Tensor([[[1.0]], [[1.0]]]), 0.5, generator=np.random.default_rng(2)).tolist()
    [[[2.0]], [[0.0]]]
    """
    return _channels("dropout2d", input, 2, p, training, generator)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return `dropout` of whole channels of volumes: (n, c, d, h, w) or (c, d, h, w), the same out.

    Raises ValueError for another number of axes or p outside [0, 1]. Reference: Tompson et al. 2015.
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> dropout3d(Tensor([[[[1.0]]], [[[1.0]]]]), 0.5, generator=np.random.default_rng(2)).tolist()
    [[[[2.0]]], [[[0.0]]]]
    """
    return _channels("dropout3d", input, 3, p, training, generator)


def drop_path(input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator = None) -> Tensor:
    """Return x m / (1 - p) with m = 0 for a share p of the samples, else 1: stochastic depth, for a residual branch.

    (n, ...), the same out. Raises ValueError for p outside [0, 1] or an input without axes. Reference:
    Huang et al. 2016. Differs from PyTorch: it has none; torchvision's stochastic_depth(mode="row") is it.

    >>> drop_path(Tensor([[1.0, 1.0], [1.0, 1.0]]), 0.5, generator=np.random.default_rng(2))
    Tensor float32 (2, 2): [[2. 2.] [0. 0.]]
    """
    _check_share("drop_path", p)
    if not input.shape:
        raise ValueError(f"drop_path drops samples, the entries of axis 0; got {describe(input)}")
    return input if not training or p == 0 else _masked(input, (input.shape[0], *(1,) * (input.ndim - 1)), p, generator)


def _alpha(x: Tensor, shape: tuple[int, ...], p: float, generator: Generator) -> Tensor:
    """Set what is dropped to selu's floor, then scale and shift so that mean 0 and variance 1 stay."""
    if p == 1:
        return x * 0
    a = 1 / math.sqrt((SELU_FLOOR**2 * p + 1) * (1 - p))
    kept = _kept(shape, p, generator)
    scale = np.where(kept, a, 0).astype(x.dtype)
    shift = np.where(kept, 0, a * SELU_FLOOR).astype(x.dtype) - np.asarray(a * p * SELU_FLOOR, x.dtype)
    return x * Tensor(scale, device=x.device) + Tensor(shift, device=x.device)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return x with a share p of the entries at selu's floor α = -1.758, then a x + b, so that N(0, 1) stays N(0, 1).

    a = 1/√((1 - p)(1 + p α²)), b = -a p α. Any shape, the same out. Raises ValueError for p outside [0, 1].
    Reference: Klambauer et al. 2017. Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> alpha_dropout(Tensor([0.0, 0.0]), 0.5, training=True, generator=np.random.default_rng(2))
    Tensor float32 (2,): [ 0.7792 -0.7792]
    """
    _check_share("alpha_dropout", p)
    return input if not training or p == 0 else _alpha(input, input.shape, p, generator)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return `alpha_dropout` of whole channels: (n, c, ...), the same out.

    Raises ValueError for fewer than 2 axes or p outside [0, 1]. Reference: Klambauer et al. 2017.
    Differs from PyTorch: the random numbers; `inplace` changes nothing.

    >>> feature_alpha_dropout(Tensor([[[0.0], [0.0]]]), 0.5, True, generator=np.random.default_rng(0)).shape
    (1, 2, 1)
    """
    _check_share("feature_alpha_dropout", p)
    if len(input.shape) < 2:
        raise ValueError(f"feature_alpha_dropout takes (n, c, ...); got {describe(input)}")
    if not training or p == 0:
        return input
    return _alpha(input, (*input.shape[:2], *(1,) * (input.ndim - 2)), p, generator)
