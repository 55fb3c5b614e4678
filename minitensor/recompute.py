"""`checkpoint`: compute again in backward what would cost too much memory to keep."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, is_array
from minitensor.engine import Sweep
from minitensor.errors import GradientError
from minitensor.generators import Recorded, Replayed
from minitensor.graph import (
    Gradient,
    Node,
    Output,
    Variable,
    describe,
    place,
    reached,
    serial,
    share_version,
    watch,
    wrap,
)
from minitensor.modes import is_recording, modes, switch
from minitensor.promotion import widen
from minitensor.trees import leaves, mapped

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Return f(*args, **settings), and keep nothing of its inside but the arguments: backward runs f a second time.

    Memory for time: of a chain of n blocks, each under `checkpoint`, only the n inputs and one block's inside are alive
    at once, for about a third more computation (Chen et al. 2016). Tensors that f takes, in tuples, lists and dicts
    too, and weights that it reaches by itself get their gradients. f returns Tensors, one or a tree of them.

    The second run finds what the first found: arrays and containers as they were, generators where they stood, so that
    dropout drops the same entries, the same `autocast`; running statistics move once. Hooks run once, those on Tensors
    from outside when the whole gradient is there. But f does run twice, with all else that it does. Backward raises
    InPlaceError if an argument or a weight was changed in place since, and GradientError if the second run went another
    way: other ops, shapes or weights.
    Differs from PyTorch (torch.utils.checkpoint, use_reentrant=False): no early stop; a change in place of a weight
    raises.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0, 2.0], requires_grad=True)
    >>> mt.checkpoint(lambda x: (x * x).exp(), x).sum().backward()
    >>> x.grad
    Tensor float32 (2,): [ 5.4366 218.3926]
    """
    if not is_recording():
        return f(*args, **settings)
    run = _Run(f, args, settings)
    before = next(serial)
    try:
        with switch(source=run.drawn):
            ys = f(*args, **settings)
    finally:
        run.drawn.close()
    if not any(y.requires_grad for y in _results(ys)):
        return ys
    ys, node, outside = _recorded(run, ys, before)  # the graph of the inside is gone, with the leaves that it made
    node.parents = tuple([p() if isinstance(p, weakref.ref) else p for p in outside])
    node.versions += watch([p for p in node.parents if isinstance(p, Variable)])
    return ys


def _recorded(run: _Run, ys: Any, before: int) -> tuple[Any, Node, list[Any]]:
    """Return the results with a Node behind them in the place of the inside, and what this reached outside."""
    outputs = _results(ys)
    places, inside = reached(outputs, before)
    node = Node(_REPLAY, (), None, (run,), run.seen(inside, outputs), tuple([y.data for y in outputs]))
    made = {id(y): share_version(wrap(y.data, Output(node, i)), y) for i, y in enumerate(outputs) if y.requires_grad}
    outside = [weakref.ref(p) if isinstance(p, Variable) else p for p in places]
    return mapped(lambda y: made.get(id(y), y), ys), node, outside


class _Run:
    """What the first run of a function leaves for the second: its arguments, its surroundings, and the way it went."""

    def __init__(self, f: Callable[..., Any], args: Any, settings: Any) -> None:
        self.f = f
        self.arguments = mapped(_kept, (args, settings))
        self.states = {**modes(), "recording": True, "replaying": True}
        self.drawn = Recorded()
        self.way: list[Any] = []

    def seen(self, inside: Sequence[Node], outputs: Sequence[Variable]) -> tuple[tuple[list[int], int], ...]:
        """Note the way, and return the versions of what the run was given or found outside."""
        self.way = _way(inside)
        own = {id(y.version) for y in outputs}
        given = watch(leaves(self.arguments))
        saved = {id(v[0]): v for node in inside for v in node.versions if id(v[0]) not in own}
        return (*given, *saved.values())

    def again(self) -> list[Variable]:
        """Run the function once more, and return its results."""
        args, settings = mapped(_kept, self.arguments)
        with switch(**self.states, source=Replayed(self.drawn)):
            return _results(self.f(*args, **settings))


class _Replay:
    """What a Node asks of its op: run the function again, and take the gradients of that."""

    name, broadcasts = "checkpoint", False

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Return the gradient of each place outside that the function reached."""
        assert node.saved is not None
        (run,) = node.saved
        before = next(serial)
        outputs = run.again()
        places, inside = reached(outputs, before)
        _compare(run.way, _way(inside), "it ran")
        _compare([*zip(node.shape, node.dtype, strict=True)], [(y.shape, y.dtype) for y in outputs], "it returned")
        pairs = zip(places, node.parents, strict=False)
        same = [q is None or (p.origin is q.origin and p.index == q.index) for p, q in pairs]
        if len(places) != len(node.parents) or not all(same):
            raise _another_way("it reached other weights or Tensors from outside")
        seeds = [
            (place(y), d if create_graph else widen(d))
            for y, d in zip(outputs, g, strict=True)
            if d is not None and y.requires_grad
        ]
        wanted = {p for p in node.parents if p is not None}
        found = Sweep(create_graph, create_graph, wanted, part=True).run(seeds)
        return [None if p is None else found.get(p) for p in node.parents]


_REPLAY = _Replay()


def _kept(x: Any) -> Any:
    """Return an argument as it is now, whatever becomes of it; a Tensor itself, whose version tells of changes."""
    return x.copy() if is_array(x) else copy.deepcopy(x) if isinstance(x, np.random.Generator) else x


def _results(ys: Any) -> list[Variable]:
    """Return the Tensors that the function returned."""
    found: list[Variable] = []

    def note(y: Array) -> None:
        if isinstance(y, Variable):
            found.append(y)
        elif y is not None:
            raise TypeError(f"checkpoint: the function must return Tensors; it returned {describe(y)}")

    mapped(note, ys)
    return found


def _way(nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
    return [(node.op.name, node.shape, node.dtype) for node in nodes]


def _compare(first: Sequence[tuple[Any, ...]], second: Sequence[tuple[Any, ...]], did: str) -> None:
    """Raise GradientError at the first step that differs."""
    for a, b in zip(first, second, strict=False):
        if a != b:
            raise _another_way(f"{did} {' '.join(map(str, b))} where the first had {' '.join(map(str, a))}")
    if len(first) != len(second):
        raise _another_way(f"{did} {len(second)} things, the first {len(first)}")


def _another_way(how: str) -> GradientError:
    return GradientError(
        f"checkpoint: the second run of the function went another way than the first: {how}. It has to do the same "
        "each time that it gets the same arguments, or its gradient is not that of its result"
    )
