"""The modes of a thread: are calls recorded, may kernels stand in, in which precision, who watches?"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, TypeVar, cast, overload

from minitensor.graph import state

__all__ = ["enable_grad", "is_recording", "modes", "no_grad", "switch", "unfused"]

F = TypeVar("F", bound=Callable[..., Any])  # a function keeps its signature under a decorator


class switch:  # noqa: N801
    """Set modes of this thread for a while: a context that may be entered again and again, or a decorator."""

    def __init__(self, **modes: Any) -> None:
        self._modes = modes
        self._before: list[dict[str, Any]] = []

    def __enter__(self) -> None:
        now = vars(state)
        self._before.append({name: now[name] for name in self._modes})
        _set(now, self._modes)

    def __exit__(self, *_: object) -> None:
        _set(vars(state), self._before.pop())

    def __call__(self, function: F) -> F:
        """Return the function, run in these modes."""
        if isgeneratorfunction(function):
            raise TypeError(f"{function.__name__} is a generator: its body runs later, so use the context inside it")

        @wraps(function)
        def within(*args: Any, **settings: Any) -> Any:
            with switch(**self._modes):
                return function(*args, **settings)

        return cast(F, within)


def _set(now: dict[str, Any], modes: dict[str, Any]) -> None:
    now.update(modes)
    now["ordinary"] = now["autocast"] is None and now["observer"] is None


def modes() -> dict[str, Any]:
    """Return the modes of this thread that change what a call does: with them a second run does the same."""
    return {name: getattr(state, name) for name in ("recording", "fused", "autocast", "replaying")}


def _applied(context: switch, function: F | None) -> switch | F:
    return context if function is None else context(function)


@overload
def no_grad(function: None = None) -> switch: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: F | None = None) -> switch | F:
    """Context or decorator: calls leave no graph behind (this thread only).

    Raises TypeError for a generator function. Differs from PyTorch: there those are taken.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0], requires_grad=True)
    >>> with mt.no_grad():
    ...     (x * 2).requires_grad
    False
    """
    return _applied(switch(recording=False), function)


@overload
def enable_grad(function: None = None) -> switch: ...
@overload
def enable_grad(function: F) -> F: ...
def enable_grad(function: F | None = None) -> switch | F:
    """Context or decorator: record again, inside `no_grad`.

    Raises TypeError for a generator function. Differs from PyTorch: there those are taken.

    >>> import minitensor as mt
    >>> x = mt.Tensor([1.0], requires_grad=True)
    >>> with mt.no_grad(), mt.enable_grad():
    ...     (x * 2).requires_grad
    True
    """
    return _applied(switch(recording=True), function)


@overload
def unfused(function: None = None) -> switch: ...
@overload
def unfused(function: F) -> F: ...
def unfused(function: F | None = None) -> switch | F:
    """Context or decorator: composites run as the plain Python that defines them, for study and for tests.

    >>> import minitensor as mt
    >>> x = mt.Tensor([[1.0, 1.0]], requires_grad=True)
    >>> with mt.unfused():
    ...     y = mt.nn.functional.layer_norm(x, (2,))
    >>> y
    Tensor float32 (1, 2) from divide: [[0. 0.]]
    """
    return _applied(switch(fused=False), function)


def is_recording() -> bool:
    """Whether calls on Tensors are being recorded in this thread. Differs from PyTorch: it is is_grad_enabled there.

    >>> is_recording()
    True
    """
    return state.recording
