"""The ONNX model of a trace: its nodes, its constants, and sizes that follow the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.interop.onnx.compare import Affine, Along
from minitensor.interop.onnx.trace import Step, Trace, as_numpy

__all__ = ["build", "kept"]

Plan = dict[str, Affine | Along]
SIZE = "batch/size"


def kept(trace: Trace, outputs: Sequence[str]) -> list[Step]:
    """Return the steps that the outputs need."""
    needed, steps = set(outputs), []
    for step in reversed(trace.steps):
        if needed & set(step.outputs):
            needed |= set(step.inputs)
            steps.append(step)
    return steps[::-1]


class _Graph:
    def __init__(self, onnx: Any, trace: Trace, plan: Plan) -> None:
        self.onnx, self.trace, self.plan = onnx, trace, plan
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.there: set[str] = set()

    def node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; a dtype among the attributes becomes ONNX's number of it."""
        to = {k: self.dtype(v) if isinstance(v, np.dtype) else v for k, v in attributes.items()}
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), list(outputs), **to))
        return outputs[0]

    def dtype(self, dtype: DTypeLike) -> int:
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def store(self, name: str, array: Any) -> str:
        self.initializers.append(self.onnx.numpy_helper.from_array(as_numpy(array), name))
        return name

    def constant(self, name: str) -> None:
        """Make a constant of the trace known, if it is one, once."""
        if name in self.there or name not in self.trace.constants:
            return
        self.there.add(name)
        rule, array = self.plan.get(name), self.trace.constants[name].array
        if rule is None:
            self.store(name, array)
        elif isinstance(rule, Affine):
            self.affine(name, rule, array.dtype)
        else:
            self.along(name, rule)

    def affine(self, name: str, rule: Affine, dtype: DTypeLike) -> str:
        """slope · batch + start; a number is squeezed to shape ()."""
        slope, start = (self.store(f"{name}/{k}", np.atleast_1d(v)) for k, v in rule._asdict().items())
        y = self.node("Mul", [SIZE, slope], [f"{name}/of batch"])
        y = self.node("Add", [y, start], [f"{name}/whole"])
        if not rule.start.ndim:
            y = self.node("Squeeze", [y], [f"{name}/number"])
        return self.node("Cast", [y], [name], to=np.dtype(dtype))

    def along(self, name: str, rule: Along) -> str:
        """first + step · (0, 1, 2, ...) along the axis of the blocks, then the blocks in one row."""
        shape = self.affine(f"{name}/shape", rule.shape, np.int64)
        first = self.store(f"{name}/first", rule.first)
        column = np.array([-1 if i == rule.axis else 1 for i in range(rule.first.ndim)])
        if rule.step.any():
            zero, one = self.store(f"{name}/0", np.asarray(0)), self.store(f"{name}/1", np.asarray(1))
            length = self.node("Squeeze", [SIZE], [f"{name}/length"])
            count = self.node("Range", [zero, length, one], [f"{name}/range"])
            count = self.node("Reshape", [count, self.store(f"{name}/line", column)], [f"{name}/column"])
            count = self.node("Cast", [count], [f"{name}/cast"], to=rule.first.dtype)
            steps = self.node("Mul", [count, self.store(f"{name}/step", rule.step)], [f"{name}/steps"])
            blocks = self.node("Add", [steps, first], [f"{name}/blocks"])
        else:
            sizes = Affine((column < 0).astype(np.int64), (column > 0).astype(np.int64))
            blocks = self.node("Expand", [first, self.affine(f"{name}/sizes", sizes, np.int64)], [f"{name}/blocks"])
        return self.node("Reshape", [blocks, shape], [name], allowzero=1)

    def reshape(self, step: Step) -> tuple[str, ...]:
        """Return a Reshape's inputs, with -1 where one length follows the batch."""
        rule = self.plan.get(step.inputs[1])
        if not isinstance(rule, Affine) or np.count_nonzero(rule.slope) != 1:
            return step.inputs
        shape = np.array(self.trace.constants[step.inputs[1]].array)
        if (shape <= 0).any():
            return step.inputs
        shape[rule.slope != 0] = -1
        return step.inputs[0], self.store(f"{step.outputs[0]}/shape", shape)

    def add(self, step: Step) -> None:
        inputs = self.reshape(step) if step.kind == "Reshape" else step.inputs
        for name in inputs:
            self.constant(name)
        self.node(step.kind, inputs, step.outputs, **step.attributes)

    def value(self, name: str, dtype: DTypeLike, shape: Sequence[Any]) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, self.dtype(dtype), list(shape))


def build(
    onnx: Any,
    trace: Trace,
    plan: Plan,
    title: str,
    inputs: Sequence[tuple[str, Any, Sequence[Any]]],
    outputs: Sequence[tuple[str, str, Any, Sequence[Any]]],
    size_of: tuple[str, int] | None,
    opset: int,
) -> Any:
    """Return the ONNX model.

    inputs: (name, dtype, shape); outputs: (name, what it is in the trace, dtype, shape); size_of: the input and the
    axis that say how large the batch is.
    """
    graph = _Graph(onnx, trace, plan)
    if size_of is not None:
        name, axis = size_of
        graph.node("Shape", [name], [SIZE], start=axis, **({"end": axis + 1} if axis != -1 else {}))
    for step in kept(trace, [source for _, source, _, _ in outputs]):
        graph.add(step)
    for name, source, _, _ in outputs:
        graph.constant(source)
        graph.node("Identity", [source], [name])
    used = {x for node in graph.nodes for x in node.input}
    graph.nodes = [node for node in graph.nodes if node.output[0] != SIZE or SIZE in used]
    body = onnx.helper.make_graph(
        graph.nodes,
        title,
        [graph.value(*given) for given in inputs],
        [graph.value(name, dtype, shape) for name, _, dtype, shape in outputs],
        graph.initializers,
    )
    model = onnx.helper.make_model(
        body, opset_imports=[onnx.helper.make_opsetid("", opset)], producer_name="minitensor"
    )
    model.ir_version = 9  # what runtimes of the last years read
    return model
