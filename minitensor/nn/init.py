"""Initial laws that fill a Tensor in place, with PyTorch's names, arguments and defaults.

Values are drawn on the host, in float64, by `generator` or the default one, and no history is recorded. Each function
returns the Tensor that it filled. The laws of the layers themselves stand in `initial.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.backend import move
from minitensor.generators import generator_of
from minitensor.tensor import Tensor

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

Generator = np.random.Generator | None


def _fill(tensor: Tensor, values: Any) -> Tensor:
    tensor.data[...] = move(np.asarray(values, dtype=tensor.dtype), tensor.device)
    tensor.changed()
    return tensor


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs make one output of a weight (out, in, ...), and how many outputs one input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"fan-in and fan-out are of a weight (out, in, ...); got shape {tensor.shape}")
    places = math.prod(tensor.shape[2:])
    return tensor.shape[1] * places, tensor.shape[0] * places


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return how much a nonlinearity shrinks, so that weights make up for it: √2 for relu, 5/3 for tanh, 1 for linear.

    param: the negative slope of leaky_relu (0.01 if None). Raises ValueError for one that is not known.

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    linear = {"linear", "sigmoid", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3))}
    gains = dict.fromkeys(linear, 1.0) | {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain knows {sorted([*gains, 'leaky_relu'])}; got {nonlinearity!r}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b).

    Differs from PyTorch: the random numbers.

    >>> uniform_(Tensor([0.0, 0.0]), 3.0, 3.0)
    Tensor float32 (2,): [3. 3.]
    """
    return _fill(tensor, generator_of(generator).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill with draws from N(mean, std²).

    Differs from PyTorch: the random numbers.

    >>> normal_(Tensor([0.0, 0.0]), mean=3.0, std=0.0)
    Tensor float32 (2,): [3. 3.]
    """
    return _fill(tensor, generator_of(generator).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator = None
) -> Tensor:
    """Fill with draws from N(mean, std²), those outside [a, b] drawn again; a and b are values, not multiples of std.

    Raises ValueError if a > b, or if less than one draw in a thousand falls inside.
    Differs from PyTorch: the random numbers, and that refusal, where PyTorch draws from the tail.

    >>> bool((trunc_normal_(Tensor([0.0] * 1000)).abs() <= 2).all())
    True
    """
    if a > b:
        raise ValueError(f"trunc_normal_: a is at most b; got {a} and {b}")
    low, high = ((v - mean) / (std * math.sqrt(2)) if std else math.inf * (v - mean or 1) for v in (a, b))
    if std and math.erf(high) - math.erf(low) < 2e-3:
        raise ValueError(f"trunc_normal_: hardly any of N({mean}, {std}²) is in [{a}, {b}]")
    draw = generator_of(generator)
    values = draw.normal(mean, std, math.prod(tensor.shape))
    while (outside := (values < a) | (values > b)).any():
        if not std:
            raise ValueError(f"trunc_normal_: {mean} is not in [{a}, {b}], and std is 0")
        values[outside] = draw.normal(mean, std, int(outside.sum()))
    return _fill(tensor, values.reshape(tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    >>> constant_(Tensor([0.0, 0.0]), 3.0)
    Tensor float32 (2,): [3. 3.]
    """
    return _fill(tensor, np.full(tensor.shape, val))


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    >>> ones_(Tensor([0.0, 0.0]))
    Tensor float32 (2,): [1. 1.]
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    >>> zeros_(Tensor([1.0, 2.0]))
    Tensor float32 (2,): [0. 0.]
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the unit matrix: a linear layer then passes on as many inputs as it can.

    Raises ValueError for what is no matrix.

    >>> eye_(Tensor([[5.0, 5.0, 5.0], [5.0, 5.0, 5.0]]))
    Tensor float32 (2, 3): [[1. 0. 0.] [0. 1. 0.]]
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_ fills a matrix; got shape {tensor.shape}")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight (out, in, ...) with 1 in the middle of each kernel out = in: it passes on its input.

    With groups this holds in each of them. Raises ValueError unless there are 3, 4 or 5 axes, of which the groups
    divide the first.

    >>> dirac_(Tensor([[[5.0, 5.0, 5.0]]]))
    Tensor float32 (1, 1, 3): [[[0. 1. 0.]]]
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_ fills a weight (out, in, ...) of a convolution; got shape {tensor.shape}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} outputs cannot be cut into {groups} equal groups")
    values: Any = np.zeros(tensor.shape)
    out = tensor.shape[0] // groups
    for i in range(min(out, tensor.shape[1])):
        values[(slice(i, None, out), i, *(n // 2 for n in tensor.shape[2:]))] = 1
    return _fill(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill a weight (out, in, ...) uniformly on ±gain √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Raises ValueError for fewer than 2 axes. Differs from PyTorch: the random numbers.

    >>> xavier_uniform_(Tensor([[0.0, 0.0]]), gain=0.0).tolist()
    [[0.0, 0.0]]
    """
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Fill a weight (out, in, ...) from N(0, gain² · 2 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Raises ValueError for fewer than 2 axes. Differs from PyTorch: the random numbers.

    >>> xavier_normal_(Tensor([[0.0, 0.0]]), gain=0.0).tolist()
    [[0.0, 0.0]]
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out'; got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(tensor)[mode == "fan_out"])


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Fill a weight (out, in, ...) uniformly on ±gain √(3 / fan), a the negative slope of leaky_relu (He et al. 2015).

    Raises ValueError for fewer than 2 axes, another mode, or a nonlinearity that is not known. An empty weight stays.
    Differs from PyTorch: the random numbers.

    >>> bool((kaiming_uniform_(Tensor([[0.0, 0.0]])).abs() <= 3 ** 0.5).all())
    True
    """
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Fill a weight (out, in, ...) from N(0, gain² / fan), a the negative slope of leaky_relu (He et al. 2015).

    Raises ValueError for fewer than 2 axes, another mode, or a nonlinearity that is not known. An empty weight stays.
    Differs from PyTorch: the random numbers.

    >>> kaiming_normal_(Tensor([[0.0, 0.0]]), nonlinearity="relu").shape
    (1, 2)
    """
    return tensor if 0 in tensor.shape else normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator = None) -> Tensor:
    """Fill a weight, read as a matrix (out, the rest), with gain times rows or columns that are orthonormal.

    Drawn evenly from all such matrices: the Q of a normal one, with the signs of R's diagonal. Raises ValueError for
    fewer than 2 axes. Reference: Saxe et al. 2014. Differs from PyTorch: the random numbers.

    >>> w = orthogonal_(Tensor([[0.0, 0.0], [0.0, 0.0]]))
    >>> np.allclose(w @ w.T, np.eye(2), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ fills a weight of at least 2 axes; got shape {tensor.shape}")
    if 0 in tensor.shape:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    draws = generator_of(generator).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(draws)
    q = q * np.where(np.diag(r) < 0, -1, 1)
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator = None) -> Tensor:
    """Fill a matrix from N(0, std²), with a share `sparsity` of each column, rounded up, set to 0 (Martens 2010).

    Raises ValueError for what is no matrix. Differs from PyTorch: the random numbers.

    >>> int((sparse_(Tensor([[1.0, 1.0], [1.0, 1.0]]), 0.5) == 0).astype("int64").sum())
    2
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ fills a matrix; got shape {tensor.shape}")
    draw = generator_of(generator)
    values = draw.normal(0.0, std, tensor.shape)
    for column in range(tensor.shape[1]):
        values[draw.permutation(tensor.shape[0])[: math.ceil(sparsity * tensor.shape[0])], column] = 0
    return _fill(tensor, values)
