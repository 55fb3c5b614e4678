"""Gradient clipping."""

from __future__ import annotations

from collections.abc import Iterable

from minitensor.backend import device_of, is_half, namespace
from minitensor.optim.flat import gradient_runs
from minitensor.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
    """Scale the gradients together so that their norm is at most max_norm; return the norm that they had.

    norm = √Σ g² over all parameters; each g is multiplied by min(1, max_norm / (norm + 1e-6)), as in PyTorch. A
    parameter passed twice counts once. Over an optimizer's flat buffers it takes two passes.
    Differs from PyTorch: the norm is the 2-norm; no error_if_nonfinite.

    >>> x = Tensor([0.0, 0.0], requires_grad=True)
    >>> (x * Tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([x], 1.0)
    Tensor float32 (): 5.
    >>> x.grad
    Tensor float32 (2,): [0.6 0.8]
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    runs = gradient_runs(parameters)
    if not runs:
        return Tensor(0.0)
    xp = namespace(runs[0])
    wide = [g.astype("float32") if is_half(g.dtype) else g for g in runs]  # squares of halves overflow at 256
    squares = [xp.dot(g, g) for g in wide]
    norm = xp.sqrt(xp.stack([xp.asarray(s) for s in squares]).sum())  # ()
    scale = xp.minimum(max_norm / (norm + 1e-6), 1.0)
    if device_of(runs[0]) != "cpu" or scale < 1:  # on a GPU, asking would mean waiting
        for g in runs:
            g *= scale.astype(g.dtype)
        for p in parameters:
            if p.grad is not None:
                p.grad.changed()
    return Tensor(norm)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring every entry of every gradient into [-clip_value, clip_value].

    Differs from PyTorch: in nothing.

    >>> x = Tensor([0.0, 0.0], requires_grad=True)
    >>> (x * Tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_([x], 1.0)
    >>> x.grad
    Tensor float32 (2,): [ 1. -0.5]
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for g in gradient_runs(parameters):
        namespace(g).clip(g, -clip_value, clip_value, out=g)
    for p in parameters:
        if p.grad is not None:
            p.grad.changed()
