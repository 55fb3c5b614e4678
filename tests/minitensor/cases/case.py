"""One row of the table: a call of an op, with arguments, settings and a NumPy reference.

Arguments keep away from kinks and ties by more than the step of the gradient check; what happens *at* them is a
convention, tested by name in test_ops.py.
"""

from __future__ import annotations

import functools
import math
import sys
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """One call of an op."""

    op: Any
    args: tuple[Any, ...]
    settings: dict[str, Any]
    reference: Callable[..., Any]  # of the NumPy arguments; the settings are written out in it
    smooth: bool = True  # there is a gradient to check
    note: str = ""

    @property
    def id(self) -> str:
        shapes = "x".join(str(getattr(a, "shape", a)).replace(" ", "") for a in self.args)
        return f"{self.op.name}-{self.note or shapes}"


CASES: list[Case] = []


@functools.cache
def _generator(module: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(module.encode()))


def _rng() -> np.random.Generator:
    """Return the generator of the module that draws: a row added to another one changes nothing here."""
    return _generator(sys._getframe(2).f_globals["__name__"])


def case(op: Any, *args: Any, ref: Callable[..., Any], smooth: bool = True, note: str = "", **settings: Any) -> None:
    CASES.append(Case(op, args, settings, ref, smooth, note))


def normal(*shape: int) -> np.ndarray:
    return np.asarray(_rng().standard_normal(shape))


def positive(*shape: int) -> np.ndarray:
    return _rng().uniform(0.5, 2.0, shape)


def distinct(*shape: int) -> np.ndarray:
    """No two entries, and no entry and 0, nearer than 0.05: no ties and no kinks."""
    n = math.prod(shape)
    return np.asarray((_rng().permutation(n) - n // 2 + 0.5).reshape(shape) * 0.11)
