"""`Layer`: a function with parameters, made of other layers. Its attributes are its registry.

Nothing is stored twice: a parameter is an attribute that holds a `Parameter`, a sub-layer one that holds a `Layer`, and
a buffer one that was announced by `register_buffer`. So looking one up is plain Python, and an unknown name raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import move, to_numpy
from minitensor.nn.base.hooks import Hooked, called
from minitensor.nn.base.parameter import Parameter, forget
from minitensor.nn.base.state import LoadResult, load_into
from minitensor.nn.base.summary import summarize
from minitensor.tensor import Tensor
from minitensor.viz.html import layer_html

__all__ = ["Layer"]


def _holds(value: Any) -> bool:
    """Whether a bare container holds a Layer or a Parameter, at any depth."""
    if isinstance(value, (Layer, Parameter)):
        return True
    if isinstance(value, dict):
        return any(map(_holds, value.values()))
    return isinstance(value, (list, tuple, set)) and any(map(_holds, value))


class Layer(Hooked):
    """The base of all layers: subclass it, assign parameters and layers in `__init__`, compute in `forward`.

    Raises TypeError where a bare list or dict of layers is assigned, in which none would be found, and for a layer that
    holds this one. Differs from PyTorch: it is Module there; no `super().__init__()` is needed, state dicts hold NumPy
    arrays, and a layer may not refer to its parent (there `train`, `to` and `state_dict` then recurse for ever).

    >>> class Double(Layer):
    ...     def __init__(self):
    ...         self.scale = Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.scale
    >>> layer = Double()
    >>> layer(Tensor([3.0]))
    Tensor float32 (1,) from multiply: [6.]
    >>> layer.state_dict()
    {'scale': array([2.], dtype=float32)}
    """

    training: bool = True
    forward: Callable[..., Any]
    _repr_html_ = layer_html

    # -- registration ------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        present, what = self.__dict__.get(name), f"{type(self).__name__}.{name}"
        if name in _RESERVED and isinstance(value, (Layer, Tensor, np.ndarray)):
            raise TypeError(
                f"{what} is a method or property of every layer and was given a {type(value).__name__}: "
                "use another name"
            )
        if isinstance(value, (list, tuple, dict, set)) and _holds(value):
            raise TypeError(
                f"{what} was given a {type(value).__name__} that holds layers or parameters, which would not be found "
                "in it: use LayerList([...]), or one attribute for each"
            )
        if isinstance(value, Layer) and value._reaches(self):
            raise TypeError(
                f"{what} was given a {type(value).__name__} that holds this layer, so that the tree would have no end: "
                "keep a parent as weakref.ref(parent), or pass what is needed to forward"
            )
        if isinstance(present, Parameter) and not (value is None or isinstance(value, Parameter)):
            raise TypeError(
                f"{what} is a Parameter and was given a {type(value).__name__}: assign a Parameter, or change its "
                f"entries, {name}[...] = value under no_grad()"
            )
        if name in self._buffers and not (value is None or isinstance(value, Tensor)):
            raise TypeError(f"{what} is a buffer and was given a {type(value).__name__}: assign a Tensor")
        object.__setattr__(self, name, value)

    @property
    def _buffers(self) -> dict[str, bool]:
        """The names of the buffers, and whether each is part of the state dict."""
        found: dict[str, bool] = self.__dict__.setdefault("_buffer_names", {})
        return found

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Announce a Tensor that belongs to the layer's state but is not learned, such as running statistics.

        It moves with `to`, and is saved unless `persistent` is False.
        """
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{type(self).__name__}: a buffer's name is a word without a dot; got {name!r}")
        if name in self.__dict__ and name not in self._buffers:
            raise ValueError(f"{type(self).__name__} has an attribute {name!r} already")
        self._buffers[name] = persistent
        setattr(self, name, tensor)

    def _children(self) -> Iterator[tuple[str, Layer]]:
        return ((name, value) for name, value in self.__dict__.items() if isinstance(value, Layer))

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, value) for name, value in self.__dict__.items() if isinstance(value, Parameter))

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, t) for name in self._buffers if (t := self.__dict__[name]) is not None)

    # -- what is in it -----------------------------------------------------------------------------------------------

    def _tree(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Yield (path, layer) for this layer and all below, a shared one under each of its names."""
        yield prefix, self
        for name, layer in self._children():
            yield from layer._tree(f"{prefix}.{name}" if prefix else name)

    def _reaches(self, wanted: Layer) -> bool:
        """Whether a layer is this one, or below it."""
        stack, seen = [self], {id(self)}
        while stack:
            layer = stack.pop()
            if layer is wanted:
                return True
            below = [child for _, child in layer._children() if id(child) not in seen]
            seen.update(map(id, below))
            stack += below
        return False

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """Yield (path, layer) for this layer (path "") and all below it, each layer once."""
        seen: set[int] = set()
        for path, layer in self._tree():
            if id(layer) not in seen:
                seen.add(id(layer))
                yield path, layer

    def layers(self) -> Iterator[Layer]:
        """Yield this layer and all below it (where an attribute has this name, as PyTorch's encoders: named_layers)."""
        return (layer for _, layer in self.named_layers())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter), a shared parameter once, under its first name."""
        seen: set[int] = set()
        for path, layer in self.named_layers():
            for name, p in layer._own_parameters():
                if id(p) not in seen:
                    seen.add(id(p))
                    yield f"{path}.{name}" if path else name, p

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters, each once: what an optimizer is given."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield (path, buffer)."""
        for path, layer in self.named_layers():
            for name, t in layer._own_buffers():
                yield f"{path}.{name}" if path else name, t

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers."""
        return (t for _, t in self.named_buffers())

    # -- saving and loading ------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Tensor]:
        """Return what a state dict names: parameters and persistent buffers, a shared one under each of its names."""
        state: dict[str, Tensor] = {}
        for path, layer in self._tree(""):
            stem = f"{path}." if path else ""
            state |= {stem + name: p for name, p in layer._own_parameters()}
            state |= {stem + name: t for name, t in layer._own_buffers() if layer._buffers[name]}
        return state

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return parameters and persistent buffers under PyTorch's keys, as NumPy arrays.

        They are copies: a snapshot that further training does not change.
        """
        return {name: np.array(to_numpy(t.data), order="C") for name, t in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy arrays (NumPy, Tensors, PyTorch's on the CPU) into parameters and buffers, whose memory stays the same.

        Raises StateDictError, and changes nothing, if a shape differs, or, when `strict`, if keys are missing or
        unexpected. Returns these two lists.
        """
        return load_into(type(self).__name__, self._state(), state, strict)

    # -- changing all of it ------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Say that it is being trained (dropout drops, batch norm uses the batch's statistics), or not."""
        if not isinstance(mode, bool):
            raise ValueError(f"{type(self).__name__}.train: mode is True or False; got {mode!r}")
        for _, layer in self.named_layers():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """Say that it is being used, not trained: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say for all parameters whether gradients are wanted; False freezes them."""
        if not isinstance(requires_grad, bool):
            raise TypeError(f"{type(self).__name__}.requires_grad_ takes True or False; got {requires_grad!r}")
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with False each stays the same Tensor, of zeros."""
        forget(self.parameters(), set_to_none)

    def to(self, device: str | None = None, dtype: DTypeLike | None = None) -> Self:
        """Move parameters and buffers to a device, and the floats among them to a dtype; the objects stay the same."""
        if dtype is not None and np.dtype(dtype).kind not in "fVc":
            raise TypeError(f"{type(self).__name__}.to: a layer computes in floats; got dtype {np.dtype(dtype)}")

        def moved(data: Any) -> Any:
            data = data if device is None else move(data, device)
            return data.astype(dtype) if dtype is not None and data.dtype.kind in "fV" and data.dtype != dtype else data

        for p in self.parameters():
            if (data := moved(p.data)) is not p.data:
                p.replace(data)
                if p.grad is not None:
                    p.grad = Tensor(moved(p.grad.data))
        for t in self.buffers():
            if (data := moved(t.data)) is not t.data:
                t.data = data
                t.changed()
        return self

    def apply(self, f: Callable[[Layer], Any]) -> Self:
        """Call `f` on every layer below, then on this one: for initial values of one's own."""
        for _, layer in reversed(list(self.named_layers())):
            f(layer)
        return self

    # -- calling -----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return `forward(...)`; an error gets one note that says which layer of the model it comes from."""
        hooks = self.__dict__.get("_layer_hooks")
        try:
            return self.forward(*args, **kwargs) if hooks is None else called(self, hooks, args, kwargs)
        except Exception as error:
            self._add_path(error)
            raise

    def _add_path(self, error: Exception) -> None:
        """Keep one note on the error that says where in this model the innermost failing layer is."""
        at, note = getattr(error, "_failed_layer", (self, None))
        path = next((path for path, layer in self._tree() if layer is at), None)
        if path is None:  # not among our attributes: what is known so far says more
            return
        if note is not None:
            error.__notes__.remove(note)
        note = f"in layer {path or type(self).__name__}" + ("" if not path or list(at._children()) else f": {at!r}")
        error.add_note(note)
        vars(error)["_failed_layer"] = (at, note)

    # -- showing -----------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows in one line."""
        return ""

    def __repr__(self) -> str:
        children = [f"{name}: {layer!r}".replace("\n", "\n  ") for name, layer in self._children()]
        head = self.extra_repr()
        if not children:
            return f"{type(self).__name__}({head})"
        return "\n  ".join([f"{type(self).__name__}({head}", *children]) + "\n)"

    def summary(self, *input_shapes: tuple[int, ...], dtype: DTypeLike = "float32") -> str:
        """Return a table of all layers: name, type, output shape, parameters, and how many of them are trained.

        input_shapes: the whole shape of each input, batch included. Zeros of that shape are passed through in
        evaluation mode; buffers and the default generator are left as they were.

        >>> from minitensor.nn import Linear, ReLU, Sequential
        >>> print(Sequential(Linear(3, 4), ReLU()).summary((1, 3)))
        name   type        output  parameters  trainable
               Sequential  (1, 4)           0          0
        0      Linear      (1, 4)          16         16
        1      ReLU        (1, 4)           0          0
        total                              16         16
        """
        return summarize(self, input_shapes, dtype)


def _undefined(self: Layer, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")


_RESERVED = frozenset(dir(Layer)) - {"layers", "training"}  # PyTorch's encoders have an attribute `layers`
Layer.forward = _undefined  # declared as Callable[..., Any] above, so that each layer's own signature stands
