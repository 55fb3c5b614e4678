"""Composites: plain Python over ops, to which hand-written kernels may be attached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args, overload

import numpy as np
from numpy import ndarray

from minitensor.backend import Array, is_array, is_half, namespace, plain
from minitensor.declaration import Declaration, Facts, P, refuse_tensor
from minitensor.engine import grad
from minitensor.graph import Gradient, Node, Operands, Settings, Variable, parents, results, state, watch, wrap
from minitensor.op import op
from minitensor.operands import Call, alike, as_plain, unshared
from minitensor.precision import cast
from minitensor.promotion import refuse_complex, settle
from minitensor.pullback import Pullback, guards

if TYPE_CHECKING:  # what a call returns, as an editor sees it; here it is a Variable
    from minitensor.tensor import Tensor

__all__ = ["Composite", "composite", "identity"]

Trait = Literal["moves", "complex"]
UNUSUAL = frozenset("eEFD")  # how NumPy abbreviates half precision and complex dtypes


class Composite(Declaration[P]):
    """Plain Python over ops, to which hand-written kernels may be attached; see `composite`."""

    known = frozenset(get_args(Trait))

    def __init__(self, function: Callable[P, Any], traits: Sequence[Trait] = (), **facts: Unpack[Facts]) -> None:
        super().__init__(function, traits, **facts)
        self.moves = "moves" in traits
        notes = function.__annotations__
        self.array_settings = tuple(n for n in self.defaults if "Array" in str(notes.get(n)))  # weights of a loss

    def __call__(self, *operands: P.args, **given: P.kwargs) -> Tensor:
        """Run an attached kernel, if there is one that takes the operands; else the plain Python."""
        args: tuple[Any, ...] = operands
        settings: Settings = given
        if settings:
            settings = self._checked(settings, args)
        if not state.ordinary:
            if state.observer is not None:
                result: Tensor = state.observer.composite(self, as_plain(args), settings)
                if result is not NotImplemented:
                    return result
            if state.autocast is not None:
                args = cast(self.autocast, args)
        if len(args) > self.count or (self.kernels and state.fused and len(args) < self.count):
            args, settings = self.bind(args, settings)
        call = alike(args)
        if call is None:
            args = as_plain(args)
            unusual: Tensor = NotImplemented if self.moves else self._unusual(args, settings)
            if unusual is not NotImplemented:
                return unusual
        result = self._by_kernel(call, args, settings) if self.kernels and state.fused else NotImplemented
        y: Tensor = self.forward(*args, **settings) if result is NotImplemented else result
        return y

    def _checked(self, settings: Settings, args: Operands) -> Settings:
        """Refuse what is not taken by name, and return Tensors and arrays among the settings as plain values."""
        for name, value in settings.items():
            if name not in self.defaults and name not in self.arguments[len(args) :]:
                self.refuse(name)
            if isinstance(value, (Variable, ndarray, tuple, list)):
                taken = self._setting(name, value)
                settings = settings if taken is value else {**settings, name: taken}
        return settings

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

    def _unusual(self, args: tuple[Any, ...], settings: Settings) -> Any:
        """Refuse complex numbers, or leave them to the ops; run half precision on the CPU in float32."""
        dtypes = [a.dtype for a in args if hasattr(a, "dtype")]
        unusual = [d for d in dtypes if d.char in UNUSUAL]
        if not unusual:
            return NotImplemented
        if mixed := [d for d in unusual if d.kind == "c"]:
            if self.real:
                refuse_complex(self.real, mixed[0])
            return self.forward(*args, **settings)
        half = [isinstance(a, Variable) and is_half(a.dtype) for a in args]
        if not any(half) or any(namespace(a.data) is not np for a in args if isinstance(a, Variable)):
            return NotImplemented
        return self._widened(args, settings, half)

    def _widened(self, args: tuple[Any, ...], settings: Settings, half: Sequence[bool]) -> Any:
        """Run half precision on the CPU in float32 from end to end: narrowed between its ops it would overflow."""
        floats = [a.dtype for a in args if isinstance(a, Variable) and a.dtype.kind in "fV"]
        wide = [a.astype("float32") if h else a for a, h in zip(args, half, strict=True)]
        y = self(*wide, **settings)
        if any(d != floats[0] for d in floats):
            return y  # float16 with bfloat16 or float32 gives float32
        if isinstance(y, (tuple, list)):
            return type(y)(v.astype(floats[0]) if v.dtype == np.float32 else v for v in y)
        return y.astype(floats[0]) if y.dtype == np.float32 else y

    def _by_kernel(self, call: Call | None, args: tuple[Any, ...], settings: Settings) -> Any:
        """Return what an attached kernel makes of the call, or NotImplemented."""
        for name in self.array_settings:
            if isinstance(settings.get(name), Variable):  # whose gradient kernels know nothing of
                return NotImplemented
        try:
            call = call or self._settled(args)
            outcome = NotImplemented if call is None else self.run_kernel(call, settings)
        except Exception as error:
            self.explain(error, args, settings)
            raise
        if outcome is NotImplemented or call is None:
            return NotImplemented
        (args_, arrays, edges, mask, narrow), (y, pullback) = call, outcome
        y = y if narrow is None else narrow(y)
        if not mask:
            return results(y, None)
        node = Node(self, edges, None, (), watch(args_), y)
        result = results(y, node)
        node.saved = (Pullback(pullback, guards(result)), arrays, settings)
        return result

    def _settled(self, args: tuple[Any, ...]) -> Call | None:
        """Bring the floats among the operands to one dtype; None if the first Tensor holds none, or one is a list."""
        first = next((a for a in args if isinstance(a, Variable)), None)
        if first is None or first.dtype.kind not in "fV" or any([isinstance(a, (list, tuple)) for a in args]):
            return None
        edges = parents(args, [a is not None for a in args]) if state.recording else None
        arrays: list[Array] = [a.data if isinstance(a, Variable) else a for a in args]
        floats = [is_array(a) and a.dtype.kind in "fV" for a in arrays]  # masks and labels stay what they are
        arrays, narrow = settle(arrays, floats, False)
        if edges is not None:
            arrays = unshared(args, arrays)
        return args, arrays, edges or (), int(edges is not None), narrow

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
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
def composite(function: Callable[P, Any], /) -> Composite[P]: ...
@overload
def composite(*traits: Trait, **facts: Unpack[Facts]) -> Callable[[Callable[P, Any]], Composite[P]]: ...
def composite(*traits: Any, **facts: Unpack[Facts]) -> Any:
    """Declare a function that is plain Python over ops: pure, since it may be replayed under `create_graph`.

    Its traits are given by name: `@composite("moves")`.
    moves: it only moves entries. All others compute half precision on the CPU in float32 from end to end, and refuse
    complex numbers. complex: it is right with them.
    autocast, public, onnx: see `Facts` in declaration.py.
    Differs from PyTorch: it has none; a function of ops is differentiated as it is.

    >>> import minitensor as mt
    >>> @composite
    ... def hill(x):
    ...     return mt.exp(-x * x)
    >>> hill(mt.Tensor([0.0, 1.0]))
    Tensor float32 (2,): [1. 0.3679]
    """
    if len(traits) == 1 and callable(traits[0]):
        return Composite(traits[0])
    return lambda function: Composite(function, traits, **facts)


@op("view", onnx="Identity Identity")
def identity(x: Array) -> Array:
    """y = x, as a place of its own in the graph."""
    return x


identity.vjp(x=lambda g: g)
