"""Gradient clipping."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, device_of, is_half, namespace
from minitensor.nn.base.checks import number
from minitensor.optim import loops
from minitensor.optim.flat import blocks, gradients
from minitensor.optim.one_pass import by_loops
from minitensor.tensor import Tensor
from minitensor.threads import shared

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _listed(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    """Return the parameters as a list; an iterator that is used up gets a warning."""
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not listed and isinstance(parameters, Iterator):
        warnings.warn(
            "clipping was given an iterator with no parameters left: nothing is clipped. Pass a list", stacklevel=3
        )
    return listed


def _square(g: Array) -> Any:
    """Return Σ |g|² of a line: in float64 where a loop adds it up, of blocks, in their order."""
    if not by_loops(g):
        return namespace(g).vdot(g, g).real
    cut = list(blocks(0, len(g), g))
    totals = np.empty((len(cut), 1))

    def work(pieces: Sequence[int]) -> None:
        for i in pieces:
            loops.squares(g[cut[i]], totals[i])

    shared(work, range(len(cut)), len(g))
    return totals.sum()


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
    """Scale the gradients together so that their norm is at most max_norm; return the norm that they had.

    norm = √Σ g² over all parameters; each g is multiplied by min(1, max_norm / (norm + 1e-6)), as in PyTorch. A
    parameter passed twice counts once. Over an optimizer's flat buffers it takes two passes. max_norm: 0 or more,
    inf only measures.
    Differs from PyTorch: the norm is the 2-norm; no error_if_nonfinite.

    >>> x = Tensor([0.0, 0.0], requires_grad=True)
    >>> (x * Tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([x], 1.0)
    Tensor float32 (): 5.
    >>> x.grad
    Tensor float32 (2,): [0.6 0.8]
    """
    number("clip_grad_norm_", 0, max_norm=max_norm, infinite=True)
    parameters = _listed(parameters)
    found = gradients(parameters)
    if not found:
        return Tensor(0.0)
    xp = namespace(found[0])
    lines = [g.reshape(-1) for g in found]  # to read: of other layouts it is a copy
    lines = [g.astype("float32") if is_half(g.dtype) else g for g in lines]  # squares of halves overflow at 256
    squares = [_square(g) for g in lines]
    norm = xp.sqrt(xp.stack([xp.asarray(s) for s in squares]).sum()).astype(xp.result_type(*[g.real for g in lines]))
    scale = xp.minimum(max_norm / (norm + 1e-6), 1.0)
    if device_of(found[0]) != "cpu" or not scale >= 1:  # on a GPU, asking would mean waiting
        for g in found:
            g *= scale.astype(g.real.dtype)
        for p in parameters:
            if p.grad is not None:
                p.grad.changed()
    return Tensor(norm)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring every entry of every gradient into [-clip_value, clip_value], clip_value 0 or more.

    Differs from PyTorch: no foreach.

    >>> x = Tensor([0.0, 0.0], requires_grad=True)
    >>> (x * Tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_([x], 1.0)
    >>> x.grad
    Tensor float32 (2,): [ 1. -0.5]
    """
    number("clip_grad_value_", 0, clip_value=clip_value, infinite=True)
    parameters = _listed(parameters)
    for g in gradients(parameters):
        namespace(g).clip(g, -clip_value, clip_value, out=g)
    for p in parameters:
        if p.grad is not None:
            p.grad.changed()
