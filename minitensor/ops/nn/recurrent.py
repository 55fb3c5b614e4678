"""What recurrent layers compute at one step of time, a sequence taken apart into its steps, and the walk along them."""

from __future__ import annotations

from collections.abc import Callable

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.elementwise import relu, sigmoid, tanh
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.shaping.join import concatenate, stack

__all__ = ["NONLINEARITIES", "gru_step", "gru_walk", "lstm_step", "lstm_walk", "rnn_walk", "separate"]

NONLINEARITIES = {"tanh": tanh, "relu": relu}


def _zeros_like(x: Array) -> Array:
    x = x.data if isinstance(x, Variable) else x
    return namespace(x).zeros(x.shape, x.dtype)


@op
def separate(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """y = the slices of x at 0, 1, 2, ... along an axis, each an array of its own: the inverse of `stack`

    (..., n, ...) -> n arrays (..., ...). Differs from NumPy's unstack and PyTorch's unbind: the results are copies, and
    one gradient is put together of all pieces', where an index at each step would make n arrays of x's size.

    >>> import numpy as np
    >>> [v.tolist() for v in separate(np.array([[1, 2], [3, 4]]), axis=1)]
    [[1, 3], [2, 4]]
    """
    return tuple(x[(slice(None),) * (axis % x.ndim) + (i,)].copy() for i in range(x.shape[axis]))


def _restack(g: Array, axis: int) -> Array:
    zeros = _zeros_like(next(d for d in g if d is not None))
    return stack(*[zeros if d is None else d for d in g], axis=axis)


separate.vjp(x=_restack)


def _quarters(x: Array) -> tuple[Array, Array, Array, Array]:
    n = x.shape[-1] // 4
    return x[..., :n], x[..., n : 2 * n], x[..., 2 * n : 3 * n], x[..., 3 * n :]


@op("floating")
def lstm_step(gates: Array, cell: Array) -> tuple[Array, Array]:
    """c' = σ(f) c + σ(i) tanh(z), h = σ(o) tanh(c'), where gates = [i, f, z, o]; returns (h, c')

    gates (..., 4 h), cell (..., h) -> two of (..., h). Reference: Hochreiter & Schmidhuber 1997, Gers et al. 2000.
    Differs from PyTorch: it has no public one; it is the pointwise part of its LSTMCell.

    >>> import numpy as np
    >>> [v.round(4).tolist() for v in lstm_step(np.zeros((1, 4)), np.ones((1, 1)))]
    [[[0.2311]], [[0.5]]]
    """
    tanh = namespace(gates).tanh
    i, f, z, o = _quarters(gates)
    i, f, o = (0.5 * tanh(0.5 * v) + 0.5 for v in (i, f, o))  # σ, which overflows for no v
    c = f * cell + i * tanh(z)
    return o * tanh(c), c


def _lstm_rule(g: Array, gates: Array, cell: Array) -> tuple[Array, Array]:
    gh, gc = g
    i, f, z, o = _quarters(gates)
    i, f, z, o = sigmoid(i), sigmoid(f), tanh(z), sigmoid(o)
    t = tanh(f * cell + i * z)
    d_o = _zeros_like(t) if gh is None else gh * t * (o * (1 - o))
    through = None if gh is None else gh * o * (1 - t * t)
    dc = gc if through is None else through if gc is None else gc + through  # of c'
    d_i, d_f, d_z = dc * z * (i * (1 - i)), dc * cell * (f * (1 - f)), dc * i * (1 - z * z)
    return concatenate(d_i, d_f, d_z, d_o, axis=-1), dc * f


lstm_step.vjp(("gates", "cell"), _lstm_rule)


@op("floating")
def gru_step(x: Array, hidden: Array, state: Array) -> Array:
    """h' = (1 - u) n + u h with r = σ(xᵣ + hᵣ), u = σ(xᵤ + hᵤ), n = tanh(xₙ + r hₙ)

    x = [xᵣ, xᵤ, xₙ] and hidden = [hᵣ, hᵤ, hₙ], the input's and the state's part of the gates, both (..., 3 h);
    state h (..., h) -> (..., h). Reference: Cho et al. 2014. Differs from PyTorch: it has no public one; it is the
    pointwise part of its GRUCell.

    >>> import numpy as np
    >>> gru_step(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 1))).tolist()
    [[0.5]]
    """
    xp, n = namespace(x), state.shape[-1]
    gates = 0.5 * xp.tanh(0.5 * (x[..., : 2 * n] + hidden[..., : 2 * n])) + 0.5
    u = gates[..., n:]
    new = xp.tanh(x[..., 2 * n :] + gates[..., :n] * hidden[..., 2 * n :])
    return new + u * (state - new)


def _gru_rule(g: Array, x: Array, hidden: Array, state: Array) -> tuple[Array, Array, Array]:
    n = state.shape[-1]
    gates = sigmoid(x[..., : 2 * n] + hidden[..., : 2 * n])
    r, u, hn = gates[..., :n], gates[..., n:], hidden[..., 2 * n :]
    new = tanh(x[..., 2 * n :] + r * hn)
    d_new = g * (1 - u) * (1 - new * new)
    d_r, d_u = d_new * hn * (r * (1 - r)), g * (state - new) * (u * (1 - u))
    return concatenate(d_r, d_u, d_new, axis=-1), concatenate(d_r, d_u, d_new * r, axis=-1), g * u


gru_step.vjp(("x", "hidden", "state"), _gru_rule)


def _walk(x: Array, step: Callable[..., Array], *state: Array, reverse: bool) -> Array:
    """Carry the state through the steps of x; return the first part of it after each step, and all of the last."""
    xs = separate(x)
    hs: list[Array] = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        state = step(xs[t], *state)
        hs[t] = state[0]
    return concatenate(*hs, axis=0).reshape((len(hs), *hs[0].shape)), *state


@composite
def rnn_walk(
    x: Array, weight: Array, h: Array, *, nonlinearity: str = "tanh", reverse: bool = False
) -> tuple[Array, Array]:
    """hₜ = f(xₜ + W hₜ₋₁), f = tanh or relu; returns (all hₜ, the last one)

    x (steps, batch, n) with W_ih and the biases in it, weight (n, n), h (batch, n) -> (steps, batch, n) and (batch, n).
    `reverse` walks from the last step to the first. Reference: Elman 1990. Differs from PyTorch: it has no public one;
    it is one layer and direction of its RNN, behind the product with the input.

    >>> import numpy as np
    >>> rnn_walk(np.ones((3, 1, 1)), np.ones((1, 1)), np.zeros((1, 1)), nonlinearity="relu")[0].ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    f, w = NONLINEARITIES[nonlinearity], weight.mT
    y, last = _walk(x, lambda xt, h: (f(xt + bmm(h, w)),), h, reverse=reverse)
    return y, last


@composite
def lstm_walk(x: Array, weight: Array, h: Array, c: Array, *, reverse: bool = False) -> tuple[Array, Array, Array]:
    """hₜ, cₜ = lstm_step(xₜ + W hₜ₋₁, cₜ₋₁); returns (all hₜ, the last h, the last c)

    x (steps, batch, 4 n) with W_ih and the biases in it, weight (4 n, n), h and c (batch, n) -> (steps, batch, n) and
    two of (batch, n). `reverse` walks from the last step to the first. Reference: Hochreiter & Schmidhuber 1997, Gers
    et al. 2000. Differs from PyTorch: it has no public one; it is one layer and direction of its LSTM, behind the
    product with the input.

    >>> import numpy as np
    >>> y, h, c = lstm_walk(np.zeros((2, 1, 4)), np.zeros((4, 1)), np.zeros((1, 1)), np.ones((1, 1)))
    >>> y.round(4).tolist(), c.tolist()
    ([[[0.2311]], [[0.1225]]], [[0.25]])
    """
    w = weight.mT
    y, h_last, c_last = _walk(x, lambda xt, h, c: lstm_step(xt + bmm(h, w), c), h, c, reverse=reverse)
    return y, h_last, c_last


@composite
def gru_walk(
    x: Array, weight: Array, h: Array, bias: Array | None = None, *, reverse: bool = False
) -> tuple[Array, Array]:
    """hₜ = gru_step(xₜ, W hₜ₋₁ + b, hₜ₋₁); returns (all hₜ, the last one)

    x (steps, batch, 3 n) with W_ih and its bias in it, weight (3 n, n), h (batch, n), bias (3 n,) -> (steps, batch, n)
    and (batch, n). `reverse` walks from the last step to the first. Reference: Cho et al. 2014. Differs from PyTorch:
    it has no public one; it is one layer and direction of its GRU, behind the product with the input.

    >>> import numpy as np
    >>> gru_walk(np.zeros((2, 1, 3)), np.zeros((3, 1)), np.ones((1, 1)))[0].tolist()
    [[[0.5]], [[0.25]]]
    """
    w = weight.mT

    def step(xt: Array, h: Array) -> tuple[Array]:
        product = bmm(h, w)
        return (gru_step(xt, product if bias is None else product + bias, h),)

    y, last = _walk(x, step, h, reverse=reverse)
    return y, last
