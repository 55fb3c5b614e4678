"""The engine's own error classes: each text says what was asked, what arrived and what to do."""

from __future__ import annotations

__all__ = [
    "AnomalyError",
    "DamagedFileError",
    "DeviceError",
    "GradientError",
    "HistoryError",
    "InPlaceError",
    "MinitensorError",
    "ParallelError",
    "StateDictError",
]


class MinitensorError(Exception):
    """Base of the engine's own errors."""


class GradientError(MinitensorError, RuntimeError):
    """A gradient was asked for that does not exist, or a rule returned one of the wrong shape."""


class HistoryError(GradientError, TypeError, BufferError):
    """A Tensor that requires grad was about to leave the graph without a word: to NumPy, to DLPack, into a list."""


class AnomalyError(MinitensorError, ArithmeticError):
    """A NaN was made, under `detect_anomaly`."""


class InPlaceError(MinitensorError, RuntimeError):
    """An array was changed in place where the graph still needs it as it was."""


class DeviceError(MinitensorError, TypeError):
    """Operands on different devices, or a device that is not there."""


class StateDictError(MinitensorError, ValueError):
    """A saved state that does not fit the layer or optimizer that it is loaded into."""


class ParallelError(MinitensorError, RuntimeError):
    """The parts of a batch, in `data_parallel`, do not do the same where they have to know of each other."""


class DamagedFileError(MinitensorError, ValueError):
    """A file of tensors that cannot be read: cut short, changed, or of another kind."""
