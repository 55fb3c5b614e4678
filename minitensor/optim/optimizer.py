"""What all optimizers share: groups, flat buffers, which parameters were reached, and state that can be saved.

A subclass names the arrays that it keeps for each parameter (`moments`), and changes a stretch of entries of the flat
buffer (`update`), as if there were a single parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import is_
from typing import Any, ClassVar

import numpy as np

from minitensor.backend import Array, to_numpy
from minitensor.graph import Settings
from minitensor.modes import enable_grad
from minitensor.nn.base.parameter import forget
from minitensor.optim import groups, saved
from minitensor.optim.section import Memory, Section
from minitensor.optim.settings import Group, Params, State, check
from minitensor.tensor import Tensor

__all__ = ["Optimizer"]


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
    - `param_groups` may be edited: the parameters that stand there at a step are trained. One that was taken out keeps
      its moments for when it comes back.
    - A second optimizer over the same parameters takes them over when it is made or steps; the first one takes them
      back at its own next step. Both stay right; each change of hands costs a copy.

    An iterator as a group's "params" is replaced by its list in the dict that was given, so that another optimizer can
    be made of it.
    Raises TypeError for what is no Tensor, ValueError for no parameters (an iterator that is used up), for a setting
    that is not known, or for one out of range. Differs from PyTorch: parameters share memory; no hooks on the
    optimizer.

    >>> from minitensor import Tensor
    >>> from minitensor.optim import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=0.1)
    >>> isinstance(optimizer, Optimizer), optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """

    layerwise = False  # does `update` need one parameter at a time, in its own shape?
    start: ClassVar[Any] = 0  # the clock of a parameter that no step has reached: see `tick`
    fixed: ClassVar[Mapping[str, Any]] = {"maximize": False}  # settings of PyTorch's that have one value here

    def __init__(self, params: Params, defaults: Settings) -> None:
        if not isinstance(params, Iterable) or isinstance(params, (Tensor, str, set, frozenset)):
            raise TypeError(
                f"{type(self).__name__} takes a list of parameters, or of groups; got a {type(params).__name__}"
                + (": pass layer.parameters()" if hasattr(params, "parameters") else "")
            )
        check(type(self).__name__, defaults)
        given = list(params)
        if not given:
            raise ValueError(f"{type(self).__name__} was given no parameters: the list, or the iterator, is empty")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._sections: list[Section] = []
        self._apart: dict[int, Memory] = {}  # of parameters that were taken out of the groups
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.param_groups.append(groups.checked(self, group))
        self._gather()

    def __getstate__(self) -> State:
        return {"defaults": self.defaults, "param_groups": self.param_groups, "state": self.state_dict()}

    def __setstate__(self, state: State) -> None:
        self.defaults, self.param_groups = state["defaults"], state["param_groups"]
        self._sections, self._apart = [], {}
        self._gather()
        self.load_state_dict(state["state"])

    def __repr__(self) -> str:
        groups = (
            f"{len(g['params'])} parameters, " + ", ".join(f"{k}={v}" for k, v in g.items() if k != "params")
            for g in self.param_groups
        )
        return f"{type(self).__name__}({'; '.join(groups)})"

    def _completed(self, group: Group) -> Group:
        return groups.completed(self, group)

    def add_param_group(self, group: Group) -> None:
        """Add a group: {"params": [...], setting: value, ...}."""
        self.param_groups.append(groups.checked(self, group))
        self._gather()

    def _edited(self) -> bool:
        """Whether somebody has changed which parameters the groups have since they were gathered."""
        return len(self.param_groups) != len(self._known) or any(
            group is not known
            or type(group["params"]) is not list
            or len(group["params"]) != len(params)
            or not all(map(is_, group["params"], params))
            for group, (known, params) in zip(self.param_groups, self._known, strict=True)
        )

    def _accept(self) -> None:
        """Take edited groups over, or raise and leave them."""
        edited, self.param_groups = self.param_groups, []
        try:
            for group in edited:
                group.update(self._completed(group))
                self.param_groups.append(group)
        finally:
            self.param_groups = edited
        self._gather()

    def _gather(self, state: Mapping[int, Memory] | None = None) -> None:
        """Move all parameters into flat buffers, and the state of each to its new place."""
        state = self._state() if state is None else state
        sections = []
        for group in self.param_groups:
            alike: dict[tuple[Any, str], list[Tensor]] = {}
            for p in group["params"]:
                alike.setdefault((p.dtype, p.device), []).append(p)
            sections += [Section(params, group, state, self.start) for params in alike.values()]
        for section in sections:
            for name in self.moments(section.group):
                section.moment(name)
        self._sections = sections
        self._known = [(group, list(group["params"])) for group in self.param_groups]
        present = {id(p) for _, params in self._known for p in params}
        self._apart = {i: memory for i, memory in state.items() if i not in present}

    def _state(self) -> dict[int, Memory]:
        """Return what is remembered of each parameter, by its id."""
        return self._apart | {
            id(p): Memory(p, s.clocks[i], {name: views[i] for name, views in s.views.items()})
            for s in self._sections
            for i, p in enumerate(s.parameters)
            if s.clocks[i] != self.start
        }

    # -- the step ----------------------------------------------------------------------------------------------------

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the names of the arrays that are kept for each parameter of a group."""
        raise NotImplementedError

    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: Any, scratch: Sequence[Array]
    ) -> None:
        """Change entries `p` along the gradient `g`, and their moments, in place; `g` stays as it is.

        Both are 1-D stretches over many parameters, or one parameter in its shape if `layerwise`. step: their clock,
        which counts from 1 unless `tick` says otherwise.
        Several threads may each be at a stretch of their own.
        scratch: two arrays of p's shape (none if `layerwise`).
        """
        raise NotImplementedError

    def tick(self, clock: Any, group: Group) -> Any:
        """Return a parameter's clock after one step more: the number of its steps."""
        return clock + 1

    def saved_clock(self, clock: Any) -> State:
        """Return a clock as the state dict has it."""
        return {"step": clock}

    def loaded_clock(self, entry: State) -> Any:
        """Return the clock of an entry of a state dict, or raise ValueError or KeyError."""
        step = float(entry["step"])
        if not 0 <= step < 2**63 or step != int(step):
            raise ValueError(f"step={entry['step']!r} is no number of steps")
        return int(step)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure`, if there is one, first computes the loss, returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self._edited():
            self._accept()
        elif not all(s.flat.holds(s.parameters) for s in self._sections):
            self._gather()
        for section in self._sections:
            self._step(section)
        return loss

    def _step(self, s: Section) -> None:
        s.flat.collect(s.parameters)
        reached = [i for i, p in enumerate(s.parameters) if p._grad is not None]
        if reached:
            s.advance(reached, self.tick)
            update = s.update_each if self.layerwise else s.update_stretches
            update(reached, self.moments(s.group), self.update)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `.grad` is None until the next backward, or, with False, the same Tensor of zeros."""
        if self._edited():
            self._accept()
        forget((p for group in self.param_groups for p in group["params"]), set_to_none)

    # -- saving and loading ------------------------------------------------------------------------------------------

    def state_dict(self) -> State:
        """Return the state as PyTorch lays it out, with copies of the moments as NumPy arrays.

        {"state": {i: {"step": n, moment: array of the parameter's shape}}, "param_groups": [{..., "params": [i, ..]}]}
        with i counting the parameters over the groups in order; one that was never reached has no state.
        """
        state, settings, number = self._state(), [], 0
        arrays: dict[int, dict[str, Any]] = {}
        for group in self.param_groups:
            for i, p in enumerate(group["params"], number):
                if id(p) in state:
                    _, clock, moments = state[id(p)]
                    arrays[i] = self.saved_clock(clock) | {k: np.array(to_numpy(v)) for k, v in moments.items()}
            indices = list(range(number, number + len(group["params"])))
            settings.append({k: v for k, v in group.items() if k != "params"} | {"params": indices})
            number += len(indices)
        return {"state": arrays, "param_groups": settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, also after a way through JSON (text keys, lists for tuples).

        The state of PyTorch's optimizer of the same name will do too. Raises StateDictError, and changes nothing, if
        something of it does not fit.
        """
        settings = saved.groups(self, state)
        loaded = saved.memories(self, state, settings)
        for mine, theirs in zip(self.param_groups, settings, strict=True):
            mine.update(theirs)
        self._gather(loaded)
