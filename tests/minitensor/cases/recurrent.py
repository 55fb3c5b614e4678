"""Cases: recurrent steps, and walks along them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops.nn import recurrent
from tests.minitensor.cases.case import case, normal, positive


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _lstm(gates: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, f, z, o = np.split(gates, 4, axis=-1)
    c = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(z)
    return _sigmoid(o) * np.tanh(c), c


def _gru(x: np.ndarray, hidden: np.ndarray, state: np.ndarray) -> np.ndarray:
    (xr, xu, xn), (hr, hu, hn) = np.split(x, 3, axis=-1), np.split(hidden, 3, axis=-1)
    u = _sigmoid(xu + hu)
    return np.asarray((1 - u) * np.tanh(xn + _sigmoid(xr + hr) * hn) + u * state)


def _along(step: Callable[..., tuple[np.ndarray, ...]], reverse: bool = False) -> Callable[..., tuple[np.ndarray, ...]]:
    """Return the reference of a walk: step(x of one step, product with the state, its parts)."""

    def walk(x: np.ndarray, weight: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, ...]:
        hs = []
        for v in x[::-1] if reverse else x:
            state = step(v, state[0] @ weight.T, *state)
            hs.append(state[0])
        return np.stack(hs[::-1] if reverse else hs), *state

    return walk


def _lstm_walk(reverse: bool = False) -> Callable[..., tuple[np.ndarray, ...]]:
    return _along(lambda x, product, h, c: _lstm(x + product, c), reverse)


def _gru_walk(reverse: bool = False) -> Callable[..., tuple[np.ndarray, ...]]:
    def walk(x: np.ndarray, weight: np.ndarray, h: np.ndarray, bias: Any = 0.0) -> tuple[np.ndarray, ...]:
        return _along(lambda x, product, h: (_gru(x, product + bias, h),), reverse)(x, weight, h)

    return walk


def _separate(x: np.ndarray, axis: int = 0) -> tuple[np.ndarray, ...]:
    return tuple(np.moveaxis(x, axis, 0))


for lead in ((2,), (), (0,), (2, 1)):
    case(recurrent.lstm_step, normal(*lead, 12), normal(*lead, 3), ref=_lstm)
    case(recurrent.gru_step, normal(*lead, 9), normal(*lead, 9), normal(*lead, 3), ref=_gru)
case(recurrent.lstm_step, 300 * np.sign(normal(3, 8)), normal(3, 2), ref=_lstm, smooth=False, note="large")
case(recurrent.separate, normal(3, 2), ref=_separate)
case(recurrent.separate, normal(1), ref=_separate)
case(recurrent.separate, normal(2, 3, 2), axis=-2, ref=lambda x: _separate(x, 1), note="axis")
case(recurrent.separate, normal(2, 0), ref=_separate, note="empty")

for way in (False, True):
    note = "backwards" if way else ""
    h_, c_ = normal(2, 2), normal(2, 2)
    case(recurrent.lstm_walk, normal(3, 2, 8), normal(8, 2), h_, c_, reverse=way, ref=_lstm_walk(way), note=note)
    case(recurrent.gru_walk, normal(3, 2, 6), normal(6, 2), h_, normal(6), reverse=way, ref=_gru_walk(way), note=note)
    case(recurrent.rnn_walk, normal(3, 2, 2), normal(2, 2), h_, reverse=way, note=note,
         ref=_along(lambda x, product, h: (np.tanh(x + product),), way))  # fmt: skip
x_, sign = positive(3, 1, 2) * [-1, 1], np.diag([-1.0, 1.0]) * positive(2, 2)  # one unit stays at 0, one grows
case(recurrent.rnn_walk, x_, sign, positive(1, 2) * [-1, 1], nonlinearity="relu", note="relu",
     ref=_along(lambda x, product, h: (np.maximum(x + product, 0),)))  # fmt: skip
case(recurrent.gru_walk, normal(2, 2, 3), normal(3, 1), normal(2, 1), ref=_gru_walk(), note="no-bias")
case(recurrent.lstm_walk, normal(1, 1, 4), normal(4, 1), normal(1, 1), normal(1, 1), ref=_lstm_walk(), note="one step")
case(recurrent.lstm_walk, normal(2, 0, 4), normal(4, 1), normal(0, 1), normal(0, 1), ref=_lstm_walk(), note="no batch")
