"""What a notebook shows of a Tensor and of a Layer: plain HTML, everything in it escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Protocol

import numpy as np

from minitensor.backend import Array, to_numpy
from minitensor.graph import Variable

__all__ = ["layer_html", "tensor_html"]

MOST = 8  # rows and columns of a Tensor's table
OPEN = 2  # levels of a Layer's tree that are unfolded
CELL = "text-align:right;font-family:monospace;padding:1px 6px"


class Tree(Protocol):
    """What is asked of a Layer."""

    def extra_repr(self) -> str:
        """Return its settings."""
        ...

    def _children(self) -> Iterator[tuple[str, Any]]:
        """Yield the names of its layers, and them."""
        ...

    def parameters(self) -> Iterator[Variable]:
        """Yield its parameters and theirs, each once."""
        ...


def tensor_html(t: Variable) -> str:
    """Return the dtype, the shape and a table of the values of a Tensor: at most 8 rows and 8 columns.

    Of more axes than two the first matrix is shown. Differs from PyTorch: it shows its text.

    >>> from minitensor import Tensor
    >>> tensor_html(Tensor([1.0, 2.5])).count("<td"), tensor_html(Tensor(np.eye(20))).count("<td")
    (2, 64)
    """
    head, _, _ = repr(t).partition(": ")
    lead = max(len(t.shape) - 2, 0)
    note = f", [{'0, ' * lead}:, :] of it" if lead else ""
    matrix = t.data[(0,) * lead] if t.data.size else t.data.reshape(0, 0)
    matrix = matrix.reshape(1, -1) if matrix.ndim < 2 else matrix
    rows, columns = (_shown(n) for n in matrix.shape)
    cells = ["".join(f'<td style="{CELL}">{_cell(matrix, i, j)}</td>' for j in columns) for i in rows]
    table = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<div><code>{escape(head + note)}</code><table>{table}</table></div>"


def _shown(n: int) -> list[int | None]:
    """Return which of n entries are shown: all, or the first and last with None for those between."""
    return [*range(n)] if n <= MOST else [*range(MOST // 2), None, *range(n - MOST // 2 + 1, n)]


def _cell(matrix: Array, i: int | None, j: int | None) -> str:
    if i is None or j is None:
        return "⋱" if i is j else "⋮" if i is None else "…"
    value = to_numpy(matrix[i, j])[()].item()
    return escape(f"{value:.4g}" if isinstance(value, float | complex) else str(value))


def layer_html(layer: Tree) -> str:
    """Return a Layer as a tree: the name, type, settings and number of parameters of each layer in it.

    Layers below the second level are folded. Differs from PyTorch: it shows its text.

    >>> from minitensor import nn
    >>> page = layer_html(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    >>> "<b>Linear</b>(2 -&gt; 3)" in page, "9 parameters" in page
    (True, True)
    """
    return f'<div style="font-family:monospace;line-height:1.5">{_tree("", layer, 0)}</div>'


def _tree(name: str, layer: Tree, level: int) -> str:
    children = list(layer._children())
    label = f"{escape(name)}{': ' if name else ''}<b>{escape(type(layer).__name__)}</b>({escape(layer.extra_repr())})"
    line = f'{label} <span style="opacity:.6">{_count(layer)}</span>'
    if not children:
        return f'<div style="padding-left:1.1em">{line}</div>'
    inner = "".join(_tree(child, inside, level + 1) for child, inside in children)
    opened = " open" if level < OPEN else ""
    return f'<details style="padding-left:1.1em"{opened}><summary>{line}</summary>{inner}</details>'


def _count(layer: Tree) -> str:
    """Return how many numbers a layer has to learn, and how many of them are frozen."""
    sizes = [(int(np.prod(p.shape)), p.requires_grad) for p in layer.parameters()]
    total, frozen = sum(n for n, _ in sizes), sum(n for n, learns in sizes if not learns)
    return f"{total:,} parameters{f', {frozen:,} frozen' if frozen else ''}" if total else ""
