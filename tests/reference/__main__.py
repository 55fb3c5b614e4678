"""`python -m tests.reference [FOLDER]`: the reference by pdoc, and differences.html; a warning is an error."""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy.typing
import pdoc
from pdoc.render_helpers import to_html

from tests.reference import differences

FOLDER = Path("build") / "docs"
MODULES = ("minitensor", "minitensor.functions.linalg", "minitensor.functions.fft", "jepa")
INSIDE = ("minitensor.kernels", "minitensor.composite", "minitensor.gradcheck", "minitensor.op", "minitensor.viz.graph")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Differences</title>
<style>body {{ max-width: 60em; margin: 2em auto; padding: 0 1em; font-family: sans-serif; line-height: 1.5 }}</style>
</head><body>{body}</body></html>
"""


def public(module: ModuleType) -> Iterator[object]:
    """Yield what a module offers, those of its public modules too; what it loads late is loaded and put there."""
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if not inspect.ismodule(thing):
            vars(module).setdefault(name, thing)
            yield thing
        elif thing.__name__ not in INSIDE:
            yield from public(thing)


class Word:
    """A type by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def short(hint: Any) -> Any:
    """Return a type; NumPy's ArrayLike and DTypeLike by their names, not as unions of ten types."""
    for name in ("ArrayLike", "DTypeLike"):
        alias = getattr(numpy.typing, name)
        for whole, text in ((alias, name), (alias | None, f"{name} | None"), (Sequence[alias], f"Sequence[{name}]")):
            if hint == whole:
                return Word(text)
    return hint


def spell_out(thing: object) -> None:
    """Replace annotations that are text by what they mean where they were written: pdoc looks where the name is."""
    for f in [thing, *vars(thing).values()] if inspect.isclass(thing) else [thing]:
        if inspect.isfunction(f) and f.__annotations__:
            written = inspect.unwrap(f)
            hints = typing.get_type_hints(written) if written.__annotations__ else {}
            f.__annotations__ = {name: short(hint) for name, hint in hints.items()}
    if inspect.isclass(thing) and issubclass(thing, tuple):
        thing.__new__.__annotations__ = typing.get_type_hints(thing)  # a NamedTuple's arguments are its fields


def build(folder: Path) -> None:
    """Write the pages."""
    modules = [importlib.import_module(name) for name in MODULES]
    for module in modules:
        for thing in public(module):
            spell_out(thing)
    pdoc.render.configure(docformat="numpy", show_source=False, footer_text="minitensor + jepa")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*MODULES, *(f"!{name}" for name in INSIDE), output_directory=folder)
    (folder / "differences.html").write_text(PAGE.format(body=to_html(differences.page())), encoding="utf-8")
    print(f"written: {folder / 'index.html'}, {folder / 'differences.html'}")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
