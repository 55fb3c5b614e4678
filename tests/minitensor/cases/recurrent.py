"""Cases: recurrent steps."""

from __future__ import annotations

import numpy as np

from minitensor.ops import recurrent
from tests.minitensor.cases.case import case, normal


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
