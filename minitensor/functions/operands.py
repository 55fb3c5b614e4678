"""What a public function does before its op runs: lists and numbers become Tensors, settings may follow by position."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minitensor.declaration import refuse_tensor
from minitensor.graph import Variable, state
from minitensor.tensor import Tensor

__all__ = ["plain_settings", "public", "tensor"]


def tensor(x: Any) -> Tensor:
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


def public(function: Any) -> Callable[..., Tensor]:
    """Return an op or composite as users call it: `public(reduce.sum)([[1, 2]], 0, keepdims=True)`.

    At least one operand becomes a Tensor, so that the result is one. Parameters keep the op's names and order, and may
    be passed by position or by name.
    """
    count = len(function.arguments)
    settings_in_order = tuple(function.defaults)

    def call(*args: Any, **settings: Any) -> Any:
        if len(args) != count:
            extra = args[count:]
            names = settings_in_order[: len(extra)]
            if len(names) < len(extra):
                raise TypeError(
                    f"{function.name} takes at most {count + len(settings_in_order)} arguments; got {len(args)}"
                )
            for name, value in zip(names, extra, strict=True):
                if name in settings:
                    raise TypeError(f"{function.name} got two values for {name!r}")
                settings[name] = value
            args, settings = function.bind(args[:count], settings)
        for a in args:
            if isinstance(a, Variable):
                return function(*args, **settings)
        return function(tensor(args[0]), *args[1:], **settings)

    kinds = inspect.Parameter
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            kinds(n, kinds.POSITIONAL_OR_KEYWORD, default=function.optional.get(n, kinds.empty))
            for n in function.arguments
        ]
        + [kinds(n, kinds.POSITIONAL_OR_KEYWORD, default=d) for n, d in function.defaults.items()]
    )
    call.__name__ = call.__qualname__ = function.name
    call.__module__, call.__doc__ = "minitensor", function.__doc__
    return call
