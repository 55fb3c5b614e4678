"""What an optimizer asks of its settings, by their names: a value that makes no sense is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from minitensor.nn.base.checks import number, share, whole
from minitensor.tensor import Tensor

__all__ = ["Group", "Params", "State", "check"]

Group = dict[str, Any]  # "params", a list of Tensors, and the settings that hold for them
State = dict[str, Any]  # what `state_dict` returns
Params = Iterable[Tensor] | Iterable[Group]  # what an optimizer is given: parameters, or groups of them


def _betas(owner: str, betas: Any) -> None:
    try:
        fits = len(betas) == 2
        share(owner, below=True, first=betas[0], second=betas[1])
    except (TypeError, ValueError, KeyError, IndexError):
        fits = False
    if not fits:
        raise ValueError(f"{owner}: betas lie in [0, 1); got {betas!r}")


def _coefficients(owner: str, ns_coefficients: Any) -> None:
    if not isinstance(ns_coefficients, (tuple, list)) or len(ns_coefficients) != 3:
        raise ValueError(f"{owner}: ns_coefficients are three numbers; got {ns_coefficients!r}")
    for value in ns_coefficients:
        number(owner, ns_coefficients=value)


def _search(owner: str, line_search_fn: Any) -> None:
    if line_search_fn not in (None, "strong_wolfe"):
        raise ValueError(f"{owner}: line_search_fn is None or 'strong_wolfe'; got {line_search_fn!r}")


_NOT_NEGATIVE = (
    "lr", "lr_decay", "eps", "weight_decay", "momentum", "momentum_decay", "initial_accumulator_value",
    "trust_coefficient", "tolerance_grad", "tolerance_change",
)  # fmt: skip
_RULES: dict[str, Callable[..., None]] = {
    **dict.fromkeys(_NOT_NEGATIVE, lambda owner, **value: number(owner, 0, **value)),
    **dict.fromkeys(("max_iter", "max_eval", "history_size"), lambda owner, **value: whole(owner, 1, **value)),
    "dampening": number,
    "alpha": share,
    "ns_steps": whole,
    "betas": _betas,
    "ns_coefficients": _coefficients,
    "line_search_fn": _search,
}


def check(owner: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError for the first setting of a group that makes no sense.

    >>> check("Adam", {"lr": 1e-3, "betas": (0.9, 0.999)})
    >>> check("Adam", {"lr": float("nan")})
    Traceback (most recent call last):
        ...
    ValueError: Adam: lr=nan must be a finite number, 0 or more
    """
    for name, value in settings.items():
        if name in _RULES:
            partial(_RULES[name], owner)(**{name: value})
    if settings.get("nesterov") and (not settings.get("momentum") or settings.get("dampening", 0) != 0):
        raise ValueError(f"{owner}: nesterov needs a momentum, and no dampening")
