"""What of NumPy's names and keywords CuPy lacks: asked of an installed CuPy (a GPU is not needed), for `fake_cupy`.

    python -m tests.minitensor.cupy_names    prints the two tables of `cupy_tables`

A test compares them with CuPy's where that is installed, and looks at what the packages call where it is not.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["lacking", "missing", "used"]


def missing() -> set[str]:
    """Return the names that are in numpy and not in cupy."""
    cupy = importlib.import_module("cupy")
    return {name for name in dir(np) if not name.startswith("_") and not hasattr(cupy, name)}


def lacking() -> dict[str, set[str]]:
    """Return the keywords that NumPy's functions have and CuPy's of the same name have not."""
    found = {}
    for part in ("", "linalg.", "fft."):
        ours, theirs = (importlib.import_module(f"{name}.{part}".strip(".")) for name in ("numpy", "cupy"))
        for name in sorted(set(dir(ours)) & set(dir(theirs))):
            mine, other = (_keywords(getattr(module, name)) for module in (ours, theirs))
            if mine is not None and other is not None and "**" not in other and mine - other - {"**"}:
                found[part + name] = mine - other - {"**"}
    return found


def _keywords(f: Any) -> set[str] | None:
    """Return the names that may be given by keyword; None for what has no signature, such as a ufunc."""
    if isinstance(f, type) or not callable(f) or isinstance(f, np.ufunc):
        return None
    try:
        parameters = inspect.signature(f).parameters.values()
    except (ValueError, TypeError):
        return None
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named | {"**" for p in parameters if p.kind is p.VAR_KEYWORD}


def used(root: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Yield (place, name, keywords) for each name of the array module that the code below `root` takes."""
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        keywords = {
            id(node.func): {k.arg for k in node.keywords if k.arg}
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and (name := _of_module(node)):
                yield f"{path}:{node.lineno}", name, keywords.get(id(node), set())


def _of_module(node: ast.Attribute) -> str:
    """Return "exp" for xp.exp and namespace(x).exp, "linalg.svd" for xp.linalg.svd, "" for anything else."""
    parts, inner = [node.attr], node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    of_xp = isinstance(inner, ast.Name) and inner.id == "xp"
    of_call = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "namespace"
    return ".".join(reversed(parts)) if of_xp or of_call else ""


def tables() -> str:
    """Return the source of `cupy_tables`: the names, and the functions that lack the same keywords together."""
    cupy = importlib.import_module("cupy")
    groups: dict[str, list[str]] = {}
    for function, words in lacking().items():
        groups.setdefault(" ".join(sorted(words)), []).append(function)
    lines = ["MISSING = frozenset(", *_wrapped(" ".join(sorted(missing()))), ".split())", "GROUPS = {"]
    for words, functions in sorted(groups.items()):
        lines += [f"    {words!r}: ", *_wrapped(" ".join(functions)), ","]
    head = f"NumPy {np.__version__} and CuPy {cupy.__version__}"
    return f"# written by `python -m tests.minitensor.cupy_names`, of {head}\n" + "\n".join([*lines, "}"])


def _wrapped(text: str) -> list[str]:
    first, *others = textwrap.wrap(f'"""{text}"""', 112)
    return [first, *(f"    {line}" for line in others)]


if __name__ == "__main__":
    print(tables())
