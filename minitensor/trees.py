"""Nested tuples, lists and dicts of arrays and Tensors, as functions take and return them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from minitensor.backend import is_array
from minitensor.graph import Variable

__all__ = ["is_data", "leaves", "mapped"]


def is_data(x: Any) -> bool:
    """Whether x is a Tensor or an array."""
    return isinstance(x, Variable) or is_array(x)


def leaves(tree: Any) -> list[Any]:
    """Return the arrays and Tensors, in order."""
    found: list[Any] = []
    mapped(lambda x: found.append(x) if is_data(x) else None, tree)
    return found


def mapped(f: Callable[..., Any], *trees: Any) -> Any:
    """Return a tree like the first, with f of what stands in each place of the trees.

    Raises ValueError where they are built differently.
    """
    first = trees[0]
    if not isinstance(first, (dict, tuple, list)):
        return f(*trees)
    if any(type(t) is not type(first) or len(t) != len(first) for t in trees):
        raise ValueError(
            f"one has {[f'{type(t).__name__} of {len(t)}' if hasattr(t, '__len__') else t for t in trees]}"
        )
    if isinstance(first, dict):
        if any(t.keys() != first.keys() for t in trees):
            raise ValueError(f"the keys are {[list(t) for t in trees]}")
        made = first.copy() if type(first) is dict else copy.copy(first)
        for key in first:
            made[key] = mapped(f, *[t[key] for t in trees])
        return made
    branches = [mapped(f, *branch) for branch in zip(*trees, strict=True)]
    return type(first)(*branches) if hasattr(first, "_fields") else type(first)(branches)
