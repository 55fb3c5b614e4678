"""`graph`: the computation graph as text, as DOT, and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from minitensor.backend import Array, is_array, to_numpy
from minitensor.engine import Sweep
from minitensor.errors import GradientError
from minitensor.graph import Node, Observer, Operands, Settings, Variable, describe, place
from minitensor.modes import switch
from minitensor.viz.layout import LINE, Vertex, drawing
from minitensor.viz.svg import COLORS, svg

T = TypeVar("T")
__all__ = ["Graph", "graph"]

SHOWN = 4  # entries of an array that are printed
LARGEST = 500  # vertices that a notebook is given a picture of


class Graph:
    """What `graph` returns: `print` it, or `save` it as .dot, .png, .svg or .pdf.

    vertices: list of Vertex, arguments before the calls that use them.

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
            lines.append(f'  n{i} [label="{label}", fillcolor="{COLORS[v.kind]}"];')
            lines += [f"  n{p} -> n{i};" for p in v.parents]
        return "\n".join([*lines, "}"]) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the graph; the suffix says how: .dot, .png, .svg or .pdf. Returns the path."""
        path = Path(path)
        if path.suffix == ".dot":
            path.write_text(self.dot(), encoding="utf-8")
        elif path.suffix == ".svg":
            path.write_text(svg(self.vertices), encoding="utf-8")
        elif path.suffix in (".png", ".pdf"):
            self._draw(path)
        else:
            raise ValueError(f"a graph is saved as .dot, .png, .svg or .pdf; got {path.name!r}")
        return path

    def _repr_svg_(self) -> str | None:
        """Show the picture in a notebook; a graph of more than LARGEST calls is shown as text."""
        return svg(self.vertices) if len(self.vertices) <= LARGEST else None

    def _draw(self, path: Path) -> None:
        """Draw what `svg` writes, by Matplotlib."""
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
        from matplotlib.path import Path as Line

        made = drawing(self.vertices)
        figure = Figure(figsize=(made.width / 72, made.height / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, made.width)
        axes.set_ylim(made.height, 0)
        axes.set_axis_off()
        for line in made.lines:
            curve = Line(line, [Line.MOVETO, *[Line.CURVE4] * (len(line) - 1)])
            axes.add_patch(FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=8, color="#667788"))
        for box, v in zip(made.boxes, self.vertices, strict=True):
            left, top = box.x - box.width / 2, box.y - box.height / 2
            frame = FancyBboxPatch((left, top), box.width, box.height, "round,pad=0,rounding_size=5")
            frame.set(facecolor=COLORS[v.kind], edgecolor="#556677")
            axes.add_patch(frame)
            for k, text in enumerate((v.name, *v.facts)):
                bold, at = "normal" if k else "bold", (box.x, top + LINE * (k + 1) + 1)
                letters = axes.text(*at, text, size=10 if k else 12, weight=bold, parse_math=False)
                letters.set(family="monospace", ha="center")
        figure.savefig(path, dpi=150)


def graph(
    y: Array, *inputs: Any, names: Mapping[str, Any] | Sequence[tuple[str, Any]] = (), values: bool = False
) -> Graph:
    """Return the graph that made y: each leaf, each recorded call, its dtype, shape and what it saves for backward.

    y: a Tensor; or a function, which is called with `inputs`, and of which the numbers inside are known too.
    names: names of leaves, such as {"x": x} or model.named_parameters(). values: show numbers and gradients dy/d(each),
    of 1 for every entry of y; nothing is freed and no `.grad` is touched.
    Raises GradientError where no recorded call made y.

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
    root = y.source.origin
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
        parents = tuple(position[id(p.origin)] for p in node.parents if p is not None)
        vertices.append(Vertex("result" if node is root else "op", node.op.name, tuple(facts), parents))
    return Graph(vertices)


class _Watch(Observer):
    """The observer that keeps the value of each call."""

    def __init__(self) -> None:
        self.values: dict[int, Array] = {}
        self.last: Array = None

    def forward(self, op: Any, args: Operands, arrays: Sequence[Array], settings: Settings, run: Callable[[], T]) -> T:
        """Run a call and remember its result."""
        y = run()
        self.last = y[0] if isinstance(y, tuple) and callable(y[-1]) else y
        return y

    def recorded(self, node: Node) -> None:
        """Put the last result to its Node."""
        if is_array(self.last) and self.last.shape == node.shape:
            self.values[id(node)] = self.last


def _watched(f: Any, inputs: tuple[Any, ...]) -> tuple[Any, dict[int, Array]]:
    if not callable(f):
        raise GradientError(f"graph takes a Tensor, or a function and its inputs; got {describe(f)}")
    watch = _Watch()
    with switch(observer=watch):
        return f(*inputs), watch.values


def _topological(y: Variable) -> list[Any]:
    """Return the leaves and nodes behind y, arguments first."""
    found: dict[int, Any] = {}
    first: dict[int, int] = {}  # a leaf stands before its first user
    stack = [place(y)]
    while stack:
        node = stack.pop().origin
        if id(node) in found:
            continue
        found[id(node)] = node
        if isinstance(node, Node):
            for q in node.parents:
                if q is not None:
                    first[id(q.origin)] = min(first.get(id(q.origin), node.serial), node.serial)
                    stack.append(q)
    order = {i: (n.serial, 1) if isinstance(n, Node) else (first[i], 0) for i, n in found.items()}
    return [found[i] for i in sorted(found, key=order.__getitem__)]


def _gradients(y: Variable, nodes: Sequence[Any]) -> dict[Any, Any]:
    places = {p for n in nodes for p in (n.places if isinstance(n, Node) else (n,))}
    ones = np.ones(y.shape, y.dtype)
    seed = ones if isinstance(y.data, np.ndarray) else y.data * 0 + 1
    with switch(recording=False):
        return Sweep(True, False, places).run([(place(y), seed)])


def _gradient(grads: Mapping[Any, Any], node: Any) -> list[str]:
    found = [g for key, g in grads.items() if key.origin is node]
    return [f"gradient {_text(g)}" for g in found]


def _saved(node: Node) -> list[str]:
    if node.saved is None:
        return ["freed"]
    names = [*getattr(node.op, "arguments", ()), "y"]
    kept = node.plan.arrays if node.plan is not None else ()
    arrays = [v for v in _flat(node.saved) if is_array(v)]
    if not arrays:
        return []
    what = ", ".join(names[i] for i in kept) or f"{len(arrays)} arrays"
    size = sum(v.nbytes for v in arrays)
    unit = next(u for u in (1, 1e3, 1e6, 1e9) if size < 1000 * u or u == 1e9)
    return [f"saves {what}: {size / unit:.3g} {({1: 'B', 1e3: 'kB', 1e6: 'MB', 1e9: 'GB'})[unit]}"]


def _flat(x: Array) -> list[Any]:
    return [w for v in x for w in _flat(v)] if isinstance(x, (tuple, list)) else [x]


def _text(x: Array) -> str:
    x = to_numpy(x)
    flat = np.round(x.ravel()[:SHOWN].astype(float), 4)
    if x.ndim == 0:
        return str(flat[0])
    return f"[{' '.join(np.format_float_positional(v, trim='.') for v in flat)}{' ...' if x.size > SHOWN else ''}]"
