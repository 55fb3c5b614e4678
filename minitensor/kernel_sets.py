"""Which hand-written kernels run on the CPU: those compiled by Numba, or those of NumPy alone.

One choice for the whole process, so that all parts of a batch compute the same way. A call asks for kernels by kind:
the compiled ones first if they are chosen, then NumPy's, then the plain Python of the op or composite.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

__all__ = ["get_kernels", "kinds", "set_kernels"]

SETS = {"compiled": ("compiled", "cpu"), "numpy": ("cpu",)}  # the kinds of kernels in each, first choice first
VARIABLE = "MINITENSOR_KERNELS"


def _check(name: str, asked: str) -> str:
    """Return the name of a set that can run here."""
    if name not in SETS:
        raise ValueError(f"{asked} is one of {', '.join(SETS)}; got {name!r}")
    if name == "compiled" and find_spec("numba") is None:
        raise ImportError(
            f"{asked} 'compiled' needs Numba, which is not installed: pip install 'minitensor-jepa[fast]'"
        )
    return name


def _start() -> str:
    """Return the set to begin with: what the environment says, or compiled kernels where Numba is installed."""
    asked = os.environ.get(VARIABLE)
    if asked:
        return _check(asked, f"the environment variable {VARIABLE}")
    return "numpy" if find_spec("numba") is None else "compiled"


_chosen = _start()


def set_kernels(name: str) -> None:
    """Choose the kernels of the CPU, for the whole process: "compiled" by Numba, or those of "numpy" alone.

    By default "compiled" if Numba is installed; the environment variable MINITENSOR_KERNELS says otherwise. For a seed
    and a number of threads either gives the same bits each time; between the two, results differ by rounding. A kernel
    that is not there, or does not take the operands, leaves the call to the next: compiled, NumPy's, plain Python.
    Raises ValueError for another name, ImportError for "compiled" without Numba.
    Differs from PyTorch: it has none; there torch.compile rewrites a model.

    >>> before = get_kernels()
    >>> set_kernels("numpy"); get_kernels()
    'numpy'
    >>> set_kernels(before)
    """
    global _chosen
    _chosen = _check(name, "the set of kernels")


def get_kernels() -> str:
    """Return which kernels run on the CPU: "compiled" or "numpy"; see `set_kernels`.

    >>> get_kernels() in ("compiled", "numpy")
    True
    """
    return _chosen


def kinds() -> tuple[str, ...]:
    """Return the kinds of kernels that may run on the CPU, first choice first."""
    return SETS[_chosen]
