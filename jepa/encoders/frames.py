"""Encoders of clips that look at each frame by itself: what moves is the predictor's affair."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

import minitensor as mt
from jepa.config.settings import setting
from jepa.contracts import Grid, Keep
from jepa.encoders.base import WholeEncoder, gather, hide
from jepa.encoders.cnn import CNN, CNNSettings
from jepa.errors import ConfigError
from jepa.parts import chosen


class Framewise(WholeEncoder):
    """Base of the encoders of clips that encode each frame by itself: a subclass defines `frame` and `places_of`.

        token(t, place) = frame(x[:, t])[place]

    As no frame is looked at together with another, those that are not kept cost nothing, and clips of other lengths
    have longer or shorter grids.
    """

    framewise = True
    rank: ClassVar[int] = 3
    """axes of a frame, that of channels among them"""
    frames: ClassVar[str] = "clips (channels, frames, height, width)"
    """what it takes, in words"""

    def frame(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens of frames: (m, c, ...) -> (m, places, dim)."""
        raise NotImplementedError

    def places_of(self, shape: tuple[int, ...]) -> Grid:
        """Return the places of a frame (c, ...) along its axes; (): it is one place."""
        raise NotImplementedError

    def frame_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a frame of clips (c, f, ...); raise ConfigError for examples that are no clips."""
        if len(shape) != self.rank + 1:
            raise ConfigError(
                f"encoder={chosen('encoder', self).kind} takes {self.frames}; an example of the source is {shape}: "
                "take encoder=cnn for images, states for trajectories of numbers, or another source"
            )
        return (shape[0], *shape[2:])

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        frame = self.frame_of(shape)
        return (shape[1], *self.places_of(frame))

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens of all places: (n, c, f, ...) -> (n, f · places, dim)."""
        n, c, f, *lengths = x.shape
        y: mt.Tensor = self.frame(x.swapaxes(1, 2).reshape(n * f, c, *lengths)).reshape(n, -1, self.dim)
        return y

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        """Return the tokens of the places that are kept; frames without any are not looked at."""
        if keep is None:
            return self.whole(x)
        _, *frame = self.grid_of(x.shape[1:])
        places = math.prod(frame)  # of a frame
        seen = np.unique(keep.index // places)
        index = np.searchsorted(seen, keep.index // places) * places + keep.index % places
        x = mt.index_select(x, 2, mt.Tensor(seen, device=x.device))
        n, e, k = index.shape
        if e > 1 or k < len(seen) * places or keep.valid is not None:
            side = (1, *(x.shape[3:] if self.stride is None or not frame else (self.stride,) * len(frame)))
            x = hide(x, (len(seen), *(frame or (1,) * (x.ndim - 3))), Keep(index, keep.valid), side)
        return gather(self.whole(x), index.reshape(n * e, 1, k))


@dataclass(frozen=True)
class FramesSettings(CNNSettings):
    """Of the encoder of frames."""

    places: bool = setting(True)
    """a token for each place of a frame's feature map; false: their mean, one token for each frame"""


class FrameEncoder(Framewise):
    """Clips (c, f, h, w) to tokens of a grid (f, rows, columns): each frame goes through the same small `CNN`.

        token(t, place) = CNN(x[:, t])[place]

    With places=False the grid is (f,), a token the mean over a frame. Raises ConfigError for examples that are no
    clips, and for frames so small that nothing is left.

    >>> encoder = FrameEncoder((1, 6, 8, 8), widths=(8, 16))
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 1, 6, 8, 8))).shape
    ((6, 4, 4), (5, 96, 16))
    """

    Settings = FramesSettings

    def __init__(self, shape: tuple[int, ...], settings: FramesSettings | None = None, /, **changes: Any) -> None:
        self.settings = replace(settings or FramesSettings(), **changes)
        self.image = CNN(self.frame_of(shape), self.settings)
        self.dim, self.shape, self.grid = self.image.dim, tuple(shape), self.grid_of(shape)

    @property
    def stride(self) -> int:  # type: ignore[override]
        """Pixels from one place of a frame to the next."""
        return self.image.stride

    def places_of(self, shape: tuple[int, ...]) -> Grid:
        places = self.image.grid_of(shape)
        return places if self.settings.places else ()

    def frame(self, x: mt.Tensor) -> mt.Tensor:
        y = self.image.whole(x)  # (m, places, dim)
        return y if self.settings.places else y.mean(axis=1, keepdims=True)
