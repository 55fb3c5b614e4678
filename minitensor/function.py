"""`Function`: an op of one's own in PyTorch's way, a class with `forward(ctx, ...)` and `backward(ctx, ...)`.

`@op` is the shorter way, and needs no class. This one is for code that comes from PyTorch, and for backward passes that
are not one rule per argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from minitensor.backend import Array, namespace
from minitensor.errors import GradientError
from minitensor.graph import (
    Gradient,
    Node,
    Variable,
    describe,
    outward,
    parents,
    results,
    share_version,
    state,
    watch,
    wrap,
)
from minitensor.modes import no_grad

__all__ = ["Context", "Function"]


class Context:
    """What a forward leaves for its backward: `save_for_backward(*tensors)`, and any attribute."""

    def __init__(self, needs: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs
        self._to_save: tuple[Any, ...] = ()
        self._saved: list[tuple[Any, Any]] = []  # (array, where it stands: argument, result, or None)
        self._linked: tuple[Any, ...] | None = None
        self._constant: set[int] = set()

    def save_for_backward(self, *tensors: Variable) -> None:
        """Keep arguments or results (or None) until backward; a change in place since then raises there."""
        for t in tensors:
            if t is not None and not isinstance(t, Variable):
                raise TypeError(
                    f"save_for_backward takes Tensors and None; got {describe(t)}: keep it as an attribute of ctx"
                )
        self._to_save = tensors

    def mark_non_differentiable(self, *tensors: Variable) -> None:
        """Say which results get no gradient."""
        self._constant = {id(t) for t in tensors}

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved; under `create_graph` with its place in the graph."""
        return self._linked or ()


class _Recorded:
    """What a Node asks of its op, for one subclass of Function."""

    broadcasts = False

    def __init__(self, function: type[Function]) -> None:
        self.function, self.name = function, function.__name__

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Run the user's backward on Tensors."""
        assert node.saved is not None
        ctx: Context = node.saved[0]
        gs = g if type(node.dtype) is tuple else (g,)
        shapes = node.shape if type(node.dtype) is tuple else (node.shape,)
        dtypes = node.dtype if type(node.dtype) is tuple else (node.dtype,)
        first = next((v for v in gs if v is not None), None)
        like = namespace(first.data if isinstance(first, Variable) else first)
        gs = tuple(
            wrap(like.zeros(s, d)) if v is None else outward(v if isinstance(v, Variable) else wrap(v))
            for v, s, d in zip(gs, shapes, dtypes, strict=True)
        )
        ctx._linked = tuple(
            None if a is None else _link(node, a, where) if create_graph else wrap(a) for a, where in ctx._saved
        )
        try:
            found = self.function.backward(ctx, *gs)
        finally:
            ctx._linked = None
        found = found if isinstance(found, (tuple, list)) else (found,)
        if len(found) != len(node.parents):
            raise GradientError(
                f"{self.name}.backward returned {len(found)} gradients; "
                f"forward took {len(node.parents)} arguments: return None for those without one"
            )
        for i, v in enumerate(found):
            if v is not None and not isinstance(v, Variable):
                raise GradientError(f"{self.name}.backward returned a {describe(v)} for argument {i}, not a Tensor")
        found = [v if v is None else outward(v) for v in found]
        return found if create_graph else [None if v is None else v.data for v in found]


def _link(node: Node, array: Array, where: Any) -> Any:
    """Give a saved array its place in the graph back."""
    kind, i = where or ("neither", 0)
    if kind == "argument":
        return wrap(array, node.parents[i])
    if kind == "result":
        many = results((array,) * (i + 1), node) if type(node.dtype) is tuple else (results(array, node),)
        return many[i]
    return wrap(array)


class Function:
    """Base class of ops with a hand-written backward; use it by `MyFunction.apply(*args)`.

    forward(ctx, *args) runs without recording and returns one Tensor or a tuple; backward(ctx, *gs) gets one gradient
    per result (zeros for one that was not used) and returns one per argument of forward, None where there is none.
    Write backward with ops, and it can be differentiated again. Complex gradients are PyTorch's: of a b that of a is
    g conj(b).
    Differs from PyTorch (torch.autograd.Function): `set_materialize_grads` and `setup_context` are not there.

    >>> import minitensor as mt
    >>> class Cube(mt.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = mt.Tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    Tensor float32 (1,): [12.]
    """

    _recorded: ClassVar[_Recorded]

    def __init_subclass__(cls) -> None:
        cls._recorded = _Recorded(cls)

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Any:
        """Compute the result from the arguments."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Context, *gs: Gradient) -> Any:
        """Compute the gradients of the arguments from those of the results."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, and record it."""
        edges = parents(args, [True] * len(args)) if state.recording else None
        ctx = Context(tuple(isinstance(a, Variable) and a.requires_grad for a in args))
        with no_grad():
            ys = cls.forward(ctx, *args)
        many = isinstance(ys, (tuple, list))
        outputs = tuple(ys) if many else (ys,)
        for y in outputs:
            if not isinstance(y, Variable):
                raise TypeError(f"{cls.__name__}.forward must return Tensors; it returned {describe(y)}")
        if edges is None:
            return ys
        known = {id(a): ("argument", i) for i, a in enumerate(args)} | {
            id(y): ("result", i) for i, y in enumerate(outputs)
        }
        ctx._saved = [(None if t is None else t.data, known.get(id(t))) for t in ctx._to_save]
        # an argument that is handed through would be its own source: the result is a new Tensor on the same array
        arrays = tuple(y.data for y in outputs)
        node = Node(cls._recorded, edges, None, (ctx,), watch(ctx._to_save), arrays if many else arrays[0])
        made = results(arrays, node) if many else (results(arrays[0], node),)
        if ctx._constant:
            made = tuple(wrap(m.data) if id(y) in ctx._constant else m for m, y in zip(made, outputs, strict=True))
        for m, y in zip(made, outputs, strict=True):
            share_version(m, y)
        ctx._to_save = ()
        return made if many else made[0]
