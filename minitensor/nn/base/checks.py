"""What constructors of layers and optimizers ask of their numbers, in one sentence that names argument and value."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from minitensor.declaration import refuse_tensor

__all__ = ["number", "share", "whole"]


def _owner(of: Any) -> str:
    return of if isinstance(of, str) else type(of).__name__


def whole(layer: Any, least: int | None = 0, **sizes: Any) -> None:
    """Refuse what is no whole number, or is below `least`; several in a tuple are looked at one by one."""
    for name, value in sizes.items():
        for n in value if isinstance(value, (tuple, list)) else (value,):
            try:
                size = operator.index(n)
                fits = not isinstance(n, bool) and (least is None or size >= least)
            except TypeError:
                fits = None
            if not fits:
                error = ValueError if fits is False and not isinstance(n, bool) else TypeError
                bound = "" if least is None else f", {least} or more"
                raise error(f"{_owner(layer)}: {name} is a whole number{bound}; got {value!r}")


def _real(owner: Any, name: str, value: Any) -> float:
    """Return a number, of one entry if it is an array, as a float; NaN for what is none.

    Raises TypeError for a Tensor whose gradient would be lost.
    """
    if getattr(value, "requires_grad", False):
        refuse_tensor(_owner(owner), name, value)
    if isinstance(value, (str, bytes, bool, np.bool_)) or getattr(value, "shape", ()) != ():
        return math.nan
    if getattr(getattr(value, "dtype", None), "kind", "f") not in "fiuV":
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf


def number(layer: Any, least: float = -math.inf, *, above: bool = False, infinite: bool = False, **values: Any) -> None:
    """Refuse what is no finite number, or is below `least` (`above`: or is `least` itself).

    infinite: inf will do too. A Tensor or array without axes is a number; a bool or a text is none.

    >>> number("BatchNorm1d", 0, eps=1e-5)
    >>> number("BatchNorm1d", 0, eps=-1)
    Traceback (most recent call last):
        ...
    ValueError: BatchNorm1d: eps=-1 must be a finite number, 0 or more
    """
    for name, value in values.items():
        x = _real(layer, name, value)
        if not (x > least if above else x >= least) or (math.isinf(x) and not infinite):
            kind = "a number" if infinite else "a finite number"
            bound = "" if math.isinf(least) else f" larger than {least:g}" if above else f", {least:g} or more"
            raise ValueError(f"{_owner(layer)}: {name}={value!r} must be {kind}{bound}")


def share(layer: Any, below: bool = False, **shares: Any) -> None:
    """Refuse what is no number between 0 and 1 (`below`: or is 1)."""
    for name, value in shares.items():
        x = _real(layer, name, value)
        if not (0 <= x < 1 if below else 0 <= x <= 1):
            bound = "a share of at least 0 and below 1" if below else "a share between 0 and 1"
            raise ValueError(f"{_owner(layer)}: {name} is {bound}; got {value!r}")
