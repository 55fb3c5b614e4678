"""Initial values: arrays drawn on the host, in float64, and rounded to float32, so that every device starts alike.

Each law takes a shape and a generator (None: the default one, which `manual_seed` seeds).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from minitensor.generators import generator_of

__all__ = ["fan_in", "kaiming_uniform", "normal", "uniform"]

Shape = int | tuple[int, ...]
Floats = NDArray[np.float32]


def fan_in(shape: tuple[int, ...]) -> int:
    """Return how many inputs one output of a weight (out, in, ...) sums.

    Differs from PyTorch: there it is private.

    >>> fan_in((8, 3, 5, 5))
    75
    """
    return math.prod(shape[1:])


def uniform(shape: Shape, bound: float, generator: np.random.Generator | None = None) -> Floats:
    """Return draws from the uniform distribution on [-bound, bound), as float32. Differs from PyTorch: a new array.

    >>> uniform((2, 3), 0.1).shape
    (2, 3)
    """
    return generator_of(generator).uniform(-bound, bound, shape).astype(np.float32)


def normal(shape: Shape, std: float = 1.0, generator: np.random.Generator | None = None) -> Floats:
    """Return draws from N(0, std²), as float32. Differs from PyTorch: a new array.

    >>> normal((2, 3), 0.02).dtype
    dtype('float32')
    """
    return generator_of(generator).normal(0.0, std, shape).astype(np.float32)


def kaiming_uniform(
    shape: tuple[int, ...], a: float = math.sqrt(5), generator: np.random.Generator | None = None
) -> Floats:
    """Return draws from the uniform distribution with bound √(6 / ((1 + a²) fan_in)) (He et al. 2015).

    With a = √5, PyTorch's for Linear and Conv2d, the bound is 1 / √fan_in.
    Differs from PyTorch: a new array; `nn.init.kaiming_uniform_` fills one.

    >>> bool(abs(kaiming_uniform((2, 4))).max() <= 0.5)
    True
    """
    return uniform(shape, math.sqrt(6 / ((1 + a * a) * max(1, fan_in(shape)))), generator)
