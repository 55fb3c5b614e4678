"""Which arguments of NumPy's or PyTorch's function ours lacks, and whether the docstrings say so.

Said is what the "Differs from ..." sentence of the function names, or the one for all in the package's docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import minitensor as mt

ANYWHERE = {"dim": "axis", "keepdim": "keepdims"}  # the same thing under two names: theirs, ours
ROOMS = (mt, mt.linalg, mt.fft, mt.nn.functional, mt.nn)  # where to look for what a docstring refers to
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def difference(thing: Any, library: str) -> str:
    """Return what a docstring says after "Differs from" of a library; what it refers to ("as `var` does") too."""
    words = " ".join((thing.__doc__ or "").partition(">>> ")[0].split())
    parts = words.split("Differs from ")[1:]
    text = " ".join(p for p in parts if library in p.partition(":")[0])
    for name in re.findall(r"\bas `(\w+)` does", text):
        text += " " + difference(next(getattr(room, name) for room in ROOMS if hasattr(room, name)), library)
    return text


def common(module: ModuleType, kind: str) -> set[str]:
    """Return the arguments that a package's docstring says all its functions of a kind lack, in backquotes."""
    text = " ".join((module.__doc__ or "").split())
    found = re.search(rf"\b{kind} have no ((?:`\w+`(?:, | and )?)+)", text)
    assert found, f"{module.__name__}: no list of what its {kind} lack"
    return set(re.findall(r"`(\w+)`", found[1]))


def lacks(ours: Callable[..., Any], theirs: Callable[..., Any]) -> list[str]:
    """Return the optional arguments of theirs that ours cannot be given; required ones go by position."""
    mine = inspect.signature(ours).parameters
    return [
        p.name
        for p in inspect.signature(theirs).parameters.values()
        if p.default is not p.empty
        and p.kind not in (*VARIADIC, p.POSITIONAL_ONLY)
        and not p.name.startswith("_")
        and not {p.name, ANYWHERE.get(p.name)} & set(mine)
    ]


def unsaid(ours: Callable[..., Any], theirs: Callable[..., Any], library: str, known: set[str]) -> list[str]:
    """Return the arguments that ours lacks and nobody says so."""
    said = set(re.findall(r"\w+", difference(ours, library)))
    return [name for name in lacks(ours, theirs) if name not in said | known]


def pairs(ours: ModuleType, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, our function, their function of that name), where both have a signature."""
    for name in ours.__all__:
        mine, other = getattr(ours, name), getattr(theirs, name, None)
        if callable(mine) and callable(other):
            try:
                inspect.signature(other)
            except ValueError:  # some of NumPy's written in C
                continue
            yield name, mine, other
