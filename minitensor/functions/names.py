"""Public names: those that ops and composites are declared with, and those of the functions in this folder."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

from minitensor import ops
from minitensor.declaration import Declaration, registry
from minitensor.functions.operands import public

__all__ = ["ROOMS", "declared", "named", "stub"]

ROOMS: dict[str, tuple[ModuleType, ...]] = {}  # "" for `mt` itself, "linalg" for `mt.linalg`: their files of functions

for _module in pkgutil.walk_packages(ops.__path__, "minitensor.ops."):
    importlib.import_module(_module.name)

HEAD = """# Written by `python -m minitensor.functions`: the public names of ops, for mypy and editors.

from typing import Any
"""


@functools.cache
def _public(declaration: Declaration[...]) -> Callable[..., Any]:
    """Return the one function that an op is under all its names."""
    return public(declaration)


def declared(room: str) -> dict[str, Declaration[...]]:
    """Return the ops and composites that are declared with a name of a room, by that name.

    >>> declared("")["arccos"]
    op acos(x)
    """
    found: dict[str, Declaration[...]] = {}
    for declaration in [d for key, d in registry.items() if key.startswith("minitensor.ops.")]:
        for name in declaration.public:
            place, _, last = name.rpartition(".")
            if place == room and found.setdefault(last, declaration) is not declaration:
                raise TypeError(f"{declaration} and {found[last]} are both declared as {name!r}: rename one")
    return found


def named(room: str, *modules: ModuleType) -> dict[str, Any]:
    """Return all that a room shows, by name: the functions of these modules, and the ops declared for it."""
    ROOMS[room] = modules
    functions = {name: getattr(module, name) for module in modules for name in module.__all__}
    return dict(sorted((functions | {name: _public(d) for name, d in declared(room).items()}).items()))


def stub(room: str) -> str:
    """Return the stub of a room: the same names, as mypy and editors can follow them to the ops."""
    names: dict[Declaration[...], list[str]] = {}
    for name, declaration in declared(room).items():
        names.setdefault(declaration, []).append(name)
    homes = sorted({d.__module__.rpartition(".")[::2] for d in names})
    lines = [f"from {m.__name__} import *" for m in ROOMS[room]]
    lines += ["from minitensor.functions.operands import public, several"]
    lines += [f"from {folder} import {file} as _{file}" for folder, file in homes]
    every = textwrap.fill(", ".join(f'"{name}"' for name in named(room, *ROOMS[room])), 116)
    lines += ["", "__all__ = [", textwrap.indent(every, "    ") + ",", "]  # fmt: skip"]
    lines += ["", *(_assigned(d, names[d]) for d in sorted(names, key=lambda d: d.name))]
    return "\n".join([HEAD, *lines, ""])


def _assigned(declaration: Declaration[...], names: list[str]) -> str:
    """Return the line of one op: its names, and a function that returns a Tensor, several, or either."""
    result = str(declaration.forward.__annotations__.get("return"))
    wrapped = "several" if result.startswith("tuple") else "public"
    made = f"{wrapped}(_{declaration.__module__.rpartition('.')[2]}.{declaration.name})"
    return f"{names[0]}: Any" if "| tuple" in result else f"{' = '.join(names)} = {made}"
