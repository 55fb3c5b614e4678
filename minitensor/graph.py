"""The computation graph: arrays that know where they came from, and the calls that made them.

A `Variable` is an array and its source; a `Node` is one recorded call; whether calls are recorded is a state of the
thread. How a call becomes a Node stands in `op.py`, how gradients run back in `engine.py`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, NamedTuple, Protocol

from numpy import asarray, generic

from minitensor.backend import device_of, is_array

__all__ = [
    "Node", "Output", "Variable", "describe", "enable_grad", "is_recording", "key_of", "no_grad", "outward",
    "parents", "place", "reached", "results", "serial", "set_tensor_class", "share_version", "state", "switch",
    "unfused", "watch", "wrap",
]  # fmt: skip

Array = Any


class Observer(Protocol):
    """Something that runs each call in the engine's place, to watch it."""

    def forward(
        self, op: Any, args: Sequence[Any], arrays: Sequence[Array], settings: dict[str, Any], run: Callable[[], Any]
    ) -> Any:
        """Run a call and return its result; `arrays` is what `args` became in the dtype of the computation."""

    def recorded(self, node: Node) -> None:
        """Hear of the Node that the last call left."""

    def backward(self, node: Node, g: Any, run: Callable[[], Any]) -> Any:
        """Run a call's gradient rules and return their results."""


class _State(threading.local):
    recording = True  # does a call on Tensors leave a Node behind?
    fused = True  # do attached kernels stand in for composites?
    autocast: Any = None  # the half precision in which matrix products are computed on a GPU
    replaying = False  # is `checkpoint` computing again what was computed before? Then no buffer may change
    source: Any = None  # what stands between this thread and the random generators (`generators.py`)
    observer: Observer | None = None  # who watches each call: the profiler, the hunt for NaN
    ordinary = True  # neither of the last two that change what a call does; set with them

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        super().__setattr__("ordinary", self.autocast is None and self.observer is None)


state = _State()
serial = itertools.count()  # creation order is a topological order


class switch:  # noqa: N801
    """Set a state of this thread for a while: a context that may be entered again and again, or a decorator."""

    def __init__(self, name: str, value: Any) -> None:
        self._name, self._value = name, value
        self._before: list[Any] = []

    def __enter__(self) -> None:
        self._before.append(getattr(state, self._name))
        setattr(state, self._name, self._value)

    def __exit__(self, *_: object) -> None:
        setattr(state, self._name, self._before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, run within that state."""
        if isgeneratorfunction(function):
            raise TypeError(f"{function.__name__} is a generator: its body runs later, so use the context inside it")

        @wraps(function)
        def within(*args: Any, **settings: Any) -> Any:
            with switch(self._name, self._value):
                return function(*args, **settings)

        return within


def _context(name: str, value: Any, function: Callable[..., Any] | None) -> Any:
    return switch(name, value) if function is None else switch(name, value)(function)


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Context or decorator: calls leave no graph behind (this thread only).

    Raises TypeError for a generator function. Differs from PyTorch: there those are taken.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0], requires_grad=True)
    >>> with mt.no_grad():
    ...     (x * 2).requires_grad
    False
    """
    return _context("recording", False, function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Context or decorator: record again, inside `no_grad`.

    Raises TypeError for a generator function. Differs from PyTorch: there those are taken.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0], requires_grad=True)
    >>> with mt.no_grad(), mt.enable_grad():
    ...     (x * 2).requires_grad
    True
    """
    return _context("recording", True, function)


def unfused(function: Callable[..., Any] | None = None) -> Any:
    """Context or decorator: composites run as the plain Python that defines them, for study and for tests.

    >>> import minitensor as mt
    >>> x = mt.Tensor([[1.0, 1.0]], requires_grad=True)
    >>> with mt.unfused():
    ...     y = mt.nn.functional.layer_norm(x, (2,))
    >>> y
    Tensor float32 (1, 2) from divide: [[0. 0.]]
    """
    return _context("fused", False, function)


def is_recording() -> bool:
    """Whether calls on Tensors are being recorded in this thread. Differs from PyTorch: it is is_grad_enabled there.

    >>> is_recording()
    True
    """
    return state.recording


class Variable:
    """An array and where it came from. `minitensor.Tensor` adds the operators and methods.

    `source` says which call made it: None for a leaf, a Node, or an Output (one of a Node's several results).
    A Node never points at its result, so the graph has no reference cycle, and an activation that no rule needs dies
    with the last user of its Tensor.
    """

    __slots__ = ("__weakref__", "_grad", "data", "hooks", "requires_grad", "source", "version")
    hooks: dict[int, Callable[[Any], Any]]  # of a leaf; made by the first `register_hook`
    slot: Array | None = None  # where an optimizer wants this leaf's gradient written (a view of its flat buffer)
    slot_free: int  # the slot's references when nobody keeps an earlier gradient that is this memory

    def __init__(self, data: Array, source: Any = None) -> None:
        self.data = data
        self.source = source
        self.requires_grad = source is not None
        self._grad: Any = None  # `Tensor.grad`, which looks at what it is given
        self.version: list[int] | None = None  # a counter, shared by views; made when somebody has to look at it

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The NumPy dtype."""
        return self.data.dtype

    def changed(self) -> None:
        """Say that the array was changed in place, so that a graph that saved it refuses to go on."""
        if self.version is None:
            self.version = [0]
        self.version[0] += 1  # one thread at a time: they take turns at calls and jumps back, and here is neither


_tensor: type[Variable] = Variable  # the class that results are made of; tensor.py sets it


def set_tensor_class(cls: type[Variable]) -> None:
    """Make results instances of `cls` (called once, by tensor.py)."""
    global _tensor
    _tensor = cls


def wrap(y: Array, source: Any = None) -> Variable:
    """Make a Tensor of what a call returned, without asking what its constructor would."""
    t = object.__new__(_tensor)
    t.data = asarray(y) if isinstance(y, generic) else y  # NumPy's reductions return scalars
    t.source = source
    t.requires_grad = source is not None
    t._grad = t.version = None
    return t


class Node:
    """One recorded call: what ran, where its arguments came from, and what the rules need of it."""

    __slots__ = ("dtype", "hooks", "op", "parents", "plan", "saved", "serial", "shape", "versions")
    hooks: dict[int | None, dict[int, Callable[[Any], Any]]]  # per result; made by the first `register_hook`

    def __init__(
        self, op: Any, parents: tuple[Any, ...], plan: Any, saved: tuple[Any, ...], versions: Any, y: Array
    ) -> None:
        self.op = op
        self.parents = parents  # per argument: Node, Output, a leaf Variable, or None where no gradient flows
        self.plan = plan
        self.saved: tuple[Any, ...] | None = saved  # None once freed
        self.versions: tuple[tuple[list[int], int], ...] = versions  # (counter, its value when the array was saved)
        self.serial = next(serial)
        many = type(y) is tuple
        self.shape = tuple(v.shape for v in y) if many else y.shape
        self.dtype = tuple(v.dtype for v in y) if many else y.dtype
        if state.observer is not None:
            state.observer.recorded(self)


class Output(NamedTuple):
    """One result of a Node that has several."""

    node: Node
    index: int  # type: ignore[assignment]  # a tuple's method has this name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of this result."""
        return self.node.shape[self.index]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The dtype of this result."""
        return self.node.dtype[self.index]


def results(y: Array, node: Node | None) -> Any:
    """Wrap what a call returned; integer and bool results get no edge."""
    if type(y) is not tuple:
        return wrap(y, node)
    return tuple(wrap(v, None if node is None or v.dtype.kind in "iub" else Output(node, i)) for i, v in enumerate(y))


def outward(g: Any) -> Any:
    """Return a gradient as users see it from what the engine carries, or back: complex ones are conjugated."""
    return g.conj() if g.dtype.kind == "c" else g


def place(x: Variable) -> Any:
    """Return where a gradient of `x` goes: the Node or Output that made it, or the leaf itself."""
    return x if x.source is None else x.source


def key_of(source: Any) -> Any:
    """What a place in the graph is known by: (id of its node or leaf, index of the result)."""
    return (id(source.node), source.index) if type(source) is Output else (id(source), None)


def parents(args: Sequence[Any], differentiable: Sequence[bool]) -> tuple[Any, ...] | None:
    """Return where each argument's gradient goes (None where none flows), or None if none flows anywhere."""
    edges = [
        place(a) if ok and isinstance(a, Variable) and a.requires_grad else None
        for a, ok in zip(args, differentiable, strict=True)
    ]
    for e in edges:
        if e is not None:
            return tuple(edges)
    return None


def reached(outputs: Sequence[Variable], before: int) -> tuple[list[Any], list[Node]]:
    """Return the places outside a function that its results depend on, and its own nodes, both in the order found.

    Outside are leaves, and nodes older than `before`, the serial at which it began.
    """
    found: dict[Any, Any] = {}
    inside: dict[int, Node] = {}
    stack = [place(y) for y in outputs if y.requires_grad]
    while stack:
        p = stack.pop()
        node = p.node if type(p) is Output else p
        if type(node) is not Node or node.serial < before:
            found[key_of(p)] = p
        elif id(node) not in inside:
            inside[id(node)] = node
            stack.extend(q for q in node.parents if q is not None)
    return list(found.values()), list(inside.values())


def watch(tensors: Sequence[Any]) -> tuple[tuple[list[int], int], ...]:
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
