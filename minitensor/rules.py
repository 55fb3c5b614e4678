"""Gradient rules of an op, and for each set of arguments that want a gradient a plan: what to keep, what to run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

from minitensor.backend import Array, is_array
from minitensor.declaration import Declaration, Facts, P
from minitensor.graph import Gradient, Node, Operands, Settings, Variable, results, watch, wrap
from minitensor.operands import Call
from minitensor.promotion import widen
from minitensor.pullback import Pullback, guards

__all__ = ["Differentiable", "Plan", "Rule", "plan"]


class Rule(NamedTuple):
    """A vector-Jacobian product: for one argument, or jointly for several."""

    arguments: tuple[int, ...]
    joint: bool
    function: Callable[..., Any]
    needs: tuple[str, ...]  # its parameters: g, y, an argument, `<argument>_shape`, a setting


class Plan(NamedTuple):
    """What a recorded call keeps until backward, and which rules run on it."""

    arrays: tuple[int, ...]  # positions among (*arguments, y) of the arrays to keep
    inputs: tuple[int, ...]  # which of these arrays are arguments
    shapes: tuple[int, ...]  # arguments of which only the shape is kept
    settings: tuple[str, ...]
    # (argument or arguments, rule, positions in (g, *saved): None for all of it)
    rules: tuple[tuple[Any, Any, tuple[int, ...] | None], ...]
    kept: bool  # whether there is anything to keep


def plan(rules: Sequence[Rule], mask: int, arguments: tuple[str, ...], defaults: Mapping[str, Any]) -> Plan:
    """Work out what the rules of the wanted arguments need, so that only that is kept alive.

    mask: the sum of 2ⁿ⁻ⁱ over the arguments i of n that want a gradient.
    """
    n = len(arguments)
    wanted = [r for r in rules if any(mask >> (n - i) & 1 for i in r.arguments)]
    names = dict.fromkeys(name for r in wanted for name in r.needs if name != "g")
    arrays = [name for name in names if name == "y" or name in arguments]
    shapes = [name for name in names if name.endswith("_shape") and name[:-6] in arguments]
    settings = [name for name in names if name in defaults]
    order = ["g", *arrays, *shapes, *settings]
    runs = []
    for r in wanted:
        positions = tuple(order.index(name) for name in r.needs)
        whole = positions == tuple(range(len(order)))
        runs.append((r.arguments if r.joint else r.arguments[0], r.function, None if whole else positions))
    return Plan(
        tuple(n if name == "y" else arguments.index(name) for name in arrays),
        tuple(k for k, name in enumerate(arrays) if name != "y"),
        tuple(arguments.index(name[:-6]) for name in shapes),
        tuple(settings),
        tuple(runs),
        bool(arrays or shapes or settings),
    )


class Differentiable(Declaration[P]):
    """A declared function with gradient rules: it keeps of a call what they need, and runs them."""

    def __init__(self, function: Callable[P, Any], traits: Sequence[str], **facts: Unpack[Facts]) -> None:
        super().__init__(function, traits, **facts)
        self._rules: list[Rule] = []
        self._plans: dict[int, Plan] = {}
        self.differentiable = [False] * len(self.arguments)  # which arguments have a rule
        self.complete = False  # whether every argument has a rule
        self.quick = False  # whether that is so, and their number is known: a call may take them as they are
        self.promoted = [True] * len(self.arguments)  # which meet in one dtype: those with a rule, once there are any

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
        self.complete, self.promoted = all(self.differentiable), self.differentiable
        self.quick = self.complete and self.count > 0
        self._plans.clear()

    def _record(self, call: Call, settings: Settings, y: Array, pullback: Any) -> Any:
        """Leave a Node behind that keeps what the rules of the arguments in the mask need, and nothing else."""
        args, arrays, edges, mask, narrow = call
        planned = self._plans.get(mask)
        if planned is None:
            planned = self._plans[mask] = plan(self._rules, mask, self.arguments, self.defaults)
        shown = y if narrow is None else narrow(y)
        if not planned.kept:
            node = Node(self, edges, planned, (), (), shown)
            result = wrap(shown, node) if type(shown) is not tuple else results(shown, node)
        else:
            every = [arrays, y] if self.variadic else [*arrays, y]
            saved = [every[i] for i in planned.arrays]
            watched = self._watched(planned, args, saved) if planned.inputs else ()
            if planned.shapes or planned.settings:
                saved += self._described(planned, arrays, settings)
            node = Node(self, edges, planned, tuple(saved), watched, shown)
            result = results(shown, node)
            if len(planned.inputs) < len(planned.arrays):  # y is kept too
                node.versions += watch(result if type(result) is tuple else (result,))
        if pullback is not None:
            made = result if type(result) is tuple else (result,)
            assert node.saved is not None
            node.saved += (Pullback(pullback, guards([*args, *made])),)
        return result

    def _watched(self, plan: Plan, args: Operands, saved: list[Any]) -> tuple[tuple[list[int], int], ...]:
        """Return the versions of the Tensors among the arguments that are kept; raw arrays are copied."""
        if self.variadic:
            return watch(args)
        watched = []
        for k in plan.inputs:
            x = args[plan.arrays[k]]
            if isinstance(x, Variable):
                if x.version is None:
                    x.version = [0]
                watched.append((x.version, x.version[0]))
            elif is_array(x):
                saved[k] = saved[k].copy()  # a raw array could change unseen
        return tuple(watched)

    def _described(self, plan: Plan, arrays: Operands, settings: Settings) -> list[Any]:
        """Return the shapes and the settings that the rules need."""
        shapes = [getattr(a, "shape", ()) for a in arrays]
        full = {**self.defaults, **settings}
        return [tuple(shapes) if self.variadic else shapes[i] for i in plan.shapes] + [full[n] for n in plan.settings]

    def backward(self, node: Node, g: Gradient, create_graph: bool) -> Sequence[Gradient]:
        """Run the rules of one recorded call: the gradient of each argument, None where none is wanted."""
        plan: Plan = node.plan
        saved: Sequence[Any] = node.saved or ()
        if self.kernels and saved and type(saved[-1]) is Pullback:
            if not create_graph:
                return saved[-1].run(self.name, g)
            saved = saved[:-1]
        if create_graph and plan.arrays:
            saved = self._placed(node, saved)
        values = (widen(g), *saved)
        grads: list[Gradient] = [None] * len(node.parents)
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
        """Wrap the saved arrays as Tensors at their places in the graph, so that the rules are recorded."""
        saved = list(saved)
        for k, i in enumerate(node.plan.arrays):
            if i == len(self.arguments):
                saved[k] = results(saved[k], node)
            elif self.variadic:
                saved[k] = [wrap(x, p) for x, p in zip(saved[k], node.parents, strict=True)]
            elif is_array(saved[k]):
                saved[k] = wrap(saved[k], node.parents[i])
        return saved
