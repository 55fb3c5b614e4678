"""Matrix products, normalization."""

from __future__ import annotations

import numpy as np

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writing import Written, writes
from minitensor.ops.linalg.matmul import einsum, linear
from minitensor.ops.nn.normalization import layer_norm

__all__: list[str] = []


@writes(einsum)
def _einsum(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Einsum", t.names(xs, y), y, equation=s["subscripts"])


@writes(linear)
def _linear(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    x, weight, bias = xs
    if len({v.dtype for v in (x, weight, bias) if v is not None}) > 1 or x.ndim < 1:
        return NotImplemented
    t.origins[id(y)] = tuple(xs)  # a recurrent layer wants what this is made of
    name = t.step("MatMul", [t.name(x), t.step("Transpose", [t.name(weight)], perm=[1, 0])])
    t.emit("Identity" if bias is None else "Add", [name] if bias is None else [name, t.name(bias)], y)
    return None


@writes(layer_norm)
def _layer_norm(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    axes = s["axes"]
    if len({v.dtype for v in xs if v is not None}) > 1 or y.dtype != np.float32:
        return NotImplemented  # the node has epsilon in float32
    weight = np.ones(xs[0].shape[-axes:], y.dtype) if xs[1] is None else xs[1]
    names = [t.name(xs[0]), t.name(weight), *([t.name(xs[2])] if xs[2] is not None else [])]
    t.emit("LayerNormalization", names, y, axis=-axes, epsilon=s["eps"])
    return None
