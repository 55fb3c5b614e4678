"""The autograd engine: one loop that carries gradients back through the graph.

`Sweep.run` walks the nodes, newest first; `backward` and `grad` call it. What a Variable and a Node are
stands in `graph.py`; how a call becomes a Node, and what a gradient rule is, in `op.py`.

The one idea to take along: **a rule is ordinary code over ops**. Called on arrays an op computes, called on Tensors
it records. So the same rule runs on raw arrays for `.backward()` (fast) and on Tensors under `create_graph=True`,
where the gradient becomes a graph that can be differentiated again, to any order.

Complex numbers: what users see is PyTorch's convention, the gradient of a real L with respect to z = a + ib is
dL/da + i dL/db. Its conjugate h, for which dL = Re(h dz), obeys the chain rule with plain derivatives, so that is what
travels here: a rule says g * b whatever b is, `outward` conjugates where gradients enter and leave, and a real
argument of a complex result gets the real part.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from heapq import heappop, heappush
from threading import Lock
from types import ModuleType
from typing import Any

from numpy import asarray

from minitensor import hooks
from minitensor.backend import Array, is_array, namespace, plain, references, writable
from minitensor.errors import GradientError, InPlaceError
from minitensor.graph import Gradient, Node, Output, Place, Variable, describe, outward, place, state, wrap
from minitensor.modes import switch
from minitensor.promotion import listed
from minitensor.sums import total

__all__ = ["Sweep", "backward", "grad"]


_accumulating = Lock()


class Sweep:
    """One pass back through the graph, newest call first.

    pending: the sum of the gradients that have arrived at each place not yet visited. When a node is the newest that
    waits, its gradient is complete, because every call that used its result was made after it.

    With `wanted` places only the nodes that lead there are visited, and what arrives is returned; without, gradients
    are added to the leaves' `.grad`. A `part` of a pass, which `checkpoint` and `data_parallel` run inside
    another one, ends at the wanted places: what arrives is not all of their gradient, so it goes no further and their
    hooks wait for the whole.
    """

    def __init__(
        self, retain_graph: bool, create_graph: bool, wanted: Collection[Place] | None = None, part: bool = False
    ) -> None:
        self.retain_graph, self.create_graph, self.part = retain_graph, create_graph, part
        self.waiting: list[tuple[int, Node]] = []  # a heap: the newest comes first
        self.pending: dict[Place, Gradient] = {}
        self.sums: set[Place] = set()  # places whose pending gradient is a sum made here, which nobody else holds
        self.observer, self.arrivals = state.observer, state.arrivals
        self.wanted = wanted
        self.route: set[Place] = set()  # the nodes that lead to the wanted places
        self.found: dict[Place, Gradient] = {}

    def run(self, seeds: Sequence[tuple[Place, Gradient]]) -> dict[Place, Gradient]:
        """Carry the gradients of the seeds, pairs (place, gradient), back through the graph."""
        if self.wanted is not None:
            self.route = _route([start for start, _ in seeds], self.wanted)
        for start, g in seeds:
            self.deliver(start, g)
        if self.arrivals is not None:
            self.arrivals.begin([start for start, _ in seeds], self.wanted or ())
        while self.waiting:
            _, node = heappop(self.waiting)
            g = self.arrived(node)
            if g is None:
                continue
            for i, (parent, gradient) in enumerate(zip(node.parents, self.rules(node, g), strict=True)):
                if parent is not None and gradient is not None:
                    self.deliver(parent, _fitted(gradient, parent, node, i))
            if self.arrivals is not None:
                self.tell(node)
            if not self.retain_graph:
                node.saved, node.parents = None, ()
        self.finish()
        return self.found

    def tell(self, node: Node) -> None:
        """Say which leaves have their whole gradient now that a node was passed, in a part of a pass too.

        Those with hooks wait for the end.
        """
        for leaf in self.arrivals.passed(node):
            if hooks.used and hooks.at(leaf):
                continue
            if leaf in self.pending:
                _accumulate(leaf, self.pending.pop(leaf), False)
            self.arrivals.then(leaf)

    def deliver(self, place: Place, g: Gradient) -> None:
        """Add a gradient to what has come to a place so far; the first puts its node into the heap."""
        if place in self.pending:
            self.add(place, g)
        elif self.wanted is not None and place not in self.wanted and place.origin not in self.route:
            return
        elif type(place) is Node or type(place) is Output:
            node = place if type(place) is Node else place.origin  # quicker than the property
            self.pending[place] = g
            heappush(self.waiting, (-node.serial, node))
        elif self.wanted is not None or (hooks.used and hooks.at(place)):
            self.pending[place] = g
        else:
            _accumulate(place, g, self.create_graph)

    def add(self, place: Place, g: Gradient) -> None:
        """Add to a pending gradient: in place only if it was made here, since the first may be somebody else's too."""
        if self.create_graph or place not in self.sums:
            self.pending[place] = self.pending[place] + g
            self.sums.add(place)
        else:
            self.pending[place] += g

    def arrived(self, node: Node) -> Gradient:
        """Return the gradient of a node's result, a tuple if there are several; None if it goes no further."""
        if type(node.dtype) is not tuple:
            g = self.pending.pop(node)
            return self.completed(node, g) if self.wanted is not None or hooks.used else g
        gs = [self.pending.pop(place, None) for place in node.places]
        gs = [g if g is None else self.completed(place, g) for place, g in zip(node.places, gs, strict=True)]
        return None if all(g is None for g in gs) else tuple(gs)

    def completed(self, place: Place, g: Gradient) -> Gradient | None:
        """Pass the complete gradient of a place through its hooks and keep it if wanted; None if it ends here."""
        asked = self.wanted is not None and place in self.wanted
        if hooks.used and not (asked and self.part):
            g = hooks.run(hooks.at(place), g)
        if asked:
            self.found[place] = g
        ends = asked and (self.part or place.origin not in self.route)
        return None if ends else g

    def rules(self, node: Node, g: Gradient) -> Sequence[Gradient | None]:
        """Run the gradient rules of a call, if what it saved is still there and still the same."""
        if node.saved is None:
            raise GradientError(
                f"backward through the result of {node.op.name} a second time: what it saved was freed by the first. "
                "Pass retain_graph=True to the first call"
            )
        for counter, value in node.versions:
            if counter[0] != value:
                raise InPlaceError(
                    f"an array that {node.op.name} saved for its gradient was changed in place since: it is at version "
                    f"{counter[0]}, and was saved at {value}. Change a copy, or call backward first"
                )
        if self.observer is None:
            return node.op.backward(node, g, self.create_graph)
        return self.observer.backward(node, g, partial(node.op.backward, node, g, self.create_graph))

    def finish(self) -> None:
        """Settle the leaves that waited for their whole gradient: those that are wanted or have hooks."""
        if self.arrivals is not None:
            self.arrivals.end()
        for leaf, g in self.pending.items():
            g = self.completed(leaf, g)
            if self.wanted is None and isinstance(leaf, Variable):
                _accumulate(leaf, g, self.create_graph)


def _route(starts: Sequence[Place], wanted: Collection[Place]) -> set[Place]:
    """Return the nodes that a gradient must pass on its way to the wanted places.

    A freed node no longer knows its parents: it counts as leading there, so that reaching it raises.
    """
    nodes: dict[Node, None] = {}
    stack = [place.origin for place in starts]
    while stack:
        node = stack.pop()
        if type(node) is Node and node not in nodes:
            nodes[node] = None
            stack.extend(p.origin for p in node.parents if p is not None)
    ends = {place.origin for place in wanted}
    route: set[Place] = {node for node in nodes if node.saved is None and node not in ends}
    for node in sorted(nodes, key=lambda n: n.serial):
        if any(p is not None and (p in wanted or p.origin in route) for p in node.parents):
            route.add(node)
    return route


def unbroadcast(g: Gradient, shape: tuple[int, ...]) -> Gradient:
    """Sum a gradient over the axes along which its argument was broadcast."""
    extra = g.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1)
    return (total(g, axes) if axes else g).reshape(shape)


def _fitted(g: Gradient, place: Place, node: Node, i: int) -> Gradient:
    """Bring one argument's gradient to its argument's shape and dtype, or say why that cannot be."""
    if g.shape != place.shape:
        if not node.op.broadcasts:
            raise GradientError(
                f"the rule of {node.op.name} for argument {i} returned shape {g.shape}; "
                f"the argument has shape {place.shape}"
            )
        g = unbroadcast(g, place.shape)
    if g.dtype is place.dtype or g.dtype == place.dtype:
        return g
    return (g.real if g.dtype.kind == "c" and place.dtype.kind != "c" else g).astype(place.dtype)


def _accumulate(leaf: Variable, g: Gradient, create_graph: bool) -> None:
    """Add a gradient to a leaf's `.grad`. If there is none yet, it goes into the leaf's slot, if an optimizer made one.

    If somebody still keeps an earlier gradient in the slot's memory, the slot is left alone, and this one is a copy.
    """
    g = outward(g)
    with _accumulating:  # several threads may run backward into one leaf
        before = leaf._grad
        if create_graph:
            leaf._grad = g * 1 if before is None else before + g  # a copy: another leaf may have been handed g
        elif before is None:
            if leaf.slot is None or references(leaf.slot) > leaf.slot_free:
                leaf._grad = wrap(g.copy())  # a copy: two leaves may have been handed the same array
            else:
                leaf.slot[...] = g
                leaf._grad = wrap(leaf.slot)
        else:
            if before.data is not leaf.slot:
                before.data = writable(before.data)
            before.data += g
            before.changed()


def _incoming(gradient: Gradient, xp: ModuleType) -> Gradient:
    """Return a gradient that the user passes as an array."""
    if isinstance(gradient, (list, tuple)):
        return xp.asarray(listed(gradient)[0])
    return xp.asarray(plain(gradient if is_array(gradient) else asarray(gradient)))


def _seed(y: Array, gradient: Gradient, create_graph: bool) -> tuple[Gradient, Gradient]:
    """Pair a place in the graph with the gradient that enters there: 1 for a scalar."""
    if not isinstance(y, Variable) or not y.requires_grad:
        raise GradientError(
            f"a gradient was asked of {describe(y)}, which does not depend on anything that requires grad"
        )
    if gradient is None:
        if y.data.size != 1:
            raise GradientError(
                f"a gradient can start by itself only from a single number; this Tensor has shape {y.shape}: "
                "pass the incoming gradient, or reduce it with .sum() or .mean()"
            )
        if y.dtype.kind == "c":
            raise GradientError(
                f"a gradient can start by itself only from a real number; this Tensor is {y.dtype}: "
                "pass the incoming gradient, or take .real or .abs()"
            )
        gradient = namespace(y.data).ones_like(y.data)
    array = gradient.data if isinstance(gradient, Variable) else _incoming(gradient, namespace(y.data))
    if y.dtype.kind != "c" and array.dtype.kind == "c":
        raise GradientError(f"the incoming gradient is complex; the Tensor is {y.dtype}, so its gradient is real")
    if array.shape != y.shape:
        raise GradientError(f"the incoming gradient has shape {array.shape}; the Tensor has shape {y.shape}")
    array = array if array.dtype == y.dtype else array.astype(y.dtype)
    return place(y), outward((gradient if isinstance(gradient, Variable) else wrap(array)) if create_graph else array)


def backward(y: Variable, gradient: Gradient = None, retain_graph: bool = False, create_graph: bool = False) -> None:
    """Accumulate dy/dleaf into the `.grad` of every leaf that requires grad; see `Tensor.backward`."""
    with switch(recording=create_graph, arrivals=None if create_graph else state.arrivals):
        Sweep(retain_graph or create_graph, create_graph).run([_seed(y, gradient, create_graph)])


def _listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) or hasattr(x, "__next__") else [x]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Gradient = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Gradient, ...]:
    """Return the gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    Computes sum_k grad_outputs[k] · d outputs[k] / d inputs[i] for each i. `inputs` may be leaves or any Tensor of the
    graph. With `create_graph` the results can be differentiated again. An input that the outputs do not depend on
    raises GradientError, or gives None with `allow_unused`.
    Differs from PyTorch: no is_grads_batched and materialize_grads.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0, 2.0], requires_grad=True)
    >>> (g,) = mt.grad((x * x * x).sum(), x, create_graph=True)
    >>> mt.grad(g.sum(), x)
    (Tensor float32 (2,): [ 6. 12.],)
    """
    outputs, inputs = _listed(outputs), _listed(inputs)
    given = [None] * len(outputs) if grad_outputs is None else _listed(grad_outputs)
    if len(given) != len(outputs):
        raise GradientError(f"grad takes one of grad_outputs for each output: got {len(given)} for {len(outputs)}")
    for x in inputs:
        if not isinstance(x, Variable) or not x.requires_grad:
            raise GradientError(f"a gradient was asked with respect to {describe(x)}, which does not require grad")
    keep = create_graph if retain_graph is None else retain_graph
    with switch(recording=create_graph, arrivals=None):
        seeds = [_seed(y, g, create_graph) for y, g in zip(outputs, given, strict=True)]
        found = Sweep(keep, create_graph, {place(x) for x in inputs}).run(seeds)
    results = [None if (g := found.get(place(x))) is None else outward(g) for x in inputs]
    if not allow_unused and any(r is None for r in results):
        unused = [i for i, r in enumerate(results) if r is None]
        raise GradientError(f"the outputs do not depend on inputs {unused}: pass allow_unused=True to get None there")
    return tuple(r if r is None or create_graph else wrap(r.copy()) for r in results)
