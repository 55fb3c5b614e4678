"""`viz.graph`: the computation graph as text, as DOT, and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import is_array, to_numpy
from minitensor.engine import run_backward
from minitensor.errors import GradientError
from minitensor.graph import Node, Output, Variable, describe, key_of, place, switch

__all__ = ["Graph", "Vertex", "graph"]

Array = Any
SHOWN = 4  # entries of an array that are printed
COLOURS = {"leaf": "#d6ecd2", "op": "#dbe7f5", "result": "#fbe3c5"}


class Vertex(NamedTuple):
    """A leaf, or one recorded call. Differs from PyTorch: it has none.

    >>> from minitensor import Tensor
    >>> graph(Tensor([1.0], requires_grad=True).exp()).vertices[-1].name
    'exp'
    """

    kind: str
    """"leaf", "op", or "result": the call that made what was asked for."""
    name: str
    """Name of the leaf or the op."""
    facts: tuple[str, ...]
    """Dtype and shape, what is saved, numbers: one line each."""
    parents: tuple[int, ...]
    """Positions of its arguments, in their order."""


class Graph:
    """What `graph` returns: `print` it, or `save` it as .dot, .png, .svg or .pdf.

    vertices: list of Vertex, arguments before the calls that use them.
    Differs from PyTorch: it has none.

    >>> from minitensor import Tensor
    >>> print(graph(Tensor([1.0], requires_grad=True).exp()).dot().splitlines()[0])
    digraph {
    """

    def __init__(self, vertices: list[Vertex]) -> None:
        self.vertices = vertices

    def __str__(self) -> str:
        names = [f"#{i}" for i in range(len(self.vertices))]
        heads = [
            f"{v.name}({', '.join(names[p] for p in v.parents)})" if v.kind != "leaf" else v.name for v in self.vertices
        ]
        wide, most = max(map(len, names)), max(map(len, heads))
        return "\n".join(
            f"{n:<{wide}}  {head:<{most}}  {'  '.join(v.facts)}"
            for n, head, v in zip(names, heads, self.vertices, strict=True)
        )

    __repr__ = __str__

    def dot(self) -> str:
        """Return the graph in Graphviz's language."""
        lines = ["digraph {", '  rankdir=TB; node [shape=box, style="rounded,filled", fontname="sans-serif"];']
        for i, v in enumerate(self.vertices):
            label = "\\n".join(part.replace("\\", "\\\\").replace('"', '\\"') for part in (v.name, *v.facts))
            lines.append(f'  n{i} [label="{label}", fillcolor="{COLOURS[v.kind]}"];')
            lines += [f"  n{p} -> n{i};" for p in v.parents]
        return "\n".join([*lines, "}"]) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the graph; the suffix says how: .dot, .png, .svg or .pdf. Returns the path."""
        path = Path(path)
        if path.suffix == ".dot":
            path.write_text(self.dot(), encoding="utf-8")
        elif path.suffix in (".png", ".svg", ".pdf"):
            self._draw(path)
        else:
            raise ValueError(f"a graph is saved as .dot, .png, .svg or .pdf; got {path.name!r}")
        return path

    def _layout(self) -> tuple[list[tuple[float, int]], dict[tuple[int, int], list[tuple[float, int]]]]:
        """Return (column, row) of each vertex, and the way of each edge (user, argument) through the rows between.

        A vertex stands one row below its lowest argument, a leaf just above its first user. An edge takes a column of
        its own in each row that it passes, and the rows are ordered by the mean column of what they are joined to.
        """
        rows = [0] * len(self.vertices)
        for i, v in enumerate(self.vertices):
            rows[i] = 1 + max((rows[p] for p in v.parents), default=-1)
        for i, v in enumerate(self.vertices):
            if v.kind == "leaf":
                rows[i] = min((rows[u] for u, user in enumerate(self.vertices) if i in user.parents), default=1) - 1
        joined: list[list[int]] = [[] for _ in rows]
        ways: dict[tuple[int, int], list[int]] = {}
        for i, v in enumerate(self.vertices):
            for k, p in enumerate(v.parents):
                between = range(rows[p] + 1, rows[i])
                ways[i, k] = list(range(len(joined), len(joined) + len(between)))
                joined += [[] for _ in between]
                rows += between
                chain = [p, *ways[i, k], i]
                for a, b in zip(chain, chain[1:], strict=False):
                    joined[a].append(b)
                    joined[b].append(a)
        column = [0.0] * len(rows)
        for sweep in range(10):
            for row in sorted(set(rows), reverse=sweep % 2 == 1):
                mine = [i for i in range(len(rows)) if rows[i] == row]
                mine.sort(key=lambda i: float(np.mean([column[j] for j in joined[i]])) if joined[i] else 0.0)
                for k, i in enumerate(mine):
                    column[i] = k - (len(mine) - 1) / 2
        spots = [(column[i], rows[i]) for i in range(len(rows))]
        return spots[: len(self.vertices)], {edge: [spots[i] for i in way] for edge, way in ways.items()}

    def _draw(self, path: Path) -> None:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path as Line

        spots, ways = self._layout()
        texts = ["\n".join((v.name, *v.facts)) for v in self.vertices]
        heights = [0.145 * (text.count("\n") + 1) + 0.13 for text in texts]  # inches
        dx = 0.075 * max(len(line) for text in texts for line in text.split("\n")) + 0.35
        dy = max(heights) + 0.35
        columns = [c for c, _ in (*spots, *(s for way in ways.values() for s in way))]
        left, right, bottom = min(columns) - 0.5, max(columns) + 0.5, max(r for _, r in spots) + 0.5
        figure = Figure(figsize=(dx * (right - left), dy * (bottom + 0.5)))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(left * dx, right * dx)
        axes.set_ylim(-bottom * dy, 0.5 * dy)
        axes.set_axis_off()
        for (c, r), text, v in zip(spots, texts, self.vertices, strict=True):
            box = {"boxstyle": "round,pad=0.4", "facecolor": COLOURS[v.kind], "edgecolor": "#555555"}
            axes.text(c * dx, -r * dy, text, ha="center", va="center", fontsize=8, linespacing=1.25, bbox=box)
        for (i, k), way in ways.items():
            p, n = self.vertices[i].parents[k], len(self.vertices[i].parents)
            start = (spots[p][0] * dx, -spots[p][1] * dy - heights[p] / 2)
            aim = (k - (n - 1) / 2) * min(0.2, 0.8 / n)  # arguments arrive beside each other, in their order
            end = (spots[i][0] * dx + aim, -spots[i][1] * dy + heights[i] / 2)
            line = Line([start, *((c * dx, -r * dy) for c, r in way), end])
            axes.add_patch(FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=9, color="#555555", zorder=0))
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def graph(
    y: Any, *inputs: Any, names: Mapping[str, Any] | Sequence[tuple[str, Any]] = (), values: bool = False
) -> Graph:
    """Return the graph that made y: each leaf, each recorded call, its dtype, shape and what it saves for backward.

    y: a Tensor; or a function, which is called with `inputs`, and of which the numbers inside are known too.
    names: names of leaves, such as {"x": x} or model.named_parameters(). values: show numbers and gradients dy/d(each),
    of 1 for every entry of y; nothing is freed and no `.grad` is touched.
    Raises GradientError where no recorded call made y. Differs from PyTorch: it has none.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0, 2.0], requires_grad=True)
    >>> print(mt.viz.graph((x * x).sum(), names={"x": x}, values=True))
    #0  x                 float32 (2,)  value [1. 2.]  gradient [2. 4.]
    #1  multiply(#0, #0)  float32 (2,)  saves b, a: 16 B  gradient [1. 1.]
    #2  sum(#1)           float32 ()  value 5.0  gradient 1.0
    """
    known: dict[int, Array] = {}
    if not isinstance(y, Variable):
        y, known = _watched(y, inputs)
    if not isinstance(y, Variable) or y.source is None:
        raise GradientError(f"there is no graph behind {describe(y)}: no recorded call made it")
    named = {id(t): name for name, t in (names.items() if isinstance(names, Mapping) else names)}
    nodes = _topological(y)
    grads = _gradients(y, nodes) if values else {}
    position: dict[int, int] = {}
    vertices: list[Vertex] = []
    root = y.source.node if type(y.source) is Output else y.source
    for node in nodes:
        position[id(node)] = len(vertices)
        if isinstance(node, Variable):
            facts = [f"{node.dtype} {node.shape}"]
            facts += [f"value {_text(node.data)}", *_gradient(grads, node)] if values else []
            vertices.append(Vertex("leaf", named.get(id(node), "leaf"), tuple(facts), ()))
            continue
        many = type(node.dtype) is tuple
        shapes = node.shape if many else (node.shape,)
        dtypes = node.dtype if many else (node.dtype,)
        facts = [", ".join(f"{d} {s}" for d, s in zip(dtypes, shapes, strict=True)), *_saved(node)]
        if values:
            value = y.data if node is root and not many else known.get(id(node))
            facts += [f"value {_text(value)}"] if value is not None else []
            facts += _gradient(grads, node)
        parents = tuple(position[id(p.node if type(p) is Output else p)] for p in node.parents if p is not None)
        vertices.append(Vertex("result" if node is root else "op", node.op.name, tuple(facts), parents))
    return Graph(vertices)


class _Watch:
    """The observer that keeps the value of each call."""

    def __init__(self) -> None:
        self.values: dict[int, Array] = {}
        self.last: Array = None

    def forward(
        self, op: Any, args: Sequence[Any], arrays: Sequence[Array], settings: dict[str, Any], run: Callable[[], Any]
    ) -> Any:
        """Run a call and remember its result."""
        y = run()
        self.last = y[0] if isinstance(y, tuple) and callable(y[-1]) else y
        return y

    def recorded(self, node: Node) -> None:
        """Put the last result to its Node."""
        if is_array(self.last) and self.last.shape == node.shape:
            self.values[id(node)] = self.last

    def backward(self, node: Node, g: Any, run: Callable[[], Any]) -> Any:
        """Leave backward alone."""
        return run()


def _watched(f: Any, inputs: tuple[Any, ...]) -> tuple[Any, dict[int, Array]]:
    if not callable(f):
        raise GradientError(f"graph takes a Tensor, or a function and its inputs; got {describe(f)}")
    watch = _Watch()
    with switch("observer", watch):
        return f(*inputs), watch.values


def _topological(y: Variable) -> list[Any]:
    """Return the leaves and nodes behind y, arguments first."""
    found: dict[int, Any] = {}
    first: dict[int, int] = {}  # a leaf stands before its first user
    stack = [place(y)]
    while stack:
        p = stack.pop()
        node = p.node if type(p) is Output else p
        if id(node) in found:
            continue
        found[id(node)] = node
        if isinstance(node, Node):
            for q in node.parents:
                if q is not None:
                    inner = q.node if type(q) is Output else q
                    first[id(inner)] = min(first.get(id(inner), node.serial), node.serial)
                    stack.append(q)
    order = {i: (n.serial, 1) if isinstance(n, Node) else (first[i], 0) for i, n in found.items()}
    return [found[i] for i in sorted(found, key=order.__getitem__)]


def _gradients(y: Variable, nodes: Sequence[Any]) -> dict[Any, Any]:
    places = [
        p
        for n in nodes
        for p in ([Output(n, i) for i in range(len(n.shape))] if type(getattr(n, "dtype", 0)) is tuple else [n])
    ]
    ones = np.ones(y.shape, y.dtype)
    seed = ones if isinstance(y.data, np.ndarray) else y.data * 0 + 1
    with switch("recording", False):
        return run_backward([(place(y), seed)], True, False, {key_of(p) for p in places})


def _gradient(grads: Mapping[Any, Any], node: Any) -> list[str]:
    found = [g for key, g in grads.items() if key[0] == id(node)]
    return [f"gradient {_text(g)}" for g in found]


def _saved(node: Node) -> list[str]:
    if node.saved is None:
        return ["freed"]
    names = [*getattr(node.op, "arguments", ()), "y"]
    slots = node.plan.slots if node.plan is not None else ()
    arrays = [v for v in _flat(node.saved) if is_array(v)]
    if not arrays:
        return []
    what = ", ".join(names[i] for i in slots) or f"{len(arrays)} arrays"
    size = sum(v.nbytes for v in arrays)
    unit = next(u for u in (1, 1e3, 1e6, 1e9) if size < 1000 * u or u == 1e9)
    return [f"saves {what}: {size / unit:.3g} {({1: 'B', 1e3: 'kB', 1e6: 'MB', 1e9: 'GB'})[unit]}"]


def _flat(x: Any) -> list[Any]:
    return [w for v in x for w in _flat(v)] if isinstance(x, (tuple, list)) else [x]


def _text(x: Array) -> str:
    x = to_numpy(x)
    flat = np.round(x.ravel()[:SHOWN].astype(float), 4)
    if x.ndim == 0:
        return str(flat[0])
    return f"[{' '.join(np.format_float_positional(v, trim='.') for v in flat)}{' ...' if x.size > SHOWN else ''}]"
