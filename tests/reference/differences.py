"""`python -m tests.reference.differences`: every sentence "Differs from ..." of the docstrings, as one page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.minitensor.test_docstrings import ROOMS

HEAD = """# What differs from NumPy and PyTorch

Functions follow NumPy, layers and optimizers PyTorch. What is not on this page is meant to be the same; the tests of
parity hold it to that. Each sentence is from the docstring of the names before it.
"""


class Difference(NamedTuple):
    """One sentence of a docstring, or a few."""

    name: str
    other: str
    text: str


def found_in(name: str, docstring: str) -> Iterator[Difference]:
    """Yield what a docstring says: from "Differs from X:" to the next such, or to the end of the paragraph.

    >>> list(found_in("f", "Return x. Differs from NumPy: no out. Differs from PyTorch: no dim.\\n\\n>>> f(1)"))
    [Difference(name='f', other='NumPy', text='no out.'), Difference(name='f', other='PyTorch', text='no dim.')]
    """
    for paragraph in re.split(r"\n\s*\n", docstring):
        for part in re.split(r"(?=Differs from )", " ".join(paragraph.split()))[1:]:
            said = re.match(r"Differs from ([^:]+): (.*)", part)
            if said and not re.match(r"in nothing\b", said[2]):
                yield Difference(name, said[1], said[2].strip())


def page() -> str:
    """Return the page: a section for each room, a line for each thing, under all of its names."""
    lines = [HEAD]
    for room, module in ROOMS.items():
        names: dict[int, list[str]] = {}
        said: dict[int, str] = {}
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            found = list(found_in(name, inspect.getdoc(thing) or "")) if callable(thing) else []
            if found:
                names.setdefault(id(thing), []).append(name)
                said[id(thing)] = " ".join(f"{d.other}: {d.text}" for d in found)
        if said:
            lines.append(f"\n## {room}\n")
            lines += [f"- **{', '.join(names[key])}**. {text}" for key, text in said.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
