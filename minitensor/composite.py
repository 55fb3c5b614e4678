"""Composites: plain Python over ops, to which hand-written kernels may be attached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy import ndarray

from minitensor.backend import is_array, is_half, is_plain, namespace, plain
from minitensor.declaration import Declaration, refuse_tensor
from minitensor.engine import grad
from minitensor.graph import Node, Variable, parents, results, state, watch, wrap
from minitensor.op import op
from minitensor.precision import cast
from minitensor.promotion import refuse_complex, settle
from minitensor.pullback import Pullback, observed, wanted

__all__ = ["Composite", "composite", "identity"]

Array = Any
UNUSUAL = frozenset("eEFD")  # how NumPy abbreviates half precision and complex dtypes


class Composite(Declaration):
    """Plain Python over ops, to which hand-written kernels may be attached; see `composite`."""

    def __init__(self, function: Callable[..., Any], moves: bool = False, complex: bool = False) -> None:
        super().__init__(function, complex or moves)
        self.moves = moves
        notes = function.__annotations__
        self.array_settings = tuple(n for n in self.defaults if "Array" in str(notes.get(n)))  # weights of a loss, say

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Run the attached kernel of the operands' device, if there is one that takes them; else the plain Python."""
        for name, value in settings.items():
            if name not in self.defaults and name not in self.arguments[len(args) :]:
                self.refuse(name)
            if isinstance(value, (Variable, ndarray, tuple, list)):
                taken = self._setting(name, value)
                settings = settings if taken is value else {**settings, name: taken}
        for a in args:
            if isinstance(a, ndarray) and not is_plain(a):
                args = tuple(plain(x) if isinstance(x, ndarray) else x for x in args)
                break
        if state.observer is not None:
            result = state.observer.composite(self, args, settings)  # takes it as a whole, or leaves it
            if result is not NotImplemented:
                return result
        if state.autocast is not None:
            args = cast(self.name, args)
        if not self.moves and UNUSUAL & {a.dtype.char for a in args if hasattr(a, "dtype")}:
            if (found := self._unusual(args, settings)) is not NotImplemented:
                return found
        if self.kernels and state.fused:
            first = next((a for a in args if isinstance(a, Variable)), None)
            if first is None or first.dtype.kind not in "fV" or self._differentiates(settings):
                return self.forward(*args, **settings)
            result = self._by_kernel(args, settings)
            if result is not NotImplemented:
                return result
        return self.forward(*args, **settings)

    def _setting(self, name: str, value: Any) -> Any:
        """Return what was passed by name as a plain value; refuse one whose gradient a kernel would lose in silence."""
        if isinstance(value, ndarray):
            return plain(value)
        if name not in self.defaults or name in self.array_settings:
            return value
        several = isinstance(value, (tuple, list))
        for v in value if several else (value,):
            if isinstance(v, Variable) and v.requires_grad and state.recording:
                refuse_tensor(self.name, name, v)
        return value if several or value.shape else value.data.item()

    def _differentiates(self, settings: dict[str, Any]) -> bool:
        """Whether a setting that is an array needs a gradient, of which the kernels know nothing."""
        return any(isinstance(settings.get(name), Variable) for name in self.array_settings)

    def _unusual(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Refuse complex numbers, or leave them to the ops; run half precision as it has to be."""
        dtypes = [a.dtype for a in args if hasattr(a, "dtype")]
        if mixed := [d for d in dtypes if d.kind == "c"]:
            if self.real:
                refuse_complex(self.real, mixed[0])
            return self.forward(*args, **settings)
        half = any(isinstance(a, Variable) and is_half(a.dtype) for a in args)
        return self._widened(args, settings) if half else NotImplemented

    def _widened(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Run half precision on the CPU in float32 from end to end: narrowed between its ops it would overflow."""
        floats = [a.dtype for a in args if isinstance(a, Variable) and a.dtype.kind in "fV"]
        if any(namespace(a.data) is not np for a in args if isinstance(a, Variable)):
            return NotImplemented
        half = [isinstance(a, Variable) and is_half(a.dtype) for a in args]
        wide = [a.astype("float32") if h else a for a, h in zip(args, half, strict=True)]
        y = self(*wide, **settings)
        if any(d != floats[0] for d in floats):
            return y  # float16 with bfloat16 or float32 gives float32
        if isinstance(y, (tuple, list)):
            return type(y)(v.astype(floats[0]) if v.dtype == np.float32 else v for v in y)
        return y.astype(floats[0]) if y.dtype == np.float32 else y

    def _by_kernel(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        args, settings = self.bind(args, settings)
        differentiable = [a is not None for a in args]
        edges = parents(args, differentiable) if state.recording else None
        try:
            arrays: list[Any] = [a.data if isinstance(a, Variable) else a for a in args]
            if edges is not None:  # what a kernel keeps of a raw array could change unseen
                arrays = [x.copy() if is_array(a) else x for x, a in zip(arrays, args, strict=True)]
            floats = [is_array(a) and a.dtype.kind in "fV" for a in arrays]  # masks and labels stay what they are
            arrays, narrow = settle(arrays, floats, False)
            outcome = self.run_kernel(args, arrays, settings, wanted(edges, len(args)))
        except Exception as error:
            self.explain(error, args, settings)
            raise
        if outcome is NotImplemented:
            return NotImplemented
        y, pullback = outcome
        if narrow is not None:
            y = narrow(y)
        if edges is None:
            return results(y, None)
        node = Node(self, edges, None, (), watch(args), y)
        result = results(y, node)
        node.saved = (Pullback(pullback, observed(result)), arrays, settings)
        return result

    def backward(self, node: Node, g: Any, create_graph: bool) -> Sequence[Any]:
        """Run the pullback; or, under `create_graph`, replay the plain Python and differentiate that."""
        assert node.saved is not None
        pullback: Pullback = node.saved[0]
        if not create_graph:
            return pullback.run(self.name, g)
        _, arrays, settings = node.saved
        # identity() gives every argument a place of its own in the graph, at which `grad` stops
        inputs = [None if p is None else identity(wrap(a, p)) for a, p in zip(arrays, node.parents, strict=True)]
        operands = [x if x is not None else wrap(a) if is_array(a) else a for a, x in zip(arrays, inputs, strict=True)]
        outputs = self.forward(*operands, **settings)
        used = (
            [(y, d) for y, d in zip(outputs, g, strict=True) if d is not None]
            if type(outputs) is tuple
            else [(outputs, g)]
        )
        ends = [x for x in inputs if x is not None]
        found = iter(grad([y for y, _ in used], ends, [d for _, d in used], create_graph=True, allow_unused=True))
        return [None if x is None else next(found) for x in inputs]


@overload
def composite(function: Callable[..., Any], /) -> Composite: ...
@overload
def composite(*, moves: bool = False, complex: bool = False) -> Callable[[Callable[..., Any]], Composite]: ...
def composite(function: Callable[..., Any] | None = None, *, moves: bool = False, complex: bool = False) -> Any:
    """Declare a function that is plain Python over ops: pure, since it may be replayed under `create_graph`.

    moves: it only moves entries. All others compute half precision on the CPU in float32 from end to end, and refuse
    complex numbers unless `complex` says that they are right with them.
    Differs from PyTorch: it has none; a function of ops is differentiated as it is.

    >>> import minitensor as mt
    >>> @composite
    ... def hill(x):
    ...     return mt.exp(-x * x)
    >>> hill(mt.Tensor([0.0, 1.0]))
    Tensor float32 (2,): [1. 0.3679]
    """
    return (lambda f: Composite(f, moves, complex)) if function is None else Composite(function, moves, complex)


@op(view=True)
def identity(x: Array) -> Array:
    """y = x, as a place of its own in the graph."""
    return x


identity.vjp(x=lambda g: g)
