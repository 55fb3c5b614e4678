"""Functions of one number at a time: y = f(x) and dx = f'(x) g, each in one pass over the memory, in its order.

The gradient is computed from what is there anyway, x or y, and not kept from the way forward.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.declaration import Declaration
from minitensor.kernels.compiled.compiler import Inlined, compiled
from minitensor.kernels.compiled.layout import flat, flat_as, share
from minitensor.op import Op

__all__ = ["attach", "mapped"]

Array = np.ndarray
LEAST = 2048  # entries, from which on the loop of an op saves more than it costs to call it

value: Any  # parts, which `of_parts` puts in
gradient: Any


@compiled
def forward(x: Array, y: Array, settings: tuple[float, ...]) -> None:
    """y = value(x)"""
    for i in range(x.size):
        y[i] = value(x[i], *settings)  # noqa: F821


@compiled
def backward(g: Array, kept: Array, dx: Array, settings: tuple[float, ...]) -> None:
    """dx = gradient(g, x), or of y"""
    for i in range(g.size):
        dx[i] = gradient(g[i], kept[i], *settings)  # noqa: F821


def mapped(value: Inlined, gradient: Inlined, keeps: str = "x") -> Callable[..., Any]:
    """Return f(x, needs, *settings) -> (y, pullback) of value(x, *settings) and gradient(g, x, *settings).

    keeps: "y" if the gradient takes the result in place of x.
    """
    ahead, back = forward.of_parts(value=value), backward.of_parts(gradient=gradient)

    def run(x: Array, needs: tuple[bool, ...], *settings: float) -> Any:
        if x.dtype.char not in "fd":
            return NotImplemented
        y = np.empty_like(x)
        share(ahead, (flat(x), flat(y)), settings)
        kept = y if keeps == "y" else x

        def pullback(g: Array) -> tuple[Array | None, ...]:
            dx = np.empty_like(kept)
            share(back, (flat_as(g, kept), flat(kept), flat(dx)), settings)
            return (dx,)

        return y, pullback if needs[0] else None

    return run


def attach(
    declared: Declaration[Any],
    value: Inlined,
    gradient: Inlined,
    keeps: str = "x",
    takes: Callable[..., bool] = lambda *numbers: True,
) -> None:
    """Attach `mapped(...)` to a function of one array, whose settings are numbers, in its order, that it `takes`."""
    run = mapped(value, gradient, keeps)
    defaults = declared.defaults

    @declared.fused("compiled", LEAST if isinstance(declared, Op) else 0)
    def kernel(x: Array, *, needs: tuple[bool, ...], **settings: Any) -> Any:
        numbers = [float(settings.get(name, default)) for name, default in defaults.items()]
        return run(x, needs, *numbers) if takes(*numbers) else NotImplemented
