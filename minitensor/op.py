"""How a call becomes a Node: an `Op` is a function on arrays with one gradient rule per argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

from minitensor.backend import is_array
from minitensor.declaration import Declaration
from minitensor.errors import GradientError
from minitensor.graph import Node, Variable, describe, parents, place, results, state, watch, wrap
from minitensor.precision import cast
from minitensor.promotion import alike, settle, widen

__all__ = ["Op", "op"]

Array = Any


class _Plan(NamedTuple):
    """For one set of arguments that need a gradient: what to save, and which rules to run on it."""

    slots: tuple[int, ...]  # positions among (*arguments, y) of the arrays to keep
    shapes: tuple[int, ...]  # arguments of which only the shape is kept
    settings: tuple[str, ...]
    rules: tuple[tuple[Any, Any, tuple[int, ...]], ...]  # (argument or arguments, rule, positions in (g, *saved))
    kept: bool  # is there anything to save?


class Op(Declaration):
    """A function on arrays with one gradient rule per argument; see `op`."""

    def __init__(
        self,
        function: Callable[..., Any],
        broadcasts: bool = False,
        floating: bool = False,
        view: bool = False,
        verbatim: bool = False,
        constant: tuple[str, ...] = (),
        complex: bool = False,
    ) -> None:
        super().__init__(function, complex)
        self.broadcasts, self.floating, self.view, self.constant = broadcasts, floating, view, constant
        self.verbatim = verbatim or view
        self._rules: list[tuple[tuple[int, ...], bool, Callable[..., Any], tuple[str, ...]]] = []
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self.differentiable = [False] * len(self.arguments)  # which arguments have a rule
        self.complete = False  # do all?
        self.plain = False  # may `_quick` run it?
        self.promoted = [
            n not in constant for n in self.arguments
        ]  # which meet in one dtype: those, once there are any

    def vjp(
        self, arguments: tuple[str, ...] = (), joint: Callable[..., Any] | None = None, /, **rules: Callable[..., Any]
    ) -> None:
        """Register gradient rules (vector-Jacobian products), one per argument, or one joint rule for several.

        A rule's parameter names say what is kept for it until backward: `g` the incoming gradient, `y` the result,
        an argument, `<argument>_shape`, or a setting.
        """
        entries = [((name,), False, rule) for name, rule in rules.items()] + (
            [(arguments, True, joint)] if joint else []
        )
        for names, is_joint, rule in entries:
            needs = tuple(inspect.signature(rule).parameters)
            known = {"g", "y", *self.arguments, *(f"{n}_shape" for n in self.arguments), *self.defaults}
            if unknown := [n for n in (*names, *needs) if n not in known]:
                raise TypeError(
                    f"{self.name}: a rule names {unknown[0]!r}, which the op does not have; it has {sorted(known)}"
                )
            positions = tuple(self.arguments.index(n) for n in names)
            for i in positions:
                self.differentiable[i] = True
            self._rules.append((positions, is_joint, rule, needs))
        self.complete = all(self.differentiable)
        self.promoted = self.differentiable
        self.plain = self.complete and not (self.variadic or self.verbatim) and type(self)._trace is Op._trace
        self._plans.clear()

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Compute on arrays; record on Tensors."""
        if len(args) != len(self.arguments) or self.variadic:
            args, settings = self.bind(args, settings)
        elif self.plain and not settings and state.observer is None and state.autocast is None:
            arrays = alike(args)
            if arrays is not None:
                return self._quick(args, arrays)
        for a in args:
            if isinstance(a, Variable):
                return self._trace(args, settings)
        if settings:
            self._check_settings(settings)
        return self.forward(*args, **settings)

    def _quick(self, args: tuple[Any, ...], arrays: list[Any]) -> Any:
        """Do what `_trace` does, for Tensors of one float dtype: there is nothing to bring together or to look at."""
        try:
            y = self.forward(*arrays)
        except Exception as error:
            self.explain(error, args, {})
            raise
        if state.recording:
            mask = tuple([a.requires_grad for a in args])
            if True in mask:
                edges = tuple([place(a) if a.requires_grad else None for a in args])
                return self._record(args, arrays, {}, edges, mask, y, None)
        return results(y, None)

    def _check_settings(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            if name not in self.defaults:
                self.refuse(name)
            if isinstance(value, Variable):
                raise TypeError(
                    f"{self.name}: the setting {name!r} was given a {describe(value)}; settings take plain values"
                )

    def _trace(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Run on Tensors: promote dtypes, compute, and leave a Node behind if somebody wants a gradient."""
        if settings:
            self._check_settings(settings)
        if state.autocast is not None:
            args = cast(self.name, args)
        differentiable, promoted = self.differentiable, self.promoted
        if self.variadic:
            differentiable, promoted = differentiable * len(args), promoted * len(args)
        try:
            arrays: list[Any] = [a.data if isinstance(a, Variable) else a for a in args]
            narrow = None
            if not self.verbatim:
                arrays, narrow = settle(arrays, promoted, self.floating, self.real)
            if state.observer is None:
                y = self.forward(*arrays, **settings)
            else:
                y = state.observer.forward(self, args, arrays, settings, lambda: self.forward(*arrays, **settings))
        except Exception as error:
            self.explain(error, args, settings)
            raise
        edges = None
        if state.recording:
            edges = parents(args, differentiable)
            if not self.complete:
                self._refuse_hidden_gradient(args, differentiable)
        if edges is None or (self.verbatim and y.dtype.kind in "iub"):  # a cast to whole numbers has no gradient
            result = results(y if narrow is None else narrow(y), None)
        else:
            mask = (True,) if self.variadic else tuple([p is not None for p in edges])
            result = self._record(args, arrays, settings, edges, mask, y, narrow)
        if self.view and _is_view(y, arrays[0]):
            if args[0].version is None:
                args[0].version = [0]
            result.version = args[0].version
        return result

    def _refuse_hidden_gradient(self, args: Sequence[Any], differentiable: Sequence[bool]) -> None:
        for name, a, ok in zip(self.arguments * len(args), args, differentiable, strict=False):
            if (
                not ok
                and any(differentiable)
                and name not in self.constant
                and isinstance(a, Variable)
                and a.requires_grad
            ):
                raise GradientError(
                    f"{self.name} has no gradient for its argument {name!r} ({describe(a)}, requires_grad): detach() it"
                )

    def _record(
        self,
        args: Sequence[Any],
        arrays: list[Any],
        settings: dict[str, Any],
        edges: tuple[Any, ...],
        mask: tuple[bool, ...],
        y: Array,
        narrow: Any,
    ) -> Any:
        """Leave a Node behind that keeps what the rules of the arguments in the mask need, and nothing else."""
        if self.variadic:
            arrays = [arrays]
        plan = self._plans.get(mask)
        if plan is None:
            plan = self._plans[mask] = self._make_plan(mask)
        n = len(self.arguments)
        shown = y if narrow is None else narrow(y)
        if not plan.kept:
            return results(shown, Node(self, edges, plan, (), (), shown))
        saved = [arrays[i] if i < n else y for i in plan.slots]
        watched: list[Any] = []
        for k, i in enumerate(plan.slots):
            if i == n:
                continue
            if self.variadic:
                watched.extend(args)
            elif isinstance(args[i], Variable):
                watched.append(args[i])
            elif is_array(saved[k]):
                saved[k] = saved[k].copy()  # a raw array could change unseen
        if plan.shapes:
            saved += [
                tuple([getattr(a, "shape", ()) for a in arrays[0]]) if self.variadic else arrays[i].shape
                for i in plan.shapes
            ]
        if plan.settings:
            full = {**self.defaults, **settings}
            saved += [full[name] for name in plan.settings]
        node = Node(self, edges, plan, tuple(saved), watch(watched) if watched else (), shown)
        result = results(shown, node)
        if n in plan.slots:
            node.versions += watch(result if type(result) is tuple else (result,))
        return result

    def _make_plan(self, mask: tuple[bool, ...]) -> _Plan:
        """Work out what the wanted rules need, so that only that is kept alive."""
        wanted = [r for r in self._rules if any(mask[i] for i in r[0])]
        names = dict.fromkeys(n for r in wanted for n in r[3] if n != "g")
        slots = [n for n in names if n == "y" or n in self.arguments]
        shapes = [n for n in names if n.endswith("_shape") and n[:-6] in self.arguments]
        settings = [n for n in names if n in self.defaults]
        order = {"g": 0} | {n: i + 1 for i, n in enumerate([*slots, *shapes, *settings])}
        return _Plan(
            tuple(len(self.arguments) if n == "y" else self.arguments.index(n) for n in slots),
            tuple(self.arguments.index(n[:-6]) for n in shapes),
            tuple(settings),
            tuple((r[0] if r[1] else r[0][0], r[2], tuple(order[n] for n in r[3])) for r in wanted),
            bool(slots or shapes or settings),
        )

    def backward(self, node: Node, g: Any, create_graph: bool) -> Sequence[Any]:
        """Run the rules of one recorded call: the gradient of each argument, None where none is wanted."""
        plan: _Plan = node.plan
        saved = list(node.saved or ())
        if create_graph:  # the rules will run on Tensors: give the saved arrays their place in the graph back
            for k, i in enumerate(plan.slots):
                if i == len(self.arguments):
                    saved[k] = results(saved[k], node)
                elif self.variadic:
                    saved[k] = [wrap(x, p) for x, p in zip(saved[k], node.parents, strict=True)]
                elif is_array(saved[k]):
                    saved[k] = wrap(saved[k], node.parents[i])
        values = (widen(g), *saved)
        grads: list[Any] = [None] * len(node.parents)
        for argument, rule, positions in plan.rules:
            try:
                result = rule(*[values[i] for i in positions])
            except Exception as error:
                names = self.arguments[argument] if type(argument) is int else [self.arguments[i] for i in argument]
                error.add_note(f"in the gradient of {self.name} with respect to {names}")
                raise
            if self.variadic:
                grads = list(result)
            elif type(argument) is int:
                grads[argument] = result
            else:
                for i, r in zip(argument, result, strict=True):
                    grads[i] = r
        return grads


def _is_view(y: Array, x: Array) -> bool:
    """Whether y shares x's memory: NumPy and CuPy name the owner of it in `base`."""
    return y is x or (y.base is not None and (y.base is x or y.base is x.base))


@overload
def op(function: Callable[..., Any], /) -> Any: ...
@overload
def op(
    *,
    broadcasts: bool = False,
    floating: bool = False,
    view: bool = False,
    verbatim: bool = False,
    constant: tuple[str, ...] = (),
    complex: bool = False,
) -> Callable[[Callable[..., Any]], Any]: ...
def op(
    function: Callable[..., Any] | None = None,
    *,
    broadcasts: bool = False,
    floating: bool = False,
    view: bool = False,
    verbatim: bool = False,
    constant: tuple[str, ...] = (),
    complex: bool = False,
) -> Any:
    """Declare an op: arrays are positional parameters, settings keyword-only.

    broadcasts: the operands broadcast; the engine sums each gradient back to its argument's shape.
    floating: integer operands become the default float first. view: the result may share its argument's memory.
    verbatim: the operands are taken as they are, without promotion (view implies it).
    constant: arguments without a rule that a Tensor which requires grad may be passed for all the same.
    complex: complex numbers are taken too; all other ops refuse them. A rule stays the plain derivative, g * 2 * x for
    x², without a conjugate: that is the engine's business (see `engine.py`), as broadcasting is.
    Differs from PyTorch: there custom_op and register_autograd; here the rule makes the second gradient too.

    >>> import minitensor as mt
    >>> @op
    ... def cube(x):
    ...     return x * x * x
    >>> cube.vjp(x=lambda g, x: g * (3 * x * x))
    >>> x = mt.Tensor([2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    Tensor float32 (1,): [12.]
    """
    if function is None:
        return lambda f: Op(f, broadcasts, floating, view, verbatim, constant, complex)
    return Op(function, broadcasts, floating, view, verbatim, constant, complex)
