"""Recurrent layers. How they walk along time stands in `recurrence.py`, single steps in `cells.py`."""

from __future__ import annotations

import numpy as np

from minitensor.nn.sequences.recurrent_base import Recurrence, State
from minitensor.ops.nn.recurrent import NONLINEARITIES, gru_step, gru_walk, lstm_step, lstm_walk, rnn_walk
from minitensor.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN"]


class RNN(Recurrence):
    """hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), f = tanh or relu (`nonlinearity`), in num_layers layers.

    Layer k > 0 takes the outputs of layer k - 1, with `dropout` of them in training; bidirectional ones also walk from
    the end, and both states stand beside each other. Shapes, with H = hidden_size and D directions: x
    (steps, batch, input_size) and hx (layers · D, batch, H), 0 if None -> outputs (steps, batch, D H) and the last
    states, shaped as hx; with batch_first x and outputs are (batch, steps, ...); also without a batch. x may be a
    PackedSequence, and the outputs then are. `lengths=` (batch,) gives a padded x the same numbers. Parameters:
    weight_ih_l0 (H, input_size), weight_hh_l0 (H, H), bias_ih_l0, bias_hh_l0, ..._l1, ..._l0_reverse, all uniform on
    ±1/√H. Raises ValueError for shapes and lengths that do not fit. Reference: Elman 1990. Differs from PyTorch:
    `lengths=`; no warning for dropout with one layer; the random numbers.

    >>> y, h = RNN(3, 4)(Tensor([[[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]]]))
    >>> y.shape, h.shape
    ((2, 1, 4), (1, 1, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNN: nonlinearity is 'tanh' or 'relu'; got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, generator)

    def _step(self, x: Tensor, hidden: Tensor, state: State) -> State:
        return (NONLINEARITIES[self.nonlinearity](x + hidden),)

    def _whole(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state: State, reverse: bool
    ) -> tuple[Tensor, *State]:
        y, h = rnn_walk(x, weight, *state, nonlinearity=self.nonlinearity, reverse=reverse)
        return y, h


class LSTM(Recurrence):
    """cₜ = σ(f) cₜ₋₁ + σ(i) tanh(z), hₜ = σ(o) tanh(cₜ), with [i, f, z, o] = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh.

    Layers, dropout, directions, shapes, packing and `lengths=` as in RNN; hx and the last states are pairs (h, c).
    With proj_size hₜ = W_hr σ(o) tanh(cₜ), of that size. Parameters: weight_ih_l0 (4 H, input_size), weight_hh_l0
    (4 H, H), bias_ih_l0, bias_hh_l0 (4 H,), weight_hr_l0 (proj_size, H), ..._l1, ..._l0_reverse, all uniform on ±1/√H.
    Raises ValueError for shapes and lengths that do not fit. Reference: Hochreiter & Schmidhuber 1997, Gers et al.
    2000; proj_size: Sak et al. 2014. Differs from PyTorch: `lengths=`; no warning for dropout with one layer; the
    random numbers.

    >>> y, (h, c) = LSTM(3, 4)(Tensor([[[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]]]))
    >>> y.shape, h.shape, c.shape
    ((2, 1, 4), (1, 1, 4), (1, 1, 4))
    """

    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, generator
        )

    def _step(self, x: Tensor, hidden: Tensor, state: State) -> State:
        h, c = lstm_step(x + hidden, state[1])
        return h, c

    def _whole(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state: State, reverse: bool
    ) -> tuple[Tensor, *State]:
        y, h, c = lstm_walk(x, weight, *state, reverse=reverse)
        return y, h, c


class GRU(Recurrence):
    """hₜ = (1 - u) n + u hₜ₋₁ with r = σ(xᵣ + hᵣ), u = σ(xᵤ + hᵤ), n = tanh(xₙ + r hₙ).

    [xᵣ, xᵤ, xₙ] = W_ih xₜ + b_ih and [hᵣ, hᵤ, hₙ] = W_hh hₜ₋₁ + b_hh. Layers, dropout, directions, shapes, packing
    and `lengths=` as in RNN. Parameters: weight_ih_l0 (3 H, input_size), weight_hh_l0 (3 H, H), bias_ih_l0, bias_hh_l0
    (3 H,), ..._l1, ..._l0_reverse, all uniform on ±1/√H. Raises ValueError for shapes and lengths that do not fit.
    Reference: Cho et al. 2014. Differs from PyTorch: `lengths=`; no warning for dropout with one layer; the random
    numbers.

    >>> y, h = GRU(3, 4, bidirectional=True)(Tensor([[[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]]]))
    >>> y.shape, h.shape
    ((2, 1, 8), (2, 1, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, generator)

    def _step(self, x: Tensor, hidden: Tensor, state: State) -> State:
        return (gru_step(x, hidden, state[0]),)

    def _whole(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state: State, reverse: bool
    ) -> tuple[Tensor, *State]:
        y, h = gru_walk(x, weight, state[0], bias, reverse=reverse)
        return y, h
