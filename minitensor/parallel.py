"""`data_parallel`: one batch, computed in parts by several threads, as if by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import default_generator, device_of, is_array, own_generator
from minitensor.engine import run_backward
from minitensor.errors import GradientError
from minitensor.graph import Node, Variable, describe, key_of, place, reached, results, serial, state, switch, wrap
from minitensor.promotion import widen
from minitensor.threads import exclusive, get_num_threads, together

__all__ = ["data_parallel"]

LEAST = 8  # samples in a part: fewer are not worth the trouble


def data_parallel(f: Callable[..., Any], *args: Any) -> Any:
    """Return f(*args), computed in as many parts of the batch as there are threads, forward and backward.

        f(x) = concatenate(f(x[:n/2]), f(x[n/2:]))

    Arrays and Tensors in the arguments, in tuples, lists and dicts too, are cut along their first axis, of one length
    for all, and the results are joined along theirs. f treats each sample for itself;
    batch norm in it takes its statistics over all parts, exactly. What compares samples, as a contrastive loss, comes
    after. Gradients of the weights are summed in the order of the parts, so that the same seed and number of threads
    give the same bits. Draws of the default generator are those of a generator of each part's own; running statistics
    move once.

    A part has at least 8 samples. It runs f(*args) as it is with one thread, on a GPU, under a profiler, inside another
    part. Raises TypeError for results that are no arrays, ValueError for arguments of different lengths; GradientError
    for create_graph or a second backward.
    Differs from PyTorch: there DataParallel is for several GPUs, and normalises each part by itself.

    >>> import minitensor as mt
    >>> w = mt.Tensor([2.0], requires_grad=True)
    >>> mt.data_parallel(lambda x: x * w, mt.ones((4, 1))).sum().backward()
    >>> w.grad
    Tensor float32 (1,): [4.]
    """
    lengths = {len(a) for a in leaves(args)}
    if len(lengths) > 1:
        raise ValueError(f"data_parallel cuts all arrays alike; their first axes are {sorted(lengths)} long")
    n = lengths.pop() if lengths else 0
    count = min(get_num_threads(), n // LEAST)
    first = next((a.data for a in leaves(args) if isinstance(a, Variable)), None)
    if count < 2 or state.observer is not None or (first is not None and device_of(first) != "cpu"):
        return f(*args)
    with exclusive() as free:
        return _run(f, args, n, count) if free else f(*args)


def leaves(tree: Any) -> list[Any]:
    """Return the arrays and Tensors of nested tuples, lists and dicts."""
    if isinstance(tree, Variable) or is_array(tree):
        return [tree]
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    return [leaf for branch in tree for leaf in leaves(branch)] if isinstance(tree, (tuple, list)) else []


def mapped(f: Callable[..., Any], *trees: Any) -> Any:
    """Return a tree like the given ones, with f of their arrays; what is no array is the first's."""
    first = trees[0]
    if isinstance(first, Variable) or is_array(first):
        return f(*trees)
    if isinstance(first, dict):
        return {k: mapped(f, *[t[k] for t in trees]) for k in first}
    if isinstance(first, (tuple, list)):
        made = [mapped(f, *branch) for branch in zip(*trees, strict=True)]
        return type(first)(*made) if hasattr(first, "_fields") else type(first)(made)
    return first


def _run(f: Callable[..., Any], args: Any, n: int, count: int) -> Any:
    """Run the parts, and leave one Node behind for all of them."""
    bounds = [n * k // count for k in range(count + 1)]
    parts = [mapped(lambda a, k=k: a[bounds[k] : bounds[k + 1]], args) for k in range(count)]
    seeds = default_generator().integers(2**63, size=count)
    before, caller = next(serial), (state.recording, state.fused, state.replaying)

    def forward(rank: int) -> Any:
        recording, fused, replaying = caller
        with (
            switch("recording", recording),
            switch("fused", fused),
            switch("replaying", replaying or rank > 0),  # one of them moves running statistics
            own_generator(np.random.default_rng(seeds[rank])),
        ):
            return f(*parts[rank])

    made = together(forward, count)
    flat = [leaves(part) for part in made]
    arrays = tuple(np.concatenate([_data(y) for y in ys]) for ys in zip(*flat, strict=True))
    edges = tuple(reached([y for ys in flat for y in ys if _learns(y)], before, set()))
    node = None
    if edges:
        lengths = [[len(y) for y in ys] for ys in zip(*flat, strict=True)]
        sources = [[place(y) if _learns(y) else None for y in ys] for ys in flat]
        node = Node(_PARTS, edges, None, (sources, lengths), (), arrays)  # the parts' own nodes look at versions
    outputs = iter(results(arrays, node))

    def joined(first: Any) -> Any:
        y = next(outputs)
        return y if _learns(first) else wrap(y.data) if isinstance(first, Variable) else y.data

    return mapped(joined, _checked(made[0]))


def _data(y: Any) -> Any:
    return y.data if isinstance(y, Variable) else y


def _learns(y: Any) -> bool:
    return isinstance(y, Variable) and y.requires_grad


def _checked(tree: Any) -> Any:
    """Return results, if they are arrays through and through: a number could not be joined."""
    branches = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else ()
    for branch in branches:
        _checked(branch)
    if not isinstance(tree, (tuple, list, dict, Variable)) and tree is not None and not is_array(tree):
        raise TypeError(f"data_parallel: the function returns Tensors or arrays; it returned {describe(tree)}")
    return tree


class _Parts:
    """What a Node asks of its op: the gradients of all parts, added up."""

    name, broadcasts = "data_parallel", False

    def backward(self, node: Node, g: Any, create_graph: bool) -> Sequence[Any]:
        """Carry the gradients of each part's results back through its own graph, each in its own thread."""
        assert node.saved is not None
        if create_graph:
            raise GradientError("data_parallel has first derivatives only: call the function itself for higher ones")
        sources, lengths = node.saved
        wanted = {key_of(p) for p in node.parents}
        starts = [np.cumsum([0, *each]) for each in lengths]

        def part(rank: int) -> dict[Any, Any]:
            seeds = [
                (source, widen(d[start[rank] : start[rank + 1]]))
                for source, d, start in zip(sources[rank], g, starts, strict=True)
                if source is not None and d is not None
            ]
            return run_backward(seeds, False, False, wanted, stop=True)

        found = together(part, len(sources))
        return [_total([each[key] for each in found if key in each]) for key in map(key_of, node.parents)]


_PARTS = _Parts()


def _total(gradients: Sequence[Any]) -> Any:
    """Return their sum, first to last; None if there are none."""
    if not gradients:
        return None
    total = gradients[0]
    for g in gradients[1:]:
        total = total + g
    return total
