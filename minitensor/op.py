"""How a call becomes a Node: an `Op` is a function on arrays with one gradient rule per argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload

from numpy import ndarray

from minitensor.backend import backends, is_array, plain
from minitensor.declaration import Declaration, refuse_tensor
from minitensor.errors import GradientError
from minitensor.graph import Node, Variable, describe, parents, results, state, watch, wrap
from minitensor.notices import same
from minitensor.precision import cast
from minitensor.promotion import FLOAT32, FLOAT64, settle, widen
from minitensor.rules import Plan, Rule, plan

__all__ = ["Op", "op"]

Array = Any


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
        self._rules: list[Rule] = []
        self._plans: dict[int, Plan] = {}
        self.differentiable = [False] * len(self.arguments)  # which arguments have a rule
        self.complete = False  # do all?
        self.plain = False  # may `_quick` run it?
        # which meet in one dtype: those, once there are any
        self.promoted = [n not in constant for n in self.arguments]

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
            self._rules.append(Rule(positions, is_joint, rule, needs))
        self.complete = all(self.differentiable)
        self.promoted = self.differentiable
        self.plain = self.complete and not (self.variadic or self.verbatim) and type(self)._trace is Op._trace
        self._plans.clear()

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Compute on arrays; record on Tensors."""
        if self.plain and not settings and state.ordinary and len(args) == len(self.arguments):
            result = self._quick(args)
            if result is not None:
                return result
        if len(args) != len(self.arguments) or self.variadic:
            args, settings = self.bind(args, settings)
        for a in args:
            if isinstance(a, Variable):
                return self._trace(args, settings)
        if settings:
            self._check_settings(settings)
        return self.forward(*args, **settings)

    def _quick(self, args: tuple[Any, ...]) -> Any:
        """Do what `_trace` does, for NumPy's arrays of one float dtype and numbers: there is nothing to bring together.

        Returns None for anything else. An op of 8 numbers costs what this function costs, so it has one loop.
        """
        arrays: list[Any] = []
        edges: list[Any] = []
        dtype: Any = None
        mask = 0
        for x in args:
            edge = None
            if isinstance(x, Variable):
                array = x.data
                if type(array) is not ndarray:
                    return None
                if array.dtype is not dtype:
                    if dtype is not None:
                        return None
                    dtype = array.dtype
                if x.requires_grad:
                    edge = x if x.source is None else x.source
                    mask += 1
                x = array
            elif type(x) is not float and type(x) is not int:
                return None
            arrays.append(x)
            edges.append(edge)
            mask += mask
        if dtype is not FLOAT32 and dtype is not FLOAT64:
            return None
        try:
            y = self.forward(*arrays)
        except Exception as error:
            self.explain(error, args, {})
            raise
        if mask and state.recording:
            return self._record(args, arrays, {}, tuple(edges), mask, y, None)
        return results(y, None)

    def _check_settings(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            if name not in self.defaults:
                self.refuse(name)
            if isinstance(value, Variable):
                refuse_tensor(self.name, name, value)

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
            arrays: list[Any] = [
                a.data if isinstance(a, Variable) else plain(a) if isinstance(a, ndarray) else a for a in args
            ]
            narrow = None
            if self.verbatim:
                if arrays and type(arrays[0]) not in backends:  # somebody assigned it to `.data`
                    arrays = [plain(x) if isinstance(x, ndarray) else x for x in arrays]
            else:
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
            result = results(y if narrow is None else same(y, narrow(y)), None)
        else:
            mask = 2 if self.variadic else sum([1 << (len(edges) - i) for i, p in enumerate(edges) if p is not None])
            result = self._record(args, arrays, settings, edges, mask, y, narrow)
        if self.view and _is_view(y, arrays[0]):
            if args[0].version is None:
                args[0].version = [0]
            result.version = args[0].version
        return result

    def _refuse_hidden_gradient(self, args: Sequence[Any], differentiable: Sequence[bool]) -> None:
        for name, a, ok in zip(self.arguments * len(args), args, differentiable, strict=False):
            hidden = not ok and isinstance(a, Variable) and a.requires_grad
            if hidden and any(differentiable) and name not in self.constant:
                raise GradientError(
                    f"{self.name} has no gradient for its argument {name!r} ({describe(a)}, requires_grad): detach() it"
                )

    def _record(
        self,
        args: Sequence[Any],
        arrays: list[Any],
        settings: dict[str, Any],
        edges: tuple[Any, ...],
        mask: int,
        y: Array,
        narrow: Any,
    ) -> Any:
        """Leave a Node behind that keeps what the rules of the arguments in the mask need, and nothing else.

        mask: the sum of 2ⁿ⁻ⁱ over the arguments i of n that want a gradient.
        """
        kept = self._plans.get(mask)
        if kept is None:
            kept = self._plans[mask] = plan(self._rules, mask, self.arguments, self.defaults)
        shown = y if narrow is None else narrow(y)
        if not kept.kept:
            node = Node(self, edges, kept, (), (), shown)
            return wrap(shown, node) if type(shown) is not tuple else results(shown, node)
        every = [arrays, y] if self.variadic else [*arrays, y]
        saved = [every[i] for i in kept.slots]
        watched: list[Any] = []
        for k in kept.inputs:
            x = args if self.variadic else args[kept.slots[k]]
            if isinstance(x, Variable):
                watched.append(x)
            elif self.variadic:
                watched.extend(x)
            elif is_array(saved[k]):
                saved[k] = saved[k].copy()  # a raw array could change unseen
        if kept.shapes:
            saved += [
                tuple([getattr(a, "shape", ()) for a in arrays]) if self.variadic else arrays[i].shape
                for i in kept.shapes
            ]
        if kept.settings:
            full = {**self.defaults, **settings}
            saved += [full[name] for name in kept.settings]
        node = Node(self, edges, kept, tuple(saved), watch(watched), shown)
        result = results(shown, node)
        if len(kept.inputs) < len(kept.slots):  # y is kept too
            node.versions += watch(result if type(result) is tuple else (result,))
        return result

    def backward(self, node: Node, g: Any, create_graph: bool) -> Sequence[Any]:
        """Run the rules of one recorded call: the gradient of each argument, None where none is wanted."""
        plan: Plan = node.plan
        saved: Sequence[Any] = node.saved or ()
        if create_graph and plan.slots:
            saved = self._placed(node, saved)
        values = (widen(g), *saved)
        grads: list[Any] = [None] * len(node.parents)
        for argument, rule, positions in plan.rules:
            try:
                result = rule(*(values if positions is None else [values[i] for i in positions]))
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

    def _placed(self, node: Node, saved: Sequence[Any]) -> list[Any]:
        """Give the saved arrays their places in the graph back: the rules will run on Tensors."""
        saved = list(saved)
        for k, i in enumerate(node.plan.slots):
            if i == len(self.arguments):
                saved[k] = results(saved[k], node)
            elif self.variadic:
                saved[k] = [wrap(x, p) for x, p in zip(saved[k], node.parents, strict=True)]
            elif is_array(saved[k]):
                saved[k] = wrap(saved[k], node.parents[i])
        return saved


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
