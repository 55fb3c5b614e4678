"""The trace of one run of a model: what each op would be as ONNX nodes, and what it takes from outside.

An array is known by its id: an input, a constant, or what a written op made. Only what depends on an input is written;
all else is a constant, whatever computed it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from minitensor import notices, tensor
from minitensor.backend import Array, is_array, is_half, to_numpy
from minitensor.graph import Observer, Operands, Settings, Variable
from minitensor.interop.onnx.writing import Write, Written, writer
from minitensor.modes import no_grad, switch, unfused
from minitensor.nn.base.layer import Layer
from minitensor.ops.indexing.index import argwhere
from minitensor.ops.indexing.scatter import index_put
from minitensor.ops.reductions.counting import nonzero, unique

__all__ = ["Constant", "Step", "Trace"]

LIBRARY = str(Path(__file__).parents[2])
DOORS = (notices.__file__, tensor.__file__)  # whoever called these read the value


class Step(NamedTuple):
    """One ONNX node."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Settings
    maker: str  # the op and the layer, as an error names them


class Constant(NamedTuple):
    """An array that no input decides."""

    array: Array
    user: str  # the op and the layer that took it first


class Trace(Observer):
    """The observer that writes down each call as ONNX nodes; `run` makes one."""

    def __init__(self, model: Layer) -> None:
        self.steps: list[Step] = []
        self.constants: dict[str, Constant] = {}
        self.decided: list[str] = []  # where a value left the graph: "item() in layer x, file:line"
        self.read: dict[str, str] = {}  # what left it, by name, and how
        self.origins: dict[int, tuple[Array, ...]] = {}  # of what `linear` made: input, weight, bias
        self._names: dict[int, str] = {}  # id of an array -> its name
        self._traced: set[int] = set()  # ids of what depends on an input
        self._watched: dict[int, weakref.ref[Any]] = {}  # an id means something only while its array lives
        self._locked: dict[int, weakref.ref[Any]] = {}
        self._stack: list[str] = []  # composites that are being taken apart
        self._maker = "the model"
        self.op: Any = None
        self._paths = {id(layer): path for path, layer in reversed(list(model._tree()))}
        self._weights = {id(t.data): name for name, t in model._state().items()}

    def run(self, model: Layer, inputs: Operands, names: Sequence[str]) -> Any:
        """Run the model on the inputs, writing down what it computes; returns its result."""
        for x, name in zip(inputs, names, strict=True):
            self.know(x.data, name)
        try:
            with no_grad(), unfused(), switch(observer=self):
                return model(*inputs)
        except ValueError as error:
            if "read-only" in str(error):
                raise NotImplementedError(
                    f"export: {self._failed(error)} changes a Tensor in place, which has no counterpart in ONNX: "
                    "use minitensor.where or minitensor.index_put"
                ) from error
            raise
        finally:
            arrays = [x for x in (alive() for alive in self._locked.values()) if x is not None]
            for x in sorted(arrays, key=lambda x: x.base is not None):  # a view follows the array that it views
                with suppress(ValueError):
                    x.flags.writeable = True
            self._locked.clear()

    # -- names -------------------------------------------------------------------------------------------------------

    def know(self, y: Array, name: str) -> str:
        """Give what depends on an input a name."""
        self._names[id(y)] = name
        self._traced.add(id(y))
        self._hold(y)
        return name

    def _hold(self, x: Array) -> None:
        """Forget an array's name when it dies; until then keep it as it is."""
        key = id(x)
        self._watched[key] = weakref.ref(x, lambda _: self._forget(key))
        if isinstance(x, np.ndarray) and x.flags.writeable:
            x.flags.writeable = False
            self._locked[key] = self._watched[key]

    def _forget(self, key: int) -> None:
        for table in (self._names, self._watched, self._locked, self.origins):
            table.pop(key, None)
        self._traced.discard(key)

    def traced(self, x: Array) -> bool:
        """Whether a value depends on an input."""
        if isinstance(x, Variable):
            x = x.data
        if isinstance(x, (tuple, list)):
            return any(map(self.traced, x))
        return is_array(x) and id(x) in self._traced

    def name(self, x: Array, dtype: DTypeLike | None = None) -> str:
        """Return an array's or a number's name; what no input has decided is a constant."""
        if not is_array(x):
            return self._constant(np.asarray(x, dtype))
        if id(x) not in self._names:
            self._names[id(x)] = self._constant(x, self._weights.get(id(x), ""))
            self._hold(x)
        return self._names[id(x)]

    def _constant(self, x: Array, name: str = "") -> str:
        name = name or f"constant/{len(self.constants)}"
        self.constants[name] = Constant(x, self._maker)
        return name

    def ints(self, values: Sequence[int]) -> str:
        """Return the name of a constant list of whole numbers: shapes, axes."""
        return self._constant(np.asarray(values, np.int64).reshape(-1))

    def names(self, xs: Operands, y: Array) -> list[str]:
        """Return the operands' names; numbers take the dtype in which the op's operands meet."""
        promoted = self.op.promoted * (len(xs) if self.op.variadic else 1)
        pairs = list(zip(xs, promoted, strict=True))
        dtype = next((x.dtype for x, p in pairs if p and is_array(x)), None if y.dtype.kind == "b" else y.dtype)
        return [self.name(x, dtype if p else None) for x, p in pairs]

    def result(self, y: Array, name: str) -> None:
        """Hear of a result of the model, which may be a constant."""
        self._maker = f"the model's result {name}"
        self.name(y)

    # -- nodes -------------------------------------------------------------------------------------------------------

    def emit(self, kind: str, inputs: Sequence[str], y: Array, **attributes: Any) -> str:
        """Add a node that makes the array y; returns its name."""
        return self.know(y, self.step(kind, inputs, **attributes))

    def step(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node between others, whose array nobody else sees; returns its name."""
        return self.steps_of(kind, inputs, 1, **attributes)[0]

    def steps_of(self, kind: str, inputs: Sequence[str], count: int, **attributes: Any) -> tuple[str, ...]:
        """Add a node with several results; returns their names."""
        base = f"{kind}/{len(self.steps)}"
        outputs = (base,) if count == 1 else tuple(f"{base}.{i}" for i in range(count))
        self.steps.append(Step(kind, tuple(inputs), outputs, attributes, self._maker))
        return outputs

    def cast(self, name: str, dtype: DTypeLike) -> str:
        """Add a cast; returns its name."""
        return self.step("Cast", [name], to=np.dtype(dtype))

    def refuse(self, why: str = "has no counterpart in ONNX here") -> NoReturn:
        """Raise NotImplementedError that names the op and the layer."""
        raise NotImplementedError(f"export: {self._maker} {why}")

    # -- where it is -------------------------------------------------------------------------------------------------

    def place(self) -> str:
        """Name the layer that is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if layer := self._layer(frame):
                return layer
            frame = frame.f_back
        return "the model"

    def _layer(self, frame: FrameType) -> str:
        """Name the layer that a frame calls, if it calls one of the model."""
        layer = frame.f_locals["self"] if frame.f_code is Layer.__call__.__code__ else None
        if id(layer) not in self._paths:
            return ""
        path = self._paths[id(layer)]
        return f"layer {path} ({type(layer).__name__})" if path else f"layer {type(layer).__name__}"

    def _failed(self, error: Exception) -> str:
        """Name the layer in which an error was raised."""
        layers = [self._layer(frame) for frame, _ in walk_tb(error.__traceback__)]
        return next((layer for layer in reversed(layers) if layer), "the model")

    def _begin(self, op: Any) -> None:
        inside = f" (in {self._stack[0]})" if self._stack and self._stack[0] != op.name else ""
        self.op, self._maker = op, f"{op.name}{inside} in {self.place()}"

    # -- what the engine tells ---------------------------------------------------------------------------------------

    def composite(self, op: Any, args: Operands, settings: Settings) -> Any:
        """Write a composite that ONNX has; take others apart into their ops."""
        if not self.traced([*args, *settings.values()]):
            with switch(observer=None):
                return op(*args, **settings)
        dtypes = [a.dtype for a in args if hasattr(a, "dtype")]
        if any(d.kind == "c" or is_half(d) for d in dtypes):
            return NotImplemented  # half precision is widened first, complex numbers are refused
        write = writer(op)
        plain = op is index_put or not self.traced([settings[k] for k in settings if k in op.defaults])
        if write is not None and plain:
            y = self._write_composite(write, op, args, settings)
            if y is not NotImplemented:
                return y
        self._stack.append(op.name)
        try:
            return op.forward(*args, **settings)
        finally:
            self._stack.pop()

    def _write_composite(self, write: Write, op: Any, args: Operands, settings: Settings) -> Any:
        args, settings = op.bind(tuple(args), settings)
        with switch(observer=None), switch(fused=True):
            y = op(*args, **settings)
        self._begin(op)
        arrays = [a.data if isinstance(a, Variable) else a for a in args]
        found = tuple(v.data for v in y) if isinstance(y, tuple) else y.data
        if self._written(write, arrays, {**op.defaults, **settings}, found) is NotImplemented:
            return NotImplemented
        return y

    def _written(self, write: Write, arrays: Operands, settings: Settings, y: Array) -> Written:
        try:
            return write(self, arrays, settings, y)
        except NotImplementedError:
            raise
        except Exception as error:
            raise NotImplementedError(f"export: {self._maker} cannot be written with these arguments") from error

    def forward(
        self, op: Any, args: Operands, arrays: Sequence[Array], settings: Settings, run: Callable[[], Any]
    ) -> Any:
        """Write one op."""
        y = run()
        if not self.traced([*args, *settings.values()]):
            return y
        y = tuple(map(_array, y)) if type(y) is tuple else _array(y)
        self._begin(op)
        every = [*arrays, *(y if type(y) is tuple else (y,))]
        if any(is_array(x) and x.dtype.kind == "c" for x in every):
            self.refuse("computes with complex numbers, which have no counterpart in ONNX here")
        if _empty(op, y, settings):
            return y
        write = writer(op)
        if write is None:
            self.refuse()
        for a, x in zip(args, arrays, strict=True):  # brought to another dtype on the way in
            before = a.data if isinstance(a, Variable) else a
            if before is not x and self.traced(before):
                self.know(x, self.cast(self.name(before), x.dtype))
        self._written(write, arrays, {**op.defaults, **settings}, y)
        return y

    def same(self, old: Array, new: Array) -> None:
        """Hear that the engine made a copy, or narrowed half precision again."""
        pairs = zip(old, new, strict=True) if type(new) is tuple else ((old, new),)
        for a, b in pairs:
            if a is not b and self.traced(a):
                self.know(b, self._names[id(a)] if a.dtype == b.dtype else self.cast(self._names[id(a)], b.dtype))

    def leaves(self, x: Variable, how: str) -> None:
        """Hear that a Tensor's values were read by Python: from here on they are the example's."""
        if not self.traced(x):
            return
        self.read[self._names[id(x.data)]] = f"{how} in {self.place()}"
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename in DOORS:
            frame = frame.f_back
        if frame is None or frame.f_code.co_filename.startswith(LIBRARY):
            return  # the library looks at values to check them; what it computes of them shows in the graph
        self.decided.append(f"{how} in {self.place()}, {Path(frame.f_code.co_filename).name}:{frame.f_lineno}")


def _empty(op: Any, y: Array, settings: Settings) -> bool:
    """Whether a result has no entries, whatever the values of the operands: it depends on none of them."""
    index = settings.get("index")
    asks = op in (nonzero, argwhere, unique) or any(
        is_array(i) and i.dtype == bool for i in (index if isinstance(index, tuple) else (index,))
    )
    return not asks and not any(v.size for v in (y if type(y) is tuple else (y,)))


def _array(y: Array) -> Array:
    return np.asarray(y) if isinstance(y, np.generic) else y


def as_numpy(x: Array) -> np.ndarray:
    """Return a constant as the file holds it."""
    return np.array(to_numpy(x), order="C")
