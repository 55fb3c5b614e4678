"""Recurrent cells: one step of time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.graph import describe
from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.ops.nn.recurrent import NONLINEARITIES, gru_step, lstm_step
from minitensor.tensor import Tensor

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Layer):
    """What the cells share: two affine maps, of the input and of the state, that start uniform on ±1/√hidden_size."""

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool, generator: np.random.Generator | None) -> None:
        whole(self, input_size=input_size)
        whole(self, 1, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size

        def draw(*shape: int) -> Parameter:
            return Parameter(initial.uniform(shape, 1 / math.sqrt(hidden_size), generator))

        self.weight_ih: Parameter = draw(rows, input_size)
        self.weight_hh: Parameter = draw(rows, hidden_size)
        self.bias_ih: Parameter | None = draw(rows) if bias else None
        self.bias_hh: Parameter | None = draw(rows) if bias else None

    def _checked(self, x: Tensor, *states: Tensor | None) -> list[Tensor]:
        """Return the input and the states, zeros where None was passed."""
        name = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size or x.dtype.kind not in "fV":
            raise ValueError(
                f"{name} takes floats (batch, {self.input_size}) or ({self.input_size},); got {describe(x)}"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        for state in states:
            if state is not None and state.shape != shape:
                raise ValueError(f"{name}: the state of an input {x.shape} has shape {shape}; got {describe(state)}")
        zeros = Tensor(np.zeros(shape), dtype=self.weight_hh.dtype, device=self.weight_hh.device)
        return [x, *(zeros if state is None else state for state in states)]

    def extra_repr(self) -> str:
        """Return input -> state."""
        return f"{self.input_size} -> {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or relu (`nonlinearity`).

    Shapes: x (batch, input_size) or (input_size,), h (batch, hidden_size) or (hidden_size,), 0 if None -> h'. weight_ih
    (hidden_size, input_size), weight_hh (hidden_size, hidden_size), bias_ih and bias_hh (hidden_size,) start uniform on
    ±1/√hidden_size. Raises ValueError for shapes that do not fit. Reference: Elman 1990.

    >>> RNNCell(3, 4)(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNNCell: nonlinearity is 'tanh' or 'relu'; got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, bias, generator)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        x, h = self._checked(input, hx)
        y = F.linear(x, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
        return NONLINEARITIES[self.nonlinearity](y)


class LSTMCell(_Cell):
    """c' = σ(f) c + σ(i) tanh(z), h' = σ(o) tanh(c'), with [i, f, z, o] = W_ih x + b_ih + W_hh h + b_hh.

    Shapes: x (batch, input_size), h and c (batch, hidden_size), 0 if None -> (h', c'); also without the batch.
    weight_ih (4 hidden_size, input_size), weight_hh (4 hidden_size, hidden_size), bias_ih and bias_hh start uniform on
    ±1/√hidden_size. Raises ValueError for shapes that do not fit. Reference: Hochreiter & Schmidhuber 1997, Gers et
    al. 2000.

    >>> [y.shape for y in LSTMCell(3, 4)(Tensor([[1.0, 2.0, 3.0]]))]
    [(1, 4), (1, 4)]
    """

    gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, generator)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next (h, c)."""
        states: Any = (None, None) if hx is None else hx
        if not isinstance(states, (tuple, list)) or len(states) != 2:
            raise ValueError(f"LSTMCell: hx is (h, c); got {describe(hx)}")
        x, h, c = self._checked(input, *states)
        gates = F.linear(x, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
        h, c = lstm_step(gates, c)
        return h, c


class GRUCell(_Cell):
    """h' = (1 - u) n + u h with r = σ(xᵣ + hᵣ), u = σ(xᵤ + hᵤ), n = tanh(xₙ + r hₙ).

    [xᵣ, xᵤ, xₙ] = W_ih x + b_ih and [hᵣ, hᵤ, hₙ] = W_hh h + b_hh. Shapes: x (batch, input_size), h (batch,
    hidden_size), 0 if None -> h'; also without the batch. weight_ih (3 hidden_size, input_size), weight_hh
    (3 hidden_size, hidden_size), bias_ih and bias_hh start uniform on ±1/√hidden_size. Raises ValueError for shapes
    that do not fit. Reference: Cho et al. 2014.

    >>> GRUCell(3, 4)(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 4)
    """

    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, generator)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        x, h = self._checked(input, hx)
        return gru_step(F.linear(x, self.weight_ih, self.bias_ih), F.linear(h, self.weight_hh, self.bias_hh), h)
