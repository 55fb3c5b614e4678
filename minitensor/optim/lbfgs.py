"""L-BFGS: a quasi-Newton method for smooth functions without noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minitensor.backend import Array, move, namespace, to_numpy
from minitensor.errors import StateDictError
from minitensor.modes import enable_grad
from minitensor.nn.base.checks import whole
from minitensor.optim import saved
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params, State
from minitensor.optim.wolfe import Point, strong_wolfe

__all__ = ["LBFGS"]

FRESH = {"iterations": 0, "evaluations": 0, "scale": 1.0, "loss": 0.0}
ARRAYS = {"d": "d", "gradient": "prev_flat_grad"}  # under PyTorch's names
LISTS = {"s": "old_stps", "y": "old_dirs"}
NUMBERS = {"t": "t", "iterations": "n_iter", "evaluations": "func_evals", "scale": "H_diag", "loss": "prev_loss"}
DERIVED = ("ro", "al")  # what PyTorch keeps beside them


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5), as in PyTorch.

    Each `step(closure)` makes up to max_iter iterations p ← p + t d with d = -H g, where the inverse Hessian H is known
    from the last `history_size` pairs s = Δp, y = Δg. closure: clears the gradients, computes the loss, calls backward,
    returns the loss; it is called many times. t is lr, or found by a line search that fulfils the strong Wolfe
    conditions (`line_search_fn="strong_wolfe"`: algorithms 3.5 and 3.6). One group of parameters.
    Differs from PyTorch: the line search interpolates by the same cubic, but brackets as the book does, so its steps
    may differ.

    >>> from minitensor import Tensor
    >>> x = Tensor([-1.5, 2.0], dtype="float64", requires_grad=True)
    >>> optimizer = LBFGS([x], line_search_fn="strong_wolfe", max_iter=100)
    >>> def rosenbrock():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(rosenbrock)
    >>> x
    Tensor float64 (2,) requires_grad: [1. 1.]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        settings = {"lr": lr, "max_iter": max_iter, "max_eval": max_eval}
        settings |= {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        if max_eval is None:
            whole(self, 1, max_iter=max_iter)
            settings["max_eval"] = max(1, max_iter * 5 // 4)
        super().__init__(params, settings | {"history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError(f"LBFGS takes one group of parameters; got {len(self.param_groups)}")
        self._memory: dict[str, Any] = dict(FRESH, s=[], y=[])

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return none: what is remembered belongs to all parameters together."""
        return ()

    def _gradient(self) -> Array:
        """Return all gradients as one vector, zeros where backward did not reach."""
        params = self.param_groups[0]["params"]
        xp = namespace(params[0].data)
        parts = [xp.zeros(p.size, p.dtype) if p.grad is None else p.grad.data.reshape(-1) for p in params]
        return xp.concatenate(parts)

    def _move(self, direction: Array, length: float) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            p.data += (length * direction[start : start + p.size].reshape(p.shape)).astype(p.dtype)
            p.changed()
            start += p.size

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to max_iter iterations; returns the first loss."""
        if closure is None:
            raise TypeError("LBFGS.step needs a closure: a function that clears the gradients, and returns the loss")
        group, memory = self.param_groups[0], self._memory
        start = memory["evaluations"]
        first, loss, g = self._evaluate(closure)
        if float(abs(g).max()) <= group["tolerance_grad"]:
            return first
        for iteration in range(1, group["max_iter"] + 1):
            memory["iterations"] += 1
            d = self._direction(g)
            t = float(group["lr"]) * (min(1.0, 1.0 / float(abs(g).sum())) if memory["iterations"] == 1 else 1.0)
            memory |= {"gradient": g, "d": d, "loss": loss, "t": t}
            slope = float(g @ d)
            if slope > -group["tolerance_change"]:
                break
            if group["line_search_fn"]:
                budget = group["max_eval"] - (memory["evaluations"] - start)
                memory["t"], loss, _, g = self._search(closure, d, Point(0.0, loss, slope, g), t, budget)
            else:
                self._move(d, t)
                if iteration < group["max_iter"]:
                    _, loss, g = self._evaluate(closure)
            if memory["evaluations"] - start >= group["max_eval"] or self._has_converged(loss, g):
                break
        return first

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[Any, float, Array]:
        """Return the loss as the closure gives it, as a number, and the gradient."""
        with enable_grad():
            loss = closure()
        self._memory["evaluations"] += 1
        return loss, float(loss), self._gradient()

    def _has_converged(self, loss: float, g: Array) -> bool:
        """Whether the gradient, the last step or the last change of the loss is too small to go on."""
        group, memory = self.param_groups[0], self._memory
        change: float = group["tolerance_change"]
        return bool(
            float(abs(g).max()) <= group["tolerance_grad"]
            or float(abs(memory["d"]).max()) * memory["t"] <= change
            or abs(loss - memory["loss"]) < change
        )

    def _search(self, closure: Callable[[], Any], d: Array, start: Point, t: float, budget: int) -> Point:
        """Search along d, and leave the parameters at the point that is returned."""
        at = 0.0

        def probe(t: float) -> Point:
            nonlocal at
            self._move(d, t - at)
            at = t
            _, loss, g = self._evaluate(closure)
            return Point(t, loss, float(g @ d), g)

        least = self.param_groups[0]["tolerance_change"]
        best = strong_wolfe(probe, start, t, budget, lambda width: width * float(abs(d).max()) < least)
        self._move(d, best.t - at)
        return best

    def _direction(self, g: Array) -> Array:
        """Return -H g by the two-loop recursion (algorithm 7.4), after taking the last step into the memory."""
        memory = self._memory
        if memory["iterations"] == 1:
            return -g
        y, s = g - memory["gradient"], memory["d"] * memory["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            memory["s"].append(s)
            memory["y"].append(y)
            for pairs in (memory["s"], memory["y"]):
                del pairs[: -self.param_groups[0]["history_size"]]
            memory["scale"] = curvature / float(y @ y)
        q = -g
        weights = []
        for s, y in zip(reversed(memory["s"]), reversed(memory["y"]), strict=True):
            weights.append(float(s @ q) / float(y @ s))
            q = q - weights[-1] * y
        q = q * memory["scale"]
        for s, y, a in zip(memory["s"], memory["y"], reversed(weights), strict=True):
            q = q + (a - float(y @ q) / float(y @ s)) * s
        return q

    def state_dict(self) -> State:
        """Return the memory with the settings, as PyTorch lays them out."""
        state, memory = super().state_dict(), self._memory
        if not memory["iterations"]:
            return state
        kept: dict[str, Any] = {name: memory[key] for key, name in NUMBERS.items()}
        kept |= {name: np.array(to_numpy(memory[key])) for key, name in ARRAYS.items()}
        kept |= {name: [np.array(to_numpy(v)) for v in memory[key]] for key, name in LISTS.items()}
        kept["ro"] = [1 / float(y @ s) for y, s in zip(memory["y"], memory["s"], strict=True)]
        return {**state, "state": {0: kept}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch, or raise StateDictError and change nothing."""
        settings = saved.groups(self, state)
        memory = self._loaded(state["state"])
        self.param_groups[0].update(settings[0])
        self._gather({})
        self._memory = memory

    def _loaded(self, state: Any) -> State:
        entry = next(iter(state.values()), {}) if isinstance(state, Mapping) else state
        if isinstance(state, Mapping) and (unknown := [k for k in state if str(k) != "0"]):
            raise StateDictError(f"LBFGS keeps one state for all parameters, under 0; got one under {unknown[0]!r}")
        if not isinstance(entry, Mapping):
            raise StateDictError(f"the state of LBFGS is a dict of one dict; got a {type(entry).__name__}")
        names = {**NUMBERS, **ARRAYS, **LISTS}.values()
        if unknown := sorted(set(entry) - {*names, *DERIVED}):
            raise StateDictError(f"LBFGS knows no state {unknown[0]!r}: it has {', '.join(names)}")
        if not entry:
            return dict(FRESH, s=[], y=[])
        if missing := [name for name in names if name not in entry]:
            raise StateDictError(f"the state of LBFGS lacks {missing[0]}")
        params = self.param_groups[0]["params"]
        p, size = params[0], sum(q.size for q in params)

        def vector(name: str, value: Any) -> Array:
            return move(saved.array(name, value, p, (size,)), p.device)

        try:
            memory: dict[str, Any] = {key: float(entry[name]) for key, name in NUMBERS.items()}
            counts = {key: int(memory[key]) for key in ("iterations", "evaluations")}
            lists = {key: [vector(name, v) for v in entry[name]] for key, name in LISTS.items()}
        except (TypeError, ValueError, OverflowError) as error:
            raise StateDictError(f"the state of LBFGS is not right: {error}") from None
        if len(lists["s"]) != len(lists["y"]):
            raise StateDictError(f"the state of LBFGS has {len(lists['s'])} old_stps, {len(lists['y'])} old_dirs")
        return memory | counts | lists | {key: vector(name, entry[name]) for key, name in ARRAYS.items()}
