"""Groups of parameters: what an optimizer takes as one, and which parameters weight decay is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from minitensor.nn.base.layer import Layer
from minitensor.optim.settings import Group, check
from minitensor.tensor import Tensor

if TYPE_CHECKING:
    from minitensor.optim.optimizer import Optimizer

__all__ = ["checked", "completed", "decay_groups"]


def decay_groups(parameters: Layer | Iterable[Tensor], weight_decay: float) -> list[Group]:
    """Return two groups for an optimizer: matrices and kernels decay; biases and the scales of norms (one axis) do not.

    A parameter that is frozen is left out; a group without parameters too.
    Differs from PyTorch: it has none; one writes the two groups by hand.

    >>> from minitensor import nn
    >>> groups = decay_groups(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), 0.05)
    >>> [(len(g["params"]), g["weight_decay"]) for g in groups]
    [(1, 0.05), (3, 0.0)]
    """
    found = parameters.parameters() if isinstance(parameters, Layer) else parameters
    trained = [p for p in found if p.requires_grad]
    split = [([p for p in trained if p.ndim > 1], weight_decay), ([p for p in trained if p.ndim <= 1], 0.0)]
    return [{"params": params, "weight_decay": decay} for params, decay in split if params]


def checked(optimizer: Optimizer, group: Any) -> Group:
    """Return a new group with defaults filled in, each parameter once."""
    if not isinstance(group, dict) or "params" not in group:
        what = (", ".join(group) or "nothing") if isinstance(group, dict) else f"a {type(group).__name__}"
        raise ValueError(f"a group is a dict with 'params' and settings; this one has {what}")
    if unknown := [k for k in group if k != "params" and k not in optimizer.defaults]:
        raise ValueError(
            f"{type(optimizer).__name__} has no setting {unknown[0]!r}: it has {', '.join(optimizer.defaults)}"
        )
    return optimizer._completed(group)


def completed(optimizer: Optimizer, group: Group) -> Group:
    """Return a group with a list of parameters that can be trained, and settings that make sense."""
    if isinstance(group["params"], Iterator):
        group["params"] = list(group["params"])  # in the caller's dict: it can be used again
        if not group["params"]:
            raise ValueError("the iterator of a group's params is empty: it gives them once. Pass a list")
    params = [group["params"]] if isinstance(group["params"], Tensor) else group["params"]
    if isinstance(params, (set, frozenset)) or not isinstance(params, Iterable):
        raise TypeError(f"params of an optimizer are a list, in order; got a {type(params).__name__}")
    params = list(params)
    taken = {id(p) for g in optimizer.param_groups for p in g["params"]}
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(f"an optimizer takes Tensors; got a {type(p).__name__}")
        if not p.is_leaf or p.dtype.kind not in "fV":
            raise ValueError(f"an optimizer takes float leaves; got {p!r}"[:120])
        if id(p) in taken:
            raise ValueError(f"a parameter of shape {p.shape} is in two groups: it would be changed twice a step")
    whole = {**optimizer.defaults, **group, "params": list({id(p): p for p in params}.values())}
    check(type(optimizer).__name__, whole)
    return whole
