"""A recurrent predictor: it reads the context token by token, and is then unrolled over what is asked, in order."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.encoders.positions import position_parameter
from jepa.predictors.base import Predictor, at, kept
from jepa.predictors.geometry import FREQUENCIES, encode_geometry
from jepa.tasks.forecast import Future as Steps
from jepa.tasks.future import Ahead
from jepa.tasks.masked import Places


@dataclass(frozen=True)
class RecurrentSettings(Settings):
    """Of the recurrent predictor."""

    width: int = setting(128, WIDTH)
    """numbers in its state; even"""
    depth: int = setting(1, DEPTH)
    """layers of the network that reads, and of the one that is unrolled"""

    def problems(self) -> Any:
        if self.width % 2 or self.width < 8:
            yield f"width={self.width}: must be even and at least 8, as the code of a place is sines and cosines"


class Recurrent(Predictor):
    """An encoder and a decoder of sequences (Cho et al. 2014), both gated recurrent units.

        h = read(c_1 + p_1, ..., c_K + p_K);   (h_1, ..., h_k) = unroll(q_1, ..., q_k | h);   ŝ_j = W h_j + b

    c are the context's tokens in the order of their places, p and q the codes of their places and of those asked for;
    in `future` there is one token, and q tells how far ahead a part lies. Each step goes on from the state of the step
    before: what is far is predicted by way of what is near. Target blocks are each unrolled from the state behind the
    context, the steps of a `forecast` are one walk.

    Shapes: tokens (n e, K, dim), asked.index (n, S, k) -> S of (n e, k, dim); asked.places (n, v, 4) -> (n, v, dim).

    >>> predictor = Recurrent(16, (8,), width=8)
    >>> asked = Places(np.array([[[5, 6, 7]]]))
    >>> [y.shape for y in predictor(mt.ones((1, 3, 16)), None, Keep(np.array([[[0, 1, 2]]])), asked)]
    [(1, 3, 16)]
    """

    Settings = RecurrentSettings
    answers = (Places, Ahead)

    def __init__(self, dim: int, grid: Grid, settings: RecurrentSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or RecurrentSettings(), **changes)
        self.embed = mt.nn.Linear(dim, s.width)
        self.positions = position_parameter("sincos", self.grid, s.width, "predictor")
        self.ahead = mt.nn.Linear(4 + 8 * FREQUENCIES, s.width)
        self.read = mt.nn.GRU(s.width, s.width, s.depth, batch_first=True)
        self.unroll = mt.nn.GRU(s.width, s.width, s.depth, batch_first=True)
        self.proj = mt.nn.Linear(s.width, dim)

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Any) -> list[mt.Tensor]:
        if not isinstance(asked, Places):
            told = self.ahead(encode_geometry(mt.Tensor(asked.places, device=tokens.device)))  # (n, v, width)
            return [self._unrolled(told, self._last(self.embed(tokens), None))]
        state = self._last(self.embed(tokens) + at(self.positions, kept(keep, self.positions.shape[1])), valid)
        n, sets, _ = asked.index.shape
        if isinstance(asked, Steps):
            return list(mt.split(self._places(asked.index.reshape(n, -1), state), sets, axis=1))
        return [self._places(asked.index[:, s], state) for s in range(sets)]

    def _places(self, index: Index, state: mt.Tensor) -> mt.Tensor:
        """Return what is predicted at places, one after the other: (n, k), a state of n e rows -> (n e, k, dim)."""
        (n, k), rows, width = index.shape, state.shape[1], self.settings.width
        q = at(self.positions, index)[:, None]  # (n, 1, k, width)
        return self._unrolled(mt.broadcast_to(q, (n, rows // n, k, width)).reshape(rows, k, width), state)

    def _last(self, c: mt.Tensor, valid: Flags | None) -> mt.Tensor:
        """Return the state behind the last token that is no padding, of each layer: (depth, rows, width)."""
        if valid is None:
            state: mt.Tensor = self.read(c)[1]
            return state
        last = np.maximum(valid.sum(axis=1), 1)
        state = self.read(c, lengths=last)[1]
        return state

    def _unrolled(self, q: mt.Tensor, state: mt.Tensor) -> mt.Tensor:
        y: mt.Tensor = self.proj(self.unroll(q, state)[0])
        return y
