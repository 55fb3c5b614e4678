# Written by `python -m minitensor.functions`: the public names of ops, for mypy and editors.

from typing import Any

from minitensor.functions.frequencies import *
from minitensor.functions.operands import public, several
from minitensor.ops.fft import several_axes as _several_axes
from minitensor.ops.fft import transform as _transform

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "ifft", "ifft2", "ifftn", "ifftshift", "irfft", "irfft2", "irfftn",
    "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

fft = public(_transform.fft)
fft2 = public(_several_axes.fft2)
fftn = public(_several_axes.fftn)
fftshift = public(_several_axes.fftshift)
ifft = public(_transform.ifft)
ifft2 = public(_several_axes.ifft2)
ifftn = public(_several_axes.ifftn)
ifftshift = public(_several_axes.ifftshift)
irfft = public(_transform.irfft)
irfft2 = public(_several_axes.irfft2)
irfftn = public(_several_axes.irfftn)
rfft = public(_transform.rfft)
rfft2 = public(_several_axes.rfft2)
rfftn = public(_several_axes.rfftn)
