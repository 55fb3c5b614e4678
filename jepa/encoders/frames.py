"""An encoder of clips that looks at each frame by itself: what moves is the predictor's affair."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import setting
from jepa.contracts import Grid, Keep
from jepa.encoders.base import WholeEncoder, gather, hide
from jepa.encoders.cnn import CNN, CNNSettings
from jepa.errors import ConfigError


@dataclass(frozen=True)
class FramesSettings(CNNSettings):
    """Of the encoder of frames."""

    places: bool = setting(True)
    """a token for each place of a frame's feature map; false: their mean, one token for each frame"""


class FrameEncoder(WholeEncoder):
    """Clips (c, f, h, w) to tokens of a grid (f, rows, columns): each frame goes through the same small `CNN`.

        token(t, place) = CNN(x[:, t])[place]

    As no frame is looked at together with another, those that are not kept cost nothing, and clips of other lengths
    have longer or shorter grids. With places=False the grid is (f,), a token the mean over a frame. Raises ConfigError
    for examples that are no clips, and for frames so small that nothing is left.

    >>> encoder = FrameEncoder((1, 6, 8, 8), widths=(8, 16))
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 1, 6, 8, 8))).shape
    ((6, 4, 4), (5, 96, 16))
    """

    Settings = FramesSettings

    def __init__(self, shape: tuple[int, ...], settings: FramesSettings | None = None, /, **changes: Any) -> None:
        self.settings = replace(settings or FramesSettings(), **changes)
        if len(shape) != 4:
            raise ConfigError(
                f"encoder=frames takes clips (channels, frames, height, width); an example of the source is {shape}: "
                "take encoder=cnn for images, or another source"
            )
        self.image = CNN((shape[0], *shape[2:]), self.settings)
        self.dim, self.shape, self.grid = self.image.dim, tuple(shape), self.grid_of(shape)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if len(shape) != 4:
            raise ConfigError(f"encoder=frames takes clips (channels, frames, height, width); the source has {shape}")
        frame = self.image.grid_of((shape[0], *shape[2:]))
        return (shape[1], *(frame if self.settings.places else ()))

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens of all places: (n, c, f, h, w) -> (n, f · rows · columns, dim), or (n, f, dim)."""
        n, c, f, *lengths = x.shape
        y = self.image.whole(x.swapaxes(1, 2).reshape(n * f, c, *lengths))  # (n f, places, dim)
        return y.reshape(n, -1, self.dim) if self.settings.places else y.mean(axis=1).reshape(n, f, self.dim)

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
            side = (1, *((self.image.stride,) * len(frame) or x.shape[3:]))
            x = hide(x, (len(seen), *(frame or (1, 1))), Keep(index, keep.valid), side)
        return gather(self.whole(x), index.reshape(n * e, 1, k))
