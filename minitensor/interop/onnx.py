"""ONNX export: a model in evaluation mode, traced on example inputs, for other runtimes.

The trace sees every op on Tensors. Convolutions, pools, lookups and layer norms become one ONNX node each; other
composites are taken apart into their ops. Shapes are those of the example, the batch too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitensor.backend import is_array, to_numpy
from minitensor.graph import Node, Variable, no_grad, switch, unfused
from minitensor.interop.onnx_ops import COMPOSITES, OPS
from minitensor.nn.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["OPSET", "export"]

Array = Any
OPSET = 18


def export(model: Layer, inputs: Any, path: str | Path, *, names: Sequence[str] = ()) -> Path:
    """Write a model to an .onnx file, and return the path.

    inputs: an example Tensor, or a tuple of them; the file takes inputs of these shapes and dtypes. names: of the
    inputs ("input", or "input0", "input1", ... by default); results are "output" or "output0", ... Weights keep their
    state-dict names. Needs onnx: pip install "minitensor-jepa[onnx]".

    Raises NotImplementedError that names the op, if one has no counterpart in ONNX here. What a layer computes with
    NumPy beside the ops is taken as a constant.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX export needs onnx: pip install "minitensor-jepa[onnx]"') from error
    examples = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    examples = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in examples)
    named = list(names) or (["input"] if len(examples) == 1 else [f"input{i}" for i in range(len(examples))])
    if len(named) != len(examples):
        raise ValueError(f"export: {len(named)} names for {len(examples)} inputs")
    trace = _Trace(onnx)
    for x, name in zip(examples, named, strict=True):
        trace.know(x.data, name)
    trace.constants = {id(t.data): name for name, t in model._state().items()}
    modes = [(layer, layer.training) for layer in _layers(model)]
    model.eval()
    try:
        with no_grad(), unfused(), switch("observer", trace):
            results = model(*examples)
    finally:
        for layer, mode in modes:
            layer.training = mode
    results = tuple(results) if isinstance(results, (tuple, list)) else (results,)
    outputs = []
    for i, y in enumerate(results):
        name = "output" if len(results) == 1 else f"output{i}"
        trace.emit("Identity", [trace.name(y.data)], y.data, name=name)
        outputs.append(trace.value(name, y.data))
    graph = onnx.helper.make_graph(
        trace.nodes,
        type(model).__name__,
        [trace.value(name, x.data) for x, name in zip(examples, named, strict=True)],
        outputs,
        trace.initializers,
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    proto = onnx.helper.make_model(graph, opset_imports=opset, producer_name="minitensor")
    proto.ir_version = 9  # what runtimes of the last years read
    onnx.checker.check_model(proto, full_check=True)
    path = Path(path)
    onnx.save(proto, path)
    return path


def _layers(model: Layer) -> list[Layer]:
    return [layer for _, layer in model._tree()]


class _Trace:
    """The observer that writes down each call as ONNX nodes."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.names: dict[int, str] = {}  # id of an array -> its name
        self.constants: dict[int, str] = {}  # of weights that no call has used yet
        self.alive: list[Any] = []  # an id means something only while its array lives

    def know(self, x: Array, name: str) -> str:
        """Give an array a name."""
        self.names[id(x)] = name
        self.alive.append(x)
        return name

    def name(self, x: Any, dtype: Any = None) -> str:
        """Return an array's name; one that no call has made is a constant."""
        if is_array(x) and id(x) in self.names:
            return self.names[id(x)]
        array = np.asarray(to_numpy(x) if is_array(x) else x, dtype=None if is_array(x) else dtype)
        name = self.constants.get(id(x), f"constant{len(self.initializers)}")
        self.initializers.append(self.onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return self.know(x, name) if is_array(x) else name

    def ints(self, values: Sequence[int]) -> str:
        """Return the name of a constant list of whole numbers: shapes, axes."""
        return self.name(np.asarray(values, np.int64))

    def value(self, name: str, x: Array) -> Any:
        """Describe an input or output."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
        return self.onnx.helper.make_tensor_value_info(name, kind, x.shape)

    def emit(self, kind: str, inputs: Sequence[str], y: Array, name: str = "", **attributes: Any) -> str:
        """Add a node that makes the array y; returns its name."""
        name = name or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return self.know(y, name)

    def step(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node between others, whose array nobody else sees; returns its name."""
        return self.emit(kind, inputs, np.empty(0), **attributes)

    def composite(self, op: Any, args: Sequence[Any], settings: dict[str, Any]) -> Any:
        """Write a composite that ONNX has as a node; leave others to their ops."""
        write = COMPOSITES.get(op.name)
        if write is None:
            return NotImplemented
        args, settings = op.bind(tuple(args), settings)
        settings = {**op.defaults, **settings}
        arrays = [a.data if isinstance(a, Variable) else a for a in args]
        with switch("observer", None):
            y = op(*args, **settings)
        return y if write(self, arrays, settings, y.data) is not NotImplemented else NotImplemented

    def forward(
        self, op: Any, args: Sequence[Any], arrays: Sequence[Array], settings: dict[str, Any], run: Callable[[], Any]
    ) -> Any:
        """Write one op."""
        y = run()
        write = OPS.get(op.name)
        if write is None:
            raise NotImplementedError(f"export: the op {op.name} has no counterpart in ONNX here")
        for a, x in zip(args, arrays, strict=True):
            if isinstance(a, Variable) and a.data is not x:  # brought to another dtype on the way in
                self.emit("Cast", [self.name(a.data)], x, to=self.onnx.helper.np_dtype_to_tensor_dtype(x.dtype))
        y = np.asarray(y) if isinstance(y, np.generic) else y
        write(self, arrays, {**op.defaults, **settings}, y)
        return y

    def recorded(self, node: Node) -> None:
        """Do nothing: nothing is recorded."""

    def backward(self, node: Node, g: Any, run: Callable[[], Any]) -> Any:
        """Leave backward alone."""
        return run()
