"""Hooks on layers: functions that run before and after `forward`, and when the gradients of a layer are complete.

The gradients pass two gates, calls that change nothing and leave a Node each: one behind the layer's results, which
remembers what comes in, and one before its inputs, where what goes out is complete and the hooks run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minitensor.errors import GradientError
from minitensor.graph import Gradient, Node, Variable, describe, place, results, watch, wrap
from minitensor.hooks import Handle
from minitensor.modes import is_recording

__all__ = ["Hooked", "LayerHooks", "called"]

_number = itertools.count()


class Entry(NamedTuple):
    """A hook, and whether it sees the arguments that were passed by name."""

    hook: Callable[..., Any]
    with_kwargs: bool = False


class LayerHooks:
    """The hooks of one layer, by kind, in the order in which they run."""

    def __init__(self) -> None:
        self.before: dict[int, Entry] = {}
        self.after: dict[int, Entry] = {}
        self.backward: dict[int, Entry] = {}


def _registered(hooks: dict[int, Entry], hook: Any, prepend: bool, with_kwargs: bool = False) -> Handle:
    """Put a hook behind the others, or before them, and return what takes it away."""
    if not callable(hook):
        raise TypeError(f"a hook is a function; got {describe(hook)}")
    number, others = next(_number), dict(hooks)
    if prepend:
        hooks.clear()
    hooks[number] = Entry(hook, with_kwargs)
    hooks.update(others)
    return Handle(hooks, number)


class Hooked:
    """The base of Layer: what registers hooks."""

    def _hooks(self) -> LayerHooks:
        found: LayerHooks = self.__dict__.setdefault("_layer_hooks", LayerHooks())
        return found

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(layer, args)` before each `forward`; what it returns (or None) takes the arguments' place.

        with_kwargs: `hook(layer, args, kwargs)`, which returns (args, kwargs) or None. Hooks run in their order of
        registration, one with `prepend` before the others. The handle takes it away: `remove()`, or the end of a
        `with` block.

        >>> from minitensor import Tensor
        >>> from minitensor.nn import ReLU
        >>> layer = ReLU()
        >>> with layer.register_forward_pre_hook(lambda layer, args: -args[0]):
        ...     layer(Tensor([1.0, -2.0]))
        Tensor float32 (2,): [0. 2.]
        """
        return _registered(self._hooks().before, hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(layer, args, y)` after each `forward`; what it returns (or None) takes the result's place.

        with_kwargs: `hook(layer, args, kwargs, y)`. Order and handle as for `register_forward_pre_hook`.
        Differs from PyTorch: no always_call.

        >>> from minitensor import Tensor
        >>> from minitensor.nn import ReLU
        >>> layer = ReLU()
        >>> with layer.register_forward_hook(lambda layer, args, y: y + 1):
        ...     layer(Tensor([1.0, -2.0]))
        Tensor float32 (2,): [2. 1.]
        """
        return _registered(self._hooks().after, hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call `hook(layer, grad_input, grad_output)` when the gradients of a call's arguments are complete.

        Both are tuples, with None for what is no float Tensor or got no gradient; arguments by name are left out.
        What the hook returns (or None) takes grad_input's place. If no argument requires grad, it runs when the
        results' gradients are complete, and may change nothing. Order and handle as for `register_forward_pre_hook`.

        >>> from minitensor import Tensor
        >>> from minitensor.nn import ReLU
        >>> layer, x = ReLU(), Tensor([1.0, -2.0], requires_grad=True)
        >>> handle = layer.register_full_backward_hook(lambda layer, grad_input, grad_output: (grad_input[0] * 10,))
        >>> layer(x).sum().backward()
        >>> x.grad
        Tensor float32 (2,): [10. 0.]
        """
        return _registered(self._hooks().backward, hook, prepend)


def called(layer: Any, hooks: LayerHooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what the layer makes of its arguments, hooks included."""
    for entry in list(hooks.before.values()):
        if entry.with_kwargs:
            changed = entry.hook(layer, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise TypeError(f"a pre-hook with_kwargs returns None or (args, kwargs); got {describe(changed)}")
                args, kwargs = changed
        elif (changed := entry.hook(layer, args)) is not None:
            args = changed if isinstance(changed, tuple) else (changed,)
    passing = _Passing(layer, list(hooks.backward.values())) if hooks.backward and is_recording() else None
    if passing is not None:
        args = passing.enter(args)
    y = layer.forward(*args, **kwargs)
    for entry in list(hooks.after.values()):
        changed = entry.hook(layer, args, kwargs, y) if entry.with_kwargs else entry.hook(layer, args, y)
        y = y if changed is None else changed
    return y if passing is None else passing.leave(y)


class _Passing:
    """One call of a layer with backward hooks: what its two gates know of each other."""

    def __init__(self, layer: Any, entries: list[Entry]) -> None:
        self.layer, self.entries = layer, entries
        self.count = 0  # of arguments
        self.positions: list[int] = []  # of those that go through the gate
        self.incoming: tuple[Any, ...] | None = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Lead the float Tensors among the arguments through a gate, if one requires grad."""
        self.count = len(args)
        return tuple(self._gate(_ENTRY, args, self.positions))

    def leave(self, y: Any) -> Any:
        """Lead a result, or those in a tuple, through a gate."""
        if isinstance(y, Variable):
            return self._gate(_EXIT, [y], [])[0]
        if not isinstance(y, (tuple, list)):
            return y
        values = self._gate(_EXIT, y, [])
        return type(y)(*values) if hasattr(y, "_fields") else type(y)(values)

    def _gate(self, gate: Any, values: Sequence[Any], positions: list[int]) -> list[Any]:
        floats = [i for i, v in enumerate(values) if isinstance(v, Variable) and v.dtype.kind in "fV"]
        result = list(values)
        if any(values[i].requires_grad for i in floats):
            positions += floats if gate is _ENTRY else [i for i in floats if values[i].requires_grad]
            through = [values[i] for i in positions]
            arrays, edges = (
                tuple(v.data for v in through),
                tuple(place(v) if v.requires_grad else None for v in through),
            )
            node = Node(gate, edges, None, (self, len(values), tuple(positions)), (), arrays)
            for i, v, new in zip(positions, through, results(arrays, node), strict=True):
                watch([v])  # which gives it a version, to share
                new.version = v.version
                result[i] = new
        return result

    def run(self, outgoing: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pass the gradients of the arguments through the hooks."""
        incoming, self.incoming = self.incoming, None
        if incoming is None:  # the layer's results got no gradient
            return outgoing
        for entry in self.entries:
            changed = entry.hook(self.layer, outgoing, incoming)
            if changed is None:
                continue
            if not self.positions:
                raise GradientError(
                    "a full backward hook changes the gradients of arguments that require grad; this call had none"
                )
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != self.count:
                raise GradientError(
                    f"a full backward hook returns a gradient or None for each of {self.count} arguments; got "
                    f"{len(changed)}"
                )
            outgoing = changed
        return outgoing


class _Exit:
    """The gate behind the results: it remembers the gradients that come in."""

    name, broadcasts = "results of a layer", False

    def backward(self, node: Node, g: Sequence[Any], create_graph: bool) -> Sequence[Any]:
        """Return the gradients as they are."""
        assert node.saved is not None
        passing, count, positions = node.saved
        passing.incoming = _spread(g, count, positions)
        if not passing.positions:
            passing.run((None,) * passing.count)
        return g


class _Entry:
    """The gate before the arguments: it runs the hooks."""

    name, broadcasts = "arguments of a layer", False

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Return what the hooks make of the gradients."""
        assert node.saved is not None
        passing, count, positions = node.saved
        after = passing.run(_spread(g, count, positions))
        chosen = [after[i] for i in positions]
        return chosen if create_graph else [d.data if isinstance(d, Variable) else d for d in chosen]


_EXIT, _ENTRY = _Exit(), _Entry()


def _spread(g: Any, count: int, positions: tuple[int, ...]) -> tuple[Any, ...]:
    """Return gradients as Tensors at their places, None elsewhere."""
    at = dict(zip(positions, g, strict=True))
    return tuple(None if (d := at.get(i)) is None else d if isinstance(d, Variable) else wrap(d) for i in range(count))
