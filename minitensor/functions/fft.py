"""`mt.fft`: discrete Fourier transforms, under `numpy.fft`'s names; see `minitensor.functions` on where they stand."""

from minitensor.functions import frequencies
from minitensor.functions.names import named

_found = named("fft", frequencies)
globals().update(_found)
__all__ = list(_found)
