"""The autograd engine: one loop that carries gradients back through the graph.

`run_backward` walks the nodes, newest first; `backward` and `grad` are its two doors. What a Variable and a Node are
stands in `graph.py`; how a call becomes a Node, and what a gradient rule is, in `op.py`.

The one idea to take along: **a rule is ordinary code over ops**. Called on arrays an op computes, called on Tensors
it records. So the same rule runs on raw arrays for `.backward()` (fast) and on Tensors under `create_graph=True`,
where the gradient becomes a graph that can be differentiated again, to any order.

Complex numbers: what users see is PyTorch's convention, the gradient of a real L with respect to z = a + ib is
dL/da + i dL/db. Its conjugate h, for which dL = Re(h dz), obeys the chain rule with plain derivatives, so that is what
travels here: a rule says g * b whatever b is, `outward` conjugates at the doors, and a real argument of a complex
result gets the real part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from threading import Lock
from typing import Any

from numpy import asarray

from minitensor import hooks
from minitensor.backend import is_array, namespace, plain, references, writable
from minitensor.errors import GradientError, InPlaceError
from minitensor.graph import Node, Output, Variable, describe, key_of, outward, place, state, switch, wrap
from minitensor.promotion import listed
from minitensor.sums import total

__all__ = ["backward", "grad", "run_backward"]

Array = Any

_accumulating = Lock()


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which its argument was broadcast."""
    extra = g.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1)
    return (total(g, axes) if axes else g).reshape(shape)


def _check_gradient(node: Node, i: int, parent: Any, g: Any) -> Any:
    """Bring one argument's gradient to its argument's shape and dtype, or say why that cannot be."""
    if g.shape != parent.shape:
        if not getattr(node.op, "broadcasts", False):
            raise GradientError(
                f"the rule of {node.op.name} for argument {i} returned shape {g.shape}; "
                f"the argument has shape {parent.shape}"
            )
        g = unbroadcast(g, parent.shape)
    if g.dtype is parent.dtype or g.dtype == parent.dtype:
        return g
    return (g.real if g.dtype.kind == "c" and parent.dtype.kind != "c" else g).astype(parent.dtype)


def _reaching(roots: Sequence[Any], wanted: set[Any]) -> set[int]:
    """Find the nodes through which a gradient must pass on its way from the roots to the wanted places.

    A freed node no longer knows its parents: it counts as one of them, so that reaching it raises.
    """
    nodes: dict[int, Node] = {}
    stack = [r.node if type(r) is Output else r for r in roots]
    while stack:
        node = stack.pop()
        if type(node) is Node and id(node) not in nodes:
            nodes[id(node)] = node
            stack.extend(p.node if type(p) is Output else p for p in node.parents if p is not None)
    needed = {i for i, node in nodes.items() if node.saved is None and not any(k[0] == i for k in wanted)}
    for node in sorted(nodes.values(), key=lambda n: n.serial):
        for p in node.parents:
            if p is not None and (key_of(p) in wanted or id(p.node if type(p) is Output else p) in needed):
                needed.add(id(node))
    return needed


def run_backward(
    seeds: Sequence[tuple[Any, Any]],
    retain_graph: bool,
    create_graph: bool,
    wanted: set[Any] | None = None,
    part: bool = False,
) -> dict[Any, Any]:
    """Carry gradients from the seeds `(place, gradient)` back through the graph, newest node first.

    With `wanted` (keys of places) the gradients that arrive there are returned and nothing else is touched or visited.
    A `part` of a backward, which `checkpoint` and `data_parallel` run inside another one, ends at the wanted places:
    what arrives is not all of their gradient, so it goes no further and their hooks wait for the whole. Without
    `wanted` the gradients are accumulated into the leaves' `.grad`. One node's gradient is complete when the node is
    popped, because every user of its result was created after it.
    """
    found: dict[Any, Any] = {}
    pending: dict[int, Any] = {}  # id(node) -> gradient of its result (a list, if there are several)
    owned: set[Any] = set()  # sums that were made here, which may be added to in place
    heap: list[tuple[int, Node]] = []
    hooked: dict[Any, Any] = {}  # places with hooks that a gradient has come to
    observer = state.observer
    needed = None if wanted is None else _reaching([s for s, _ in seeds], wanted)

    def add(store: Any, key: Any, mark: Any, g: Any) -> None:
        if create_graph or mark not in owned:
            store[key] = store[key] + g
            owned.add(mark)
        else:
            store[key] += g

    def through_hooks(node: Node, g: Any) -> Any:
        for index in [None] if type(g) is not list else range(len(g)):
            key = (id(node), index)
            if key in hooked:
                new = hooks.run(hooks.at(hooked.pop(key)) or {}, g if index is None else g[index])
                if key in found:
                    found[key] = new
                if index is None:
                    return new
                g[index] = new
        return g

    def stays(target: Any, g: Any) -> bool:
        """Keep a gradient that somebody wants or hooks wait for; say whether it goes no further."""
        key = key_of(target)
        asked = wanted is not None and key in wanted
        node = target.node if type(target) is Output else target
        leaf = type(node) is not Node
        waits = hooks.used and not (part and asked) and bool(hooks.at(target)) and (asked or not leaf or wanted is None)
        if waits:
            hooked[key] = target
        if asked or (leaf and waits):
            if key in found:
                add(found, key, ("found", key), g)
            else:
                found[key] = g
        if leaf:
            return wanted is not None or waits
        return (part and asked) or (needed is not None and id(node) not in needed)

    def deliver(target: Any, g: Any) -> None:
        if (wanted is not None or hooks.used) and stays(target, g):
            return
        kind = type(target)
        if kind is Node:
            if id(target) in pending:
                add(pending, id(target), id(target), g)
            else:
                pending[id(target)] = g
                heappush(heap, (-target.serial, target))
        elif kind is Output:
            node, index = target
            if id(node) not in pending:
                pending[id(node)] = [None] * len(node.shape)
                heappush(heap, (-node.serial, node))
            entries = pending[id(node)]
            if entries[index] is None:
                entries[index] = g
            else:
                add(entries, index, key_of(target), g)
        else:
            _accumulate(target, g, create_graph)

    for target, g in seeds:
        deliver(target, g)
    while heap:
        _, node = heappop(heap)
        g = pending.pop(id(node))
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
        if hooked:
            g = through_hooks(node, g)
        g = tuple(g) if type(g) is list else g
        if observer is None:
            grads = node.op.backward(node, g, create_graph)
        else:
            grads = observer.backward(node, g, partial(node.op.backward, node, g, create_graph))
        for i, (parent, gradient) in enumerate(zip(node.parents, grads, strict=True)):
            if parent is not None and gradient is not None:
                deliver(parent, _check_gradient(node, i, parent, gradient))
        if not retain_graph:
            node.saved, node.parents = None, ()
        del g, grads
    for key, target in hooked.items():  # leaves, and places at which `grad` stopped
        if key in found:
            found[key] = hooks.run(hooks.at(target) or {}, found[key])
        if wanted is None:
            _accumulate(target, found[key], create_graph)
    return found


def _accumulate(leaf: Variable, g: Any, create_graph: bool) -> None:
    """Add a gradient to a leaf's `.grad`, the first in the optimizer's flat buffer where it has a slot there.

    A gradient that somebody keeps from before stays what it was: if it is the slot's memory, this one gets its own.
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


def _incoming(gradient: Any, xp: Any) -> Any:
    """Bring a gradient that the user passes to an array of numbers."""
    if isinstance(gradient, (list, tuple)):
        return xp.asarray(listed(gradient)[0])
    return xp.asarray(plain(gradient if is_array(gradient) else asarray(gradient)))


def _seed(y: Any, gradient: Any, create_graph: bool) -> tuple[Any, Any]:
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


def backward(y: Variable, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
    """Accumulate dy/dleaf into the `.grad` of every leaf that requires grad; see `Tensor.backward`."""
    with switch("recording", create_graph):
        run_backward([_seed(y, gradient, create_graph)], retain_graph or create_graph, create_graph)


def _listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) or hasattr(x, "__next__") else [x]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
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
    with switch("recording", create_graph):
        seeds = [_seed(y, g, create_graph) for y, g in zip(outputs, given, strict=True)]
        found = run_backward(seeds, keep, create_graph, {key_of(place(x)) for x in inputs})
    results = [None if (g := found.get(key_of(place(x)))) is None else outward(g) for x in inputs]
    if not allow_unused and any(r is None for r in results):
        unused = [i for i, r in enumerate(results) if r is None]
        raise GradientError(f"the outputs do not depend on inputs {unused}: pass allow_unused=True to get None there")
    return tuple(r if r is None or create_graph else wrap(r.copy()) for r in results)
