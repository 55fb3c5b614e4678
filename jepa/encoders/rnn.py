"""A recurrent network of series: patch after patch, each token knows all that came before it."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import DEPTH, Settings, between, setting
from jepa.contracts import Grid
from jepa.encoders.base import WholeEncoder, gather
from jepa.errors import ConfigError

CELLS = {"gru": mt.nn.GRU, "lstm": mt.nn.LSTM, "rnn": mt.nn.RNN}


@dataclass(frozen=True)
class RNNSettings(Settings):
    """Of the recurrent network."""

    cell: Literal["gru", "lstm", "rnn"] = setting("gru")
    """gated (Cho et al. 2014), long short-term memory (Hochreiter & Schmidhuber 1997), or plain"""
    patch: int = setting(1, between(1, 65_536))
    """samples of a step; divide the length"""
    dim: int = setting(64, between(2, 16_384))
    """numbers in a token: the hidden state, of both directions together"""
    depth: int = setting(1, DEPTH)
    """layers"""
    both: bool = setting(False)
    """read the series from both ends: each token knows all of it"""

    def problems(self) -> Any:
        if self.both and self.dim % 2:
            yield f"dim={self.dim}: must be even with both=true, a half for each direction"


class RNN(WholeEncoder):
    """Series (c, t) to t / patch tokens: the hidden states of the last layer, step by step.

    A place that is not kept, or missing, is a step of zeros. pools: "mean" and "max" of all states, and "last", the
    state after the last step that is there. Raises ConfigError for examples that are no series, and for a patch that
    does not divide the length.

    >>> encoder = RNN((2, 40), patch=4, dim=8)
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 2, 40))).shape, encoder.pooled(mt.zeros((5, 2, 40)), "last").shape
    ((10,), (5, 10, 8), (5, 8))
    """

    Settings = RNNSettings
    pools = ("mean", "max", "last")
    gaps = True

    def __init__(self, shape: tuple[int, ...], settings: RNNSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or RNNSettings(), **changes)
        self.shape, self.dim, self.stride = tuple(shape), s.dim, s.patch
        self.grid = self.grid_of(shape)
        hidden = s.dim // 2 if s.both else s.dim
        self.walk = CELLS[s.cell](shape[0] * s.patch, hidden, s.depth, batch_first=True, bidirectional=s.both)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if len(shape) != 2:
            raise ConfigError(
                f"encoder=rnn takes series (channels, length); the source's examples are {shape}: see vit, mlp, or "
                "take another source"
            )
        if shape[1] % self.settings.patch:
            raise ConfigError(
                f"encoder.patch={self.settings.patch} must divide an example's length {shape[1]}: take another patch, "
                "or another source.length"
            )
        return (shape[1] // self.settings.patch,)

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the states after all steps: (n, c, t) -> (n, N, dim)."""
        n, channels, length = x.shape
        steps = x.reshape(n, channels, -1, self.settings.patch).transpose(0, 2, 1, 3)  # (n, N, c, patch)
        y: mt.Tensor = self.walk(steps.reshape(n, length // self.settings.patch, -1))[0]
        return y

    def pooled(self, x: mt.Tensor, pool: str = "mean") -> mt.Tensor:
        if pool != "last":
            return super().pooled(x, pool)
        tokens, there = self.tokens(x), self.there(x)
        if there is None:
            return tokens[:, -1]
        last = there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
        return gather(tokens, last[:, None, None])[:, 0]
