"""What all optimizers share: groups, flat buffers, which parameters were reached, and state that can be saved.

A subclass says how many arrays of memory a parameter has (`moments`) and how one stretch of entries is changed
(`update`), as if there were a single parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minitensor.backend import is_half, move, namespace, to_numpy
from minitensor.errors import StateDictError
from minitensor.graph import enable_grad
from minitensor.nn.parameter import forget
from minitensor.optim.flat import Flat, block_length, blocks, join
from minitensor.tensor import Tensor
from minitensor.threads import shared

__all__ = ["Optimizer"]

Array = Any


class _Section:
    """Parameters of one group, dtype and device: their flat buffers, moments and numbers of steps."""

    def __init__(self, parameters: Sequence[Tensor], group: dict[str, Any], state: Mapping[int, Any]) -> None:
        self.parameters, self.group = parameters, group
        self.flat = Flat(parameters)
        data = self.flat.data
        self.half = is_half(data.dtype)
        self.dtype = np.dtype(np.float32) if self.half else data.dtype  # of the computation, and of the moments
        self.steps = [state.get(id(p), (0, {}))[0] for p in parameters]
        self.moments: dict[str, Array] = {}
        self.views: dict[str, list[Array]] = {}
        self.state = state  # of the parameters, where they came from: read once, for moments that are asked for later

    def moment(self, name: str) -> Array:
        """Return a flat array of one moment, made of zeros or of the state when it is first asked for."""
        if name not in self.moments:
            data = self.flat.data
            flat = self.moments[name] = namespace(data).zeros(data.shape, self.dtype)
            self.views[name] = self.flat.cut(flat, [p.shape for p in self.parameters])
            for p, view in zip(self.parameters, self.views[name], strict=True):
                if (value := self.state.get(id(p), (0, {}))[1].get(name)) is not None:
                    view[...] = move(value.astype(self.dtype), p.device)
        return self.moments[name]


class Optimizer:
    """The base of SGD, Adam, AdamW: changes parameters along the gradients that backward left in their `.grad`.

    params: parameters, or dicts {"params": [...], setting: value, ...}, each a group with settings of its own. The
    groups are `param_groups`; a setting may be changed at any time: `optimizer.param_groups[0]["lr"] = 1e-4`.

    The parameters of a group (of one dtype and device) are moved into one flat array, of which they become views; their
    gradients and moments lie in arrays of the same order. What follows from that:

    - A parameter that backward did not reach (`.grad` is None), or that is frozen, is skipped, and its moments and step
      count with it, exactly as in PyTorch.
    - `load_state_dict` of a layer writes into the views. `Layer.to`, or another array assigned to `.data`, is noticed
      at the next step: the parameters are gathered anew, and their moments move along.
    - A parameter passed twice in one group counts once; in two groups it raises.
    - A second optimizer over the same parameters takes them over when it is made or steps; the first one takes them
      back at its own next step. Both stay right; each change of hands costs a copy.

    Raises TypeError for what is no Tensor, ValueError for no parameters, for a setting that is not known, or for one
    out of range. Differs from PyTorch: parameters share memory; no hooks on the optimizer.

    >>> from minitensor import Tensor
    >>> from minitensor.optim import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=0.1)
    >>> isinstance(optimizer, Optimizer), optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """

    layerwise = False  # does `update` need one parameter at a time, in its own shape?

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if not isinstance(params, Iterable) or isinstance(params, (Tensor, str)):
            raise TypeError(
                f"{type(self).__name__} takes a list of parameters, or of groups; got a {type(params).__name__}"
                + (": pass layer.parameters()" if hasattr(params, "parameters") else "")
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__} was given no parameters: the list, or the iterator, is empty")
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._sections: list[_Section] = []
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.param_groups.append(self._checked(group))
        self._gather()

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "param_groups": self.param_groups, "state": self.state_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.defaults, self.param_groups, self._sections = state["defaults"], state["param_groups"], []
        self._gather()
        self.load_state_dict(state["state"])

    def __repr__(self) -> str:
        groups = (
            f"{len(g['params'])} parameters, " + ", ".join(f"{k}={v}" for k, v in g.items() if k != "params")
            for g in self.param_groups
        )
        return f"{type(self).__name__}({'; '.join(groups)})"

    def _checked(self, group: dict[str, Any]) -> dict[str, Any]:
        """Return a group with defaults filled in, each parameter once."""
        if "params" not in group:
            raise ValueError(
                f"a group is a dict with 'params' and settings; this one has {', '.join(group) or 'nothing'}"
            )
        for name in ("lr", "eps", "weight_decay", "momentum"):
            value = group.get(name, self.defaults.get(name, 0))
            if isinstance(value, (str, bool)) or not float(value) >= 0:
                raise ValueError(f"{type(self).__name__}: {name}={value!r} must be a number, 0 or more")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if unknown := [k for k in group if k != "params" and k not in self.defaults]:
            raise ValueError(f"{type(self).__name__} has no setting {unknown[0]!r}: it has {', '.join(self.defaults)}")
        taken = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"an optimizer takes Tensors; got a {type(p).__name__}")
            if not p.is_leaf or p.dtype.kind not in "fV":
                raise ValueError(f"an optimizer takes float leaves; got {p!r}"[:120])
            if id(p) in taken:
                raise ValueError(f"a parameter of shape {p.shape} is in two groups: it would be changed twice a step")
        return {**self.defaults, **group, "params": list({id(p): p for p in params}.values())}

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group: {"params": [...], setting: value, ...}."""
        self.param_groups.append(self._checked(group))
        self._gather()

    def _gather(self, state: Mapping[int, Any] | None = None) -> None:
        """Move all parameters into flat buffers, and the state of each to its new place."""
        state = self._state() if state is None else state
        sections = []
        for group in self.param_groups:
            alike: dict[tuple[Any, str], list[Tensor]] = {}
            for p in group["params"]:
                alike.setdefault((p.dtype, p.device), []).append(p)
            sections += [_Section(params, group, state) for params in alike.values()]
        for section in sections:
            for name in self.moments(section.group):
                section.moment(name)
            section.state = {}
        self._sections = sections

    def _state(self) -> dict[int, tuple[int, dict[str, Array]]]:
        """Return by id of the parameter: its number of steps, and its moments."""
        return {
            id(p): (s.steps[i], {name: views[i] for name, views in s.views.items()})
            for s in self._sections
            for i, p in enumerate(s.parameters)
            if s.steps[i]
        }

    # -- the step ----------------------------------------------------------------------------------------------------

    def moments(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Return the names of the arrays that are kept for each parameter of a group."""
        raise NotImplementedError

    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: dict[str, Any], step: int, scratch: Sequence[Array]
    ) -> None:
        """Change entries `p` along the gradient `g`, and their moments, in place; `g` stays as it is.

        Both are 1-D stretches over many parameters, or one parameter in its shape if `layerwise`. step: counts from 1.
        Several threads may each be at a stretch of their own.
        scratch: two arrays of p's shape (none if `layerwise`).
        """
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure`, if there is one, first computes the loss, returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if not all(s.flat.holds(s.parameters) for s in self._sections):
            self._gather()
        for section in self._sections:
            self._step(section)
        return loss

    def _step(self, s: _Section) -> None:
        flat = s.flat
        flat.collect(s.parameters)
        reached = [i for i, p in enumerate(s.parameters) if p.grad is not None]
        if not reached:
            return
        moments = [s.moment(name) for name in self.moments(s.group)]
        for i in reached:
            s.steps[i] += 1
            s.parameters[i].changed()
        if self.layerwise:
            for i in reached:
                p, g = flat.views[i], flat.slots[i]
                if s.half:
                    p, g = p.astype(np.float32), g.astype(np.float32)
                self.update(p, g, [s.views[name][i] for name in self.moments(s.group)], s.group, s.steps[i], ())
                if s.half:
                    flat.views[i][...] = p.astype(flat.data.dtype)
            return
        # neighbours with one number of steps are one stretch: all of them, where backward always reaches all
        steps = {flat.bounds[i][0]: s.steps[i] for i in reached}
        counts = [s.steps[i] for i in reached]
        runs = join([flat.bounds[i] for i in reached], lambda k: counts[k] == counts[k - 1])
        pieces = [(b, steps[start]) for start, stop in runs for b in blocks(start, stop, flat.data)]
        xp, length = namespace(flat.data), block_length(flat.data)

        def work(pieces: Sequence[tuple[slice, int]]) -> None:
            scratch = [xp.empty(length, s.dtype) for _ in range(2)]
            for b, step in pieces:
                p, g = flat.data[b], flat.grad[b]
                if s.half:  # storage: computed in float32
                    p, g = p.astype(np.float32), g.astype(np.float32)
                n = b.stop - b.start
                self.update(p, g, [m[b] for m in moments], s.group, step, [x[:n] for x in scratch])
                if s.half:
                    flat.data[b] = p.astype(flat.data.dtype)

        shared(work, pieces, sum(stop - start for start, stop in runs))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `.grad` is None until the next backward, or, with False, the same Tensor of zeros."""
        forget((p for group in self.param_groups for p in group["params"]), set_to_none)

    # -- saving and loading ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as PyTorch lays it out, with copies of the moments as NumPy arrays.

        {"state": {i: {"step": n, moment: array of the parameter's shape}}, "param_groups": [{..., "params": [i, ..]}]}
        with i counting the parameters over the groups in order; one that was never reached has no state.
        """
        state, groups, number = self._state(), [], 0
        arrays: dict[int, dict[str, Any]] = {}
        for group in self.param_groups:
            for i, p in enumerate(group["params"], number):
                if id(p) in state:
                    step, moments = state[id(p)]
                    arrays[i] = {"step": step} | {k: np.array(to_numpy(v)) for k, v in moments.items()}
            indices = list(range(number, number + len(group["params"])))
            groups.append({k: v for k, v in group.items() if k != "params"} | {"params": indices})
            number += len(indices)
        return {"state": arrays, "param_groups": groups}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, also after a way through JSON (text keys, lists for tuples)."""
        if missing := {"state", "param_groups"} - set(state):
            raise StateDictError(
                f"an optimizer's state has state and param_groups; {' and '.join(sorted(missing))} missing"
            )
        groups = state["param_groups"]
        here, there = [len(g["params"]) for g in self.param_groups], [len(g["params"]) for g in groups]
        if here != there:
            raise StateDictError(f"the state has groups of {there} parameters; this {type(self).__name__} of {here}")
        params = [p for g in self.param_groups for p in g["params"]]
        loaded: dict[int, tuple[int, dict[str, Array]]] = {}
        for key, entry in state["state"].items():
            if not 0 <= int(key) < len(params):
                raise StateDictError(f"the state has a parameter {key}; there are {len(params)}, counted from 0")
            p = params[int(key)]
            known = {name for group in self.param_groups for name in self.moments({**group, **groups[0]})}
            if foreign := set(entry) - known - {"step"}:
                raise StateDictError(
                    f"{type(self).__name__} keeps no {sorted(foreign)[0]!r}: a state of another optimizer?"
                )
            arrays = {k: np.asarray(v) for k, v in entry.items() if k != "step"}
            for name, array in arrays.items():
                if array.shape != p.shape:
                    raise StateDictError(f"{name} of parameter {key} is {array.shape}; the parameter is {p.shape}")
            loaded[id(p)] = int(entry["step"]), arrays
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            for k, v in theirs.items():
                if k != "params" and k in mine:
                    mine[k] = tuple(v) if isinstance(v, list) else v
        self._gather(loaded)
