"""`data_parallel`: one batch, computed in parts by several threads and processes, as if by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, device_of, namespace
from minitensor.engine import Sweep
from minitensor.errors import GradientError, ParallelError
from minitensor.generators import Part, Rows, Shares, Source, remembered
from minitensor.graph import Gradient, Node, Variable, describe, place, reached, results, serial, state, wrap
from minitensor.modes import modes, switch
from minitensor.promotion import widen
from minitensor.team import Team, member
from minitensor.threads import exclusive, get_num_threads, together
from minitensor.trees import is_data, leaves, mapped

__all__ = ["data_parallel"]

LEAST = 8  # samples in a part: fewer are not worth the trouble


def data_parallel(f: Callable[..., Any], *args: Any, team: Team | None = None) -> Any:
    """Return f(*args), computed in as many parts of the batch as there are threads, forward and backward.

        f(x) = concatenate(f(x[:n/2]), f(x[n/2:]))

    Arrays and Tensors in the arguments, in tuples, lists and dicts too, are cut along their first axis, of one length
    for all, and the results are joined along theirs. f treats each sample for itself; batch norm in it takes its
    statistics over all parts, exactly. What compares samples, as a contrastive loss, comes after. Gradients of the
    weights are summed in the order of the parts, and random draws are those of generators of each part's own, so that
    the same seed and number of threads give the same bits. Running statistics move once, by those of the whole batch.
    Hooks on Tensors from outside run once, with the whole gradient; those of layers in f once in each part.

    team: other processes, which compute the same batch (`minitensor.teams.join`). Then the arguments are the part of
    the batch that this process has, in the order of the ranks, and the results are the whole batch's, in each process;
    what the gradients are then, says `minitensor.team.Team`. The number of samples may differ. With one thread in each
    process, random draws are those that one process with one thread would have made for the whole batch.

    A part has at least 8 samples. Without other processes it runs f(*args) as it is with one thread, on a GPU, under a
    profiler, inside another part. Raises TypeError for results that are no arrays, ValueError for arguments of
    different lengths; ParallelError if the parts return different things, or do not all come to the same batch norm;
    GradientError for create_graph or a second backward.
    Differs from PyTorch: there DataParallel is for several GPUs, and normalizes each part by itself.

    >>> import minitensor as mt
    >>> w = mt.Tensor([2.0], requires_grad=True)
    >>> mt.data_parallel(lambda x: x * w, mt.ones((4, 1))).sum().backward()
    >>> w.grad
    Tensor float32 (1,): [4.]
    """
    arrays = leaves(args)
    if single := [a for a in arrays if not a.shape]:
        raise ValueError(f"data_parallel cuts all arrays along their first axis; {describe(single[0])} has none")
    lengths = {len(a) for a in arrays}
    if len(lengths) > 1:
        raise ValueError(f"data_parallel cuts all arrays alike; their first axes are {sorted(lengths)} long")
    n = lengths.pop() if lengths else 0
    if member.team is not None:
        return f(*args)
    cut = state.observer is None and all(device_of(a.data) == "cpu" for a in arrays if isinstance(a, Variable))
    count = remembered(lambda: min(get_num_threads(), n // LEAST) if cut else 1)
    outer = None if team is None or team.size == 1 else team
    return f(*args) if count < 2 and outer is None else _run(f, args, n, max(count, 1), outer)


def _run(f: Callable[..., Any], args: Any, n: int, count: int, outer: Team | None) -> Any:
    """Run the parts, and leave one Node behind for all of them."""
    bounds = [n * k // count for k in range(count + 1)]
    parts = [mapped(lambda a, k=k: a[bounds[k] : bounds[k + 1]] if is_data(a) else a, args) for k in range(count)]
    sources, before, states = _sources(n, count, outer), next(serial), {**modes(), "observer": state.observer}

    def forward(rank: int) -> Any:
        moves = {"replaying": state.replaying or rank > 0}  # one of them moves running statistics
        with switch(**{**states, **moves}, source=sources[rank]):
            return f(*parts[rank])

    with exclusive():
        made = together(forward, count, outer)
    if outer is not None and isinstance(rows := sources[0], Rows):
        rows.agree(outer)
    columns = _columns(made)
    own = [_joined([_data(y) for y in ys]) for ys in columns]
    wholes = [[y] if outer is None else outer.gather(y, "what the function returned") for y in own]
    arrays = tuple(map(_joined, wholes))
    places, _ = reached([y for ys in columns for y in ys if _learns(y)], before)
    node = None
    if places:
        lengths = [[len(y) for y in ys] for ys in columns]
        ends = [[place(y) if _learns(y) else None for y in ys] for ys in zip(*columns, strict=True)]
        rank = 0 if outer is None else outer.rank
        firsts = [sum(map(len, ys[:rank])) for ys in wholes]
        node = Node(_PARTS, tuple(places), None, (ends, lengths, firsts, outer), (), arrays)
        # it looks at no versions: the parts' nodes do
    outputs = iter(zip(results(arrays, node), columns, strict=True))

    def joined(first: Any) -> Any:
        if first is None:
            return None
        y, column = next(outputs)
        return y if any(map(_learns, column)) else wrap(y.data) if isinstance(first, Variable) else y.data

    return mapped(joined, made[0])


def _sources(n: int, count: int, outer: Team | None) -> Sequence[Source]:
    """Return what each part of n samples draws from."""
    if outer is None:
        shares = Shares(count)
        return [Part(shares, rank) for rank in range(count)]
    if count == 1:
        lengths = outer.gather(n)
        return [Rows(sum(lengths[: outer.rank]), n, sum(lengths))]
    shares = Shares(count * outer.size)
    return [Part(shares, outer.rank * count + rank) for rank in range(count)]


def _joined(arrays: Sequence[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else namespace(*arrays).concatenate(arrays)


def _data(y: Array) -> Any:
    return y.data if isinstance(y, Variable) else y


def _learns(y: Array) -> bool:
    return isinstance(y, Variable) and y.requires_grad


def _columns(made: list[Any]) -> list[tuple[Any, ...]]:
    """Return, for each array of the results, what each part has of it."""
    columns: list[tuple[Any, ...]] = []

    def note(*ys: Any) -> None:
        if all(y is None for y in ys):
            return
        if strange := [y for y in ys if not is_data(y) and y is not None]:
            raise TypeError(
                f"data_parallel: the function returns Tensors or arrays; it returned {describe(strange[0])}"
            )
        if any(not is_data(y) or y.shape[1:] != ys[0].shape[1:] or y.dtype != ys[0].dtype for y in ys):
            raise ValueError(f"they returned {' and '.join(map(describe, ys))}")
        if not ys[0].shape:
            raise ValueError(f"they returned {describe(ys[0])}, which has no axis of samples (reduce it afterwards)")
        columns.append(ys)

    try:
        mapped(note, *made)
    except ValueError as error:
        raise ParallelError(f"data_parallel: what the parts of the batch returned cannot be joined: {error}") from None
    return columns


class _Parts:
    """What a Node asks of its op: the gradients of all parts, added up."""

    name, broadcasts = "data_parallel", False

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Carry the gradients of each part's results back through its own graph, each in its own thread."""
        assert node.saved is not None
        if create_graph:
            raise GradientError("data_parallel has first derivatives only: call the function itself for higher ones")
        sources, lengths, firsts, outer = node.saved
        wanted = {p for p in node.parents if p is not None}
        starts = [np.cumsum([first, *each]) for first, each in zip(firsts, lengths, strict=True)]
        if outer is not None:
            g = [d if d is None else outer.total(d) for d in g]
        states = {**modes(), "observer": state.observer}
        states |= {"arrivals": None} if len(sources) > 1 else {}  # no part has a whole gradient

        def part(rank: int) -> dict[Any, Any]:
            seeds = [
                (source, widen(d[start[rank] : start[rank + 1]]))
                for source, d, start in zip(sources[rank], g, starts, strict=True)
                if source is not None and d is not None
            ]
            with switch(**states):
                return Sweep(False, False, wanted, part=True).run(seeds)

        with exclusive():
            found = together(part, len(sources), outer)
        return [_total([each[p] for each in found if p in each]) for p in node.parents]


_PARTS = _Parts()


def _total(gradients: Sequence[Gradient]) -> Gradient:
    """Return their sum, first to last; None if there are none."""
    if not gradients:
        return None
    total = gradients[0]
    for g in gradients[1:]:
        total = total + g
    return total
