"""Two scales at once: a convolutional network looks at what is near, a transformer at all of the example; both fuse."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, between, setting
from jepa.contracts import Grid
from jepa.encoders.base import WholeEncoder
from jepa.encoders.block import CONVOLUTIONS
from jepa.encoders.vit import PatchSettings, ViT

NORMS = mt.nn.BatchNorm1d, mt.nn.BatchNorm2d, mt.nn.BatchNorm3d


@dataclass(frozen=True)
class MultiScaleSettings(PatchSettings):
    """Of the encoder of two scales: those of the transformer, and of the convolutions beside it."""

    width: int = setting(64, WIDTH)
    """channels of the convolutions"""
    kernel: int = setting(3, between(1, 255))
    """entries that a convolution looks at along each axis"""
    local: int = setting(2, between(1, 64))
    """convolutions at full length, before the last one cuts into patches"""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.kernel % 2 == 0:
            yield f"kernel={self.kernel}: must be odd, so that a convolution keeps the length"
        if self.class_token:
            yield "class_token=true: there is no token without a place in two scales; leave it and registers out"


class MultiScale(WholeEncoder):
    """Examples to one token per patch: y = W [local; global] + b, side by side at each place.

    global: the tokens of a vision transformer, each of which has looked at all others. local: convolutions at full
    length, each with batch norm and ReLU, then one with stride = kernel = patch: what is in the patch and around it, in
    detail. Series, images and clips, as for `ViT`.

    >>> encoder = MultiScale((3, 8, 8), patch=4, dim=16, depth=1, heads=2, width=8)
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 3, 8, 8))).shape
    ((2, 2), (5, 4, 16))
    """

    Settings = MultiScaleSettings

    def __init__(self, shape: tuple[int, ...], settings: MultiScaleSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or MultiScaleSettings(), **changes)
        names = ("patch", "dim", "depth", "heads", "mlp_ratio", "positions")
        self.all = ViT(shape, **{name: getattr(s, name) for name in names})
        self.shape, self.dim, self.grid = tuple(shape), s.dim, self.all.grid
        self.near = mt.nn.Sequential(*self._convolutions(shape[0], self.all.patch))
        self.fuse = mt.nn.Linear(2 * s.dim, s.dim)

    def _convolutions(self, inputs: int, patch: tuple[int, ...]) -> Iterator[mt.nn.Layer]:
        s, rank = self.settings, len(patch) - 1
        for _ in range(s.local):
            yield CONVOLUTIONS[rank](inputs, s.width, s.kernel, padding=s.kernel // 2, bias=False)
            yield NORMS[rank](s.width)
            yield mt.nn.ReLU()
            inputs = s.width
        yield CONVOLUTIONS[rank](inputs, s.dim, patch, stride=patch)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        return self.all.grid_of(shape)

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the fused tokens of all places: (n, c, *lengths) -> (n, N, dim)."""
        near = self.near(x)
        near = near.reshape(*near.shape[:2], -1).swapaxes(1, 2)
        y: mt.Tensor = self.fuse(mt.concatenate([near, self.all.tokens(x)], axis=-1))
        return y

    def attention_maps(self, x: mt.Tensor) -> list[mt.Tensor]:
        return self.all.attention_maps(x)
