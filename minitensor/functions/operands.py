"""What a public function does before its op runs: lists and numbers become Tensors, settings may follow by position."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numpy.typing import ArrayLike

from minitensor.declaration import Declaration, P, refuse_tensor
from minitensor.graph import Variable, state
from minitensor.operands import holds_tensor
from minitensor.tensor import Tensor

__all__ = ["plain_settings", "public", "says", "several", "tensor"]

F = TypeVar("F", bound=Callable[..., Any])


def tensor(x: ArrayLike) -> Tensor:
    """Return x as a Tensor; itself if it is one."""
    return x if isinstance(x, Tensor) else Tensor(x)


def plain_settings(function: str, **settings: Any) -> None:
    """Refuse a setting whose gradient a function that is neither op nor composite would lose in silence.

    >>> plain_settings("dropout", p=0.5)
    >>> plain_settings("dropout", p=Tensor(0.5, requires_grad=True))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    TypeError: dropout: the setting 'p' was given a Tensor float32 () on cpu; settings take plain values, ...
    """
    for name, value in settings.items():
        for v in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(v, Variable) and v.requires_grad and state.recording:
                refuse_tensor(function, name, v)


def public(function: Declaration[P]) -> Callable[P, Tensor]:
    """Return an op or composite as users call it: `public(reduce.sum)([[1, 2]], 0, keepdims=True)`.

    At least one operand becomes a Tensor, so that the result is one. Parameters keep the op's names and order, and may
    be passed by position or by name.
    """
    run = cast(Callable[..., Any], function)

    def call(*args: Any, **settings: Any) -> Any:
        if len(args) != function.count:
            args, settings = function.bind(args, settings)
        return run(*args, **settings) if holds_tensor(args) else run(tensor(args[0]), *args[1:], **settings)

    said = inspect.signature(function.forward, eval_str=True)
    vars(call)["__signature__"] = said.replace(
        return_annotation=Tensor if said.return_annotation is Any else said.return_annotation
    )
    call.__name__ = call.__qualname__ = function.name
    call.__module__, call.__doc__ = "minitensor", function.__doc__
    return call


def several(function: Declaration[P]) -> Callable[P, tuple[Tensor, ...]]:
    """Return an op or composite with several results as users call it; see `public`."""
    return cast(Callable[P, tuple[Tensor, ...]], public(function))


def says(declared: Declaration[...]) -> Callable[[F], F]:
    """Give a function, which brings its arguments into an op's order, the docstring of the op."""

    def given(function: F) -> F:
        function.__doc__, function.__module__ = declared.__doc__, "minitensor"
        return function

    return given
