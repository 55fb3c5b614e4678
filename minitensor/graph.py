"""The computation graph: arrays that know where they came from, and the calls that made them.

A `Variable` is an array and its source; a `Node` is one recorded call. How a call becomes a Node stands in `op.py`, how
gradients run back in `engine.py`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar, final

import numpy as np
from numpy import asarray, generic

from minitensor.backend import Array, device_of, is_array

__all__ = [
    "Gradient", "Node", "Observer", "Operands", "Operation", "Output", "Place", "Settings", "Variable", "describe",
    "outward", "parents", "place", "reached", "results", "serial", "set_tensor_class", "share_version", "state",
    "watch", "wrap",
]  # fmt: skip

Operands = Sequence[Any]  # what a call was given: Tensors, arrays, numbers, None
Settings = dict[str, Any]  # of a call, by name: plain values
Gradient: TypeAlias = Any  # an array; a Tensor under `create_graph`
T = TypeVar("T")
Hooks = dict[int | None, dict[int, Callable[[Gradient], Gradient]]]  # by the index of a result: its hooks, by number
Versions = tuple[tuple[list[int], int], ...]  # of saved arrays: a counter, and its value when the array was saved


class Operation(Protocol):
    """What a Node asks of what it records: an op, a composite, a Function, a checkpoint, a batch in parts."""

    @property
    def name(self) -> str:
        """How errors, profiles and pictures call it."""

    @property
    def broadcasts(self) -> bool:
        """Whether its operands broadcast, so that the engine sums each gradient back to its operand's shape."""

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Return the gradients of the node's parents (None for none) from that of its result, a tuple if several.

        They are arrays; Tensors under `create_graph`.
        """


class Observer:
    """Something that watches each call of a thread; this one watches and does nothing."""

    def forward(self, op: Any, args: Operands, arrays: Sequence[Array], settings: Settings, run: Callable[[], T]) -> T:
        """Run a call and return its result; `arrays` is what `args` became in the dtype of the computation."""
        return run()

    def composite(self, composite: Any, args: tuple[Any, ...], settings: Settings) -> Any:
        """Compute a composite as a whole, or return NotImplemented to see the calls that it is made of."""
        return NotImplemented

    def recorded(self, node: Node) -> None:
        """Hear of the Node that the last call left."""

    def backward(self, node: Node, g: Gradient, run: Callable[[], Sequence[Gradient]]) -> Sequence[Gradient]:
        """Run a call's gradient rules and return their results."""
        return run()

    def same(self, old: Array, new: Array) -> None:
        """Hear that a new array holds the values of an old one: a copy, or another dtype."""

    def leaves(self, x: Variable, how: str) -> None:
        """Hear that a Tensor's values are read by NumPy or Python, which is no call; how: "item()", say."""


class _State(threading.local):
    """What this thread does with a call; `modes.py` has the contexts that change it."""

    def __init__(self) -> None:
        self.recording = True  # does a call on Tensors leave a Node behind?
        self.fused = True  # do attached kernels stand in for composites?
        self.autocast: Any = None  # the half precision in which matrix products are computed on a GPU
        self.replaying = False  # is `checkpoint` computing again what was computed before? Then no buffer may change
        self.source: Any = None  # where random draws come from inside checkpoint and data_parallel (`generators.py`)
        self.arrivals: Any = None  # who is told when a leaf's gradient is complete (`arrivals.py`)
        self.observer: Observer | None = None  # who watches each call: the profiler, the hunt for NaN
        self.ordinary = True  # neither autocast nor an observer: a call may take the quick way


state = _State()
serial = itertools.count()  # creation order is a topological order


class Variable:
    """An array and where it came from. `minitensor.Tensor` adds the operators and methods.

    `source` says which call made it: None for a leaf, a Node, or an Output (one of a Node's several results).
    A Node never points at its result, so the graph has no reference cycle, and an activation that no rule needs is
    freed with its Tensor.
    """

    __slots__ = ("__weakref__", "_grad", "data", "hooks", "requires_grad", "source", "version")
    hooks: Hooks  # of a leaf; made by the first `register_hook`
    slot: Array | None = None  # where an optimizer wants this leaf's gradient written (a view of its flat buffer)
    slot_free: int  # the slot's reference count while nobody keeps an earlier gradient there

    def __init__(self, data: Array, source: Place | None = None) -> None:
        self.data = data
        self.source = source
        self.requires_grad = source is not None
        self._grad: Gradient = None  # `Tensor.grad`, which looks at what it is given
        self.version: list[int] | None = None  # a counter, shared by views; made when somebody has to look at it

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype."""
        return self.data.dtype  # type: ignore[no-any-return]

    @property
    def origin(self) -> Node | Variable:
        """The call that made it, or the leaf itself."""
        return self if self.source is None else self.source.origin

    @property
    def index(self) -> int | None:
        """Which of its call's results it is, if there are several."""
        return None if self.source is None else self.source.index

    def changed(self) -> None:
        """Say that the array was changed in place, so that a graph that saved it refuses to go on."""
        if self.version is None:
            self.version = [0]
        self.version[0] += 1  # needs no lock: threads switch at calls and ends of loops, and here is neither


_tensor: type[Variable] = Variable  # the class that results are made of; tensor.py sets it


def set_tensor_class(cls: type[Variable]) -> None:
    """Make results instances of `cls` (called once, by tensor.py)."""
    global _tensor
    _tensor = cls


def wrap(y: Array, source: Place | None = None) -> Variable:
    """Make a Tensor of what a call returned, without the checks of its constructor."""
    t = object.__new__(_tensor)
    t.data = asarray(y) if isinstance(y, generic) else y  # NumPy's reductions return scalars
    t.source = source
    t.requires_grad = source is not None
    t._grad = t.version = None
    return t


@final
class Node:
    """One recorded call: what ran, where its arguments came from, and what the rules need of it."""

    __slots__ = ("dtype", "hooks", "op", "parents", "plan", "saved", "serial", "shape", "versions")
    hooks: Hooks  # made by the first `register_hook`
    index: ClassVar[None] = None  # see `Output`

    def __init__(
        self,
        op: Operation,
        parents: Sequence[Place | None],
        plan: Any,
        saved: tuple[Any, ...],
        versions: Versions,
        y: Array,
    ) -> None:
        self.op = op
        self.parents = parents  # one for each argument, None where no gradient flows
        self.plan = plan  # an op's `Plan`, see rules.py
        self.saved: tuple[Any, ...] | None = saved  # None once freed
        self.versions = versions
        self.serial = next(serial)
        many = type(y) is tuple
        self.shape: Any = tuple(v.shape for v in y) if many else y.shape
        self.dtype: Any = tuple(v.dtype for v in y) if many else y.dtype
        if state.observer is not None:
            state.observer.recorded(self)

    @property
    def origin(self) -> Node:
        """Itself: a Node with one result is also that result's place."""
        return self

    @property
    def places(self) -> tuple[Node | Output, ...]:
        """The places of its results."""
        return tuple([Output(self, i) for i in range(len(self.shape))]) if type(self.dtype) is tuple else (self,)


@final
class Output(NamedTuple):
    """One result of a Node that has several."""

    origin: Node
    index: int  # type: ignore[assignment]  # a tuple's method has this name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of this result."""
        found: tuple[int, ...] = self.origin.shape[self.index]
        return found

    @property
    def dtype(self) -> np.dtype:
        """The dtype of this result."""
        found: np.dtype = self.origin.dtype[self.index]
        return found


Place = Node | Output | Variable  # where a gradient goes: to a call's result, or to a leaf


def results(y: Array, node: Node | None) -> Any:
    """Wrap what a call returned; integer and bool results get no source."""
    if type(y) is not tuple:
        return wrap(y, node)
    return tuple(wrap(v, None if node is None or v.dtype.kind in "iub" else Output(node, i)) for i, v in enumerate(y))


def outward(g: Gradient) -> Gradient:
    """Turn a gradient of the engine into the user's, or back: a complex one is conjugated, see `engine.py`."""
    return g.conj() if g.dtype.kind == "c" else g


def place(x: Variable) -> Place:
    """Return where a gradient of `x` goes: the Node or Output that made it, or the leaf itself."""
    return x if x.source is None else x.source


def parents(args: Operands, differentiable: Sequence[bool]) -> tuple[Place | None, ...] | None:
    """Return where each argument's gradient goes (None where none flows), or None if none flows anywhere."""
    edges = [
        place(a) if ok and isinstance(a, Variable) and a.requires_grad else None
        for a, ok in zip(args, differentiable, strict=True)
    ]
    for e in edges:
        if e is not None:
            return tuple(edges)
    return None


def reached(outputs: Sequence[Variable], before: int) -> tuple[list[Place], list[Node]]:
    """Return the places outside a function that its results depend on, and its own nodes, both in the order found.

    Outside are leaves, and nodes older than `before`, the serial at which it began.
    """
    found: dict[Place, None] = {}
    inside: dict[Node, None] = {}
    stack = [place(y) for y in outputs if y.requires_grad]
    while stack:
        p = stack.pop()
        node = p.origin
        if type(node) is not Node or node.serial < before:
            found[p] = None
        elif node not in inside:
            inside[node] = None
            stack.extend(q for q in node.parents if q is not None)
    return list(found), list(inside)


def watch(tensors: Operands) -> Versions:
    """Note the version of each saved Tensor, to notice an in-place change before backward."""
    watched = []
    for t in tensors:
        if isinstance(t, Variable):
            if t.version is None:
                t.version = [0]
            watched.append((t.version, t.version[0]))
    return tuple(watched)


def share_version(new: Variable, old: Variable) -> Variable:
    """Let a new Tensor on an old one's memory count changes together with it; returns the new one."""
    if old.version is None:
        old.version = [0]
    new.version = old.version
    return new


def describe(value: Any) -> str:
    """Name an operand for an error message: kind, dtype, shape and device."""
    if isinstance(value, Variable):
        return f"Tensor {value.dtype} {value.shape} on {device_of(value.data)}"
    if is_array(value):
        return f"array {value.dtype} {value.shape} on {device_of(value)}"
    return f"{type(value).__name__} {value!r}"[:80]
