"""`autocast`: matrix products in half precision on a GPU, everything that loses by it in float32."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import is_half, namespace
from minitensor.graph import Variable, state
from minitensor.modes import switch

__all__ = ["autocast", "cast"]

_told = False


def autocast(dtype: DTypeLike = "float16") -> Any:
    """Context or decorator in which float32 operands of matrix products are cast to a half precision, on a GPU.

    dtype: "float16" (with `optim.GradScaler`: small gradients underflow in it) or "bfloat16" (needs ml_dtypes). Sums,
    exponentials, norms and losses are computed in float32; all else in what its operands are. Weights stay float32,
    and get float32 gradients. Backward needs no context of its own.
    On the CPU, where half precision is only storage, nothing is cast, and a warning says so once.
    Differs from PyTorch (torch.autocast): no device argument, no cache of cast weights.

    >>> import minitensor as mt
    >>> with mt.autocast("float16"):
    ...     mt.is_recording()
    True
    """
    chosen = _dtype(dtype)
    if not is_half(chosen):
        raise TypeError(f"autocast takes a half precision, float16 or bfloat16; got {dtype!r}")
    return switch(autocast=chosen)


def _dtype(name: DTypeLike) -> np.dtype:
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    return np.dtype(name)


def cast(to: str | None, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the operands of an op in the precision that it says: recorded casts, so that gradients are float32."""
    if to is None:
        return args
    wanted = state.autocast if to == "half" else np.dtype(np.float32)
    chosen = [isinstance(a, Variable) and _to_cast(a, wanted) for a in args]
    return tuple([a.astype(wanted) if c else a for a, c in zip(args, chosen, strict=True)])


def _to_cast(a: Variable, wanted: np.dtype) -> bool:
    """Whether to cast an operand: float32 if a half is wanted, a half if float32 is, and never on the CPU."""
    global _told
    if not (a.dtype == np.float32 if is_half(wanted) else is_half(a.dtype)):
        return False
    if namespace(a.data) is not np:
        return True
    if not _told:
        _told = True
        warnings.warn("autocast: on the CPU half precision is only storage, so it computes in float32", stacklevel=6)
    return False
