"""Functions of images, with PyTorch's names, argument order and defaults. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops.windows import grid_sample as grids
from minitensor.ops.windows import interpolation as resampling
from minitensor.ops.windows import shuffle

__all__ = [
    "affine_grid", "channel_shuffle", "grid_sample", "interpolate", "pixel_shuffle", "pixel_unshuffle",
]  # fmt: skip

affine_grid = public(grids.affine_grid)
channel_shuffle = public(shuffle.channel_shuffle)
grid_sample = public(grids.grid_sample)
interpolate = public(resampling.interpolate)
pixel_shuffle = public(shuffle.pixel_shuffle)
pixel_unshuffle = public(shuffle.pixel_unshuffle)
