"""The table that `Layer.summary` returns, from a dry run that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.generators import default_generator
from minitensor.modes import no_grad
from minitensor.tensor import Tensor

if TYPE_CHECKING:
    from minitensor.nn.base.layer import Layer

__all__ = ["summarize"]


@contextmanager
def _unchanged(model: Layer) -> Iterator[None]:
    """Evaluation mode inside; training modes, buffers and the default generator as they were, afterwards."""
    modes = [(layer, layer.training) for _, layer in model.named_layers()]
    buffers = [(t, t.data.copy()) for t in model.buffers()]
    generator = default_generator()
    state = generator.bit_generator.state
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        generator.bit_generator.state = state
        for layer, mode in modes:
            layer.training = mode
        for t, data in buffers:
            t.data[...] = data


def _shape(y: Any) -> str:
    if isinstance(y, Tensor):
        return str(y.shape)
    return ", ".join(map(_shape, y)) if isinstance(y, (tuple, list)) else "-"


def summarize(model: Layer, input_shapes: Sequence[tuple[int, ...]], dtype: DTypeLike) -> str:
    """Return the table; see `Layer.summary`."""
    first = next(model.parameters(), None)
    inputs = [Tensor(np.zeros(s, dtype), device="cpu" if first is None else first.device) for s in input_shapes]
    shapes: dict[int, str] = {}

    def watch(layer: Layer) -> Any:
        def forward(*args: Any, **kwargs: Any) -> Any:
            y = type(layer).forward(layer, *args, **kwargs)
            shapes[id(layer)] = _shape(y)
            return y

        return forward

    with _unchanged(model):
        for _, layer in model.named_layers():
            layer.__dict__["forward"] = watch(layer)
        try:
            model(*inputs)
        finally:
            for _, layer in model.named_layers():
                layer.__dict__.pop("forward", None)
    rows, seen, totals = [("name", "type", "output", "parameters", "trainable")], set(), [0, 0]
    for path, layer in model.named_layers():
        own = [p for _, p in layer._own_parameters() if id(p) not in seen]
        seen |= {id(p) for p in own}
        counts = sum(p.size for p in own), sum(p.size for p in own if p.requires_grad)
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        rows.append((path, type(layer).__name__, shapes.get(id(layer), "-"), f"{counts[0]:,}", f"{counts[1]:,}"))
    rows.append(("total", "", "", f"{totals[0]:,}", f"{totals[1]:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{v:<{w}}" if i < 3 else f"{v:>{w}}" for i, (v, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )
