"""`checkpoint`: compute again in backward what would cost too much memory to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minitensor.backend import default_generator
from minitensor.composite import identity
from minitensor.engine import run_backward
from minitensor.graph import (
    Node,
    Variable,
    describe,
    enable_grad,
    is_recording,
    key_of,
    place,
    reached,
    results,
    serial,
    switch,
    watch,
    wrap,
)
from minitensor.promotion import widen

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Return f(*args, **settings), and keep nothing of its inside but the arguments: backward runs f a second time.

    Memory for time: of a chain of n blocks, each under `checkpoint`, only the n inputs and one block's inside are alive
    at once, for about a third more computation (Chen et al. 2016). The default generator is put back for the second
    run, so dropout drops the same entries, and running statistics move once. Weights that f reaches by itself get
    their gradients too. f takes and returns Tensors (one or a tuple).
    Differs from PyTorch (torch.utils.checkpoint, use_reentrant=False): generators other than the default one are not
    put back.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0, 2.0], requires_grad=True)
    >>> mt.checkpoint(lambda x: (x * x).exp(), x).sum().backward()
    >>> x.grad
    Tensor float32 (2,): [ 5.4366 218.3926]
    """
    if not is_recording():
        return f(*args, **settings)
    generator = default_generator().bit_generator.state
    inputs = [_leaf(a) if _wants(a) else a for a in args]
    before = next(serial)  # what is older than this was made outside
    ys = f(*inputs, **settings)
    many = isinstance(ys, (tuple, list))
    outputs = tuple(ys) if many else (ys,)
    for y in outputs:
        if not isinstance(y, Variable):
            raise TypeError(f"checkpoint: the function must return Tensors; it returned {describe(y)}")
    outside = reached(outputs, before, {id(x) for x in inputs})
    edges = (*[place(a) if _wants(a) else None for a in args], *outside)
    if not any(e is not None for e in edges):
        return ys
    arrays = tuple(y.data for y in outputs)
    saved = (f, [a.data if isinstance(a, Variable) else a for a in args], settings, generator)
    node = Node(_REPLAY, edges, None, saved, watch(args), arrays if many else arrays[0])
    made = results(arrays, node) if many else (results(arrays[0], node),)
    made = tuple(m if y.requires_grad else wrap(m.data) for m, y in zip(made, outputs, strict=True))
    return made if many else made[0]


class _Replay:
    """What a Node asks of its op: run the function again, and take the gradients of that."""

    name, broadcasts = "checkpoint", False

    def backward(self, node: Node, g: Any, create_graph: bool) -> Sequence[Any]:
        """Return the gradient of each argument, and of each place outside that the function reached."""
        assert node.saved is not None
        f, arrays, settings, generator = node.saved
        own, outside = node.parents[: len(arrays)], node.parents[len(arrays) :]
        inputs = [
            wrap(a) if p is None and hasattr(a, "dtype") else a if p is None else _input(a, p, create_graph)
            for a, p in zip(arrays, own, strict=True)
        ]
        with enable_grad(), switch("replaying", True), _generator_at(generator):
            ys = f(*inputs, **settings)
        many = type(node.dtype) is tuple
        pairs = zip(ys if many else (ys,), g if many else (g,), strict=True)
        seeds = [(place(y), d if create_graph else widen(d)) for y, d in pairs if d is not None and y.requires_grad]
        places = [p if p is None else place(x) for x, p in zip(inputs, own, strict=True)] + list(outside)
        wanted = {key_of(p) for p in places if p is not None}
        found = run_backward(seeds, create_graph, create_graph, wanted, stop=True)
        return [None if p is None else found.get(key_of(p)) for p in places]


_REPLAY = _Replay()


def _wants(a: Any) -> bool:
    return isinstance(a, Variable) and a.requires_grad


def _leaf(a: Any) -> Any:
    """Return a leaf of the same array, so that the graph of the inside ends there."""
    leaf = wrap(a.data if isinstance(a, Variable) else a)
    leaf.requires_grad = True
    return leaf


def _input(a: Any, p: Any, create_graph: bool) -> Any:
    """Return an argument of the second run, with a place of its own in the graph."""
    if not create_graph:
        return _leaf(a)
    return identity(p if isinstance(p, Variable) else wrap(a, p))


@contextmanager
def _generator_at(state: Any) -> Iterator[None]:
    """Put the default generator back to a state for a while."""
    bits = default_generator().bit_generator
    now = bits.state
    bits.state = state
    try:
        yield
    finally:
        bits.state = now
