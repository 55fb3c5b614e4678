"""Functions that read and write at places, under NumPy's names. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops import index as ix

__all__ = [
    "one_hot", "take", "take_along_axis",
]  # fmt: skip

one_hot = public(ix.one_hot)
take = public(ix.take)
take_along_axis = public(ix.take_along_axis)
