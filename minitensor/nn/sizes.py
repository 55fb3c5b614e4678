"""What constructors of layers ask of their numbers, in one sentence that names the argument and the value."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["share", "whole"]


def whole(layer: Any, least: int = 0, **sizes: Any) -> None:
    """Refuse a size that is no whole number, or is below `least`; several in a tuple are looked at one by one."""
    for name, value in sizes.items():
        for n in value if isinstance(value, (tuple, list)) else (value,):
            try:
                fits = not isinstance(n, bool) and operator.index(n) >= least
            except TypeError:
                fits = None
            if not fits:
                error = ValueError if fits is False and not isinstance(n, bool) else TypeError
                raise error(f"{type(layer).__name__}: {name} is a whole number, {least} or more; got {value!r}")


def share(layer: Any, **shares: Any) -> None:
    """Refuse what is no number between 0 and 1."""
    for name, value in shares.items():
        try:
            fits = not isinstance(value, str) and 0 <= value <= 1
        except TypeError:
            fits = False
        if not fits:
            raise ValueError(f"{type(layer).__name__}: {name} is a share between 0 and 1; got {value!r}")
