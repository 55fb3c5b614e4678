"""Parametrizations: a parameter of a layer that is computed from others, each time it is read.

`layer.weight` becomes a property of a class made for the purpose; what is learned stands in
`layer.parametrizations.weight`, under PyTorch's names: original, or original0, original1, ...
"""

from __future__ import annotations

from functools import cache
from typing import Any

from minitensor.backend import is_array
from minitensor.errors import StateDictError
from minitensor.graph import describe
from minitensor.modes import no_grad
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.nn.containers import LayerList
from minitensor.tensor import Tensor

__all__ = ["ParametrizationList", "is_parametrized", "register_parametrization", "remove_parametrizations"]


class ParametrizationList(LayerList):
    """What a parametrized Tensor is computed with: `fₙ(... f₁(original))`, or f₁(original0, original1, ...).

    The functions are the layers 0, 1, ... in it. Made by `register_parametrization`. Differs from PyTorch: only
    Parameters are parametrized, no buffers; `unsafe` is asked of register_parametrization.

    >>> from minitensor.nn import Linear, parametrizations
    >>> layer = parametrizations.weight_norm(Linear(3, 2))
    >>> [name for name, _ in layer.parametrizations.weight.named_parameters()]
    ['original0', 'original1']
    """

    def __init__(self, function: Layer, original: Parameter) -> None:
        super().__init__([function])
        parts = self._parts(original)
        if isinstance(parts, tuple):
            self.count = len(parts)
            for i, part in enumerate(parts):
                setattr(self, f"original{i}", Parameter(part.data.copy(), original.requires_grad))
        else:
            self.count = 0
            self.original = original  # the same object: an optimizer that knows it goes on
            if parts is not original:
                original.replace(parts.data)

    def originals(self) -> list[Parameter]:
        """Return what is learned."""
        return [getattr(self, f"original{i}") for i in range(self.count)] if self.count else [self.original]

    def forward(self) -> Tensor:
        """Return the Tensor."""
        first, *others = self
        y: Tensor = first(*self.originals())
        for function in others:
            y = function(y)
        return y

    def _parts(self, value: Tensor) -> Any:
        """Return what gives this value: one Tensor, or a tuple."""
        with no_grad():
            parts: Any = value
            for function in reversed(list(self)):
                inverse = getattr(function, "right_inverse", None)
                parts = parts if inverse is None else inverse(parts)
        return parts

    def assign(self, value: Any) -> None:
        """Change what is learned so that the Tensor becomes `value`, as far as the functions can say how."""
        if not all(hasattr(function, "right_inverse") for function in self):
            raise TypeError("a parametrized Tensor is assigned to through right_inverse, which a function here lacks")
        parts = self._parts(value if isinstance(value, Tensor) else Tensor(value))
        for p, part in zip(self.originals(), parts if isinstance(parts, tuple) else (parts,), strict=True):
            if p.shape != part.shape:
                raise StateDictError(f"a parametrized Tensor of parts {p.shape} was given {describe(value)}")
            p.data[...] = part.data
            p.changed()


class _Tensors(Layer):
    """The parametrized Tensors of a layer, by name."""


def _property(name: str) -> property:
    return property(
        lambda layer: layer.__dict__["parametrizations"].__dict__[name](),
        lambda layer, value: layer.__dict__["parametrizations"].__dict__[name].assign(value),
    )


@cache
def _class(base: type[Layer], names: tuple[str, ...]) -> type[Layer]:
    """Return a subclass whose Tensors of these names are computed."""
    members: dict[str, Any] = {name: _property(name) for name in names}
    members |= {"_base": base, "__module__": base.__module__, "__doc__": base.__doc__}
    members["__reduce_ex__"] = lambda self, protocol: (_rebuilt, (base, names), self.__dict__)
    return type(f"Parametrized{base.__name__}", (base,), members)


def _rebuilt(base: type[Layer], names: tuple[str, ...]) -> Layer:
    return object.__new__(_class(base, names))  # type: ignore[arg-type]


def _base(layer: Layer) -> type[Layer]:
    return getattr(type(layer), "_base", type(layer))


def is_parametrized(module: Layer, tensor_name: str | None = None) -> bool:
    """Whether a Tensor of the layer (any, for None) is computed by a parametrization.

    >>> from minitensor.nn import Linear
    >>> is_parametrized(Linear(3, 2))
    False
    """
    found = module.__dict__.get("parametrizations")
    return found is not None and (tensor_name is None or tensor_name in found.__dict__)


def register_parametrization(module: Layer, tensor_name: str, parametrization: Layer, *, unsafe: bool = False) -> Layer:
    """Compute a Parameter of a layer by `parametrization(original)` each time it is read; returns the layer.

    A method right_inverse(value) of it says what original gives a value: it sets the first original, and is used by
    `layer.weight = value`; it may return a tuple, and forward then takes all its parts. A second parametrization is put
    on top of the first. Raises ValueError if there is no such Parameter, or, unless `unsafe`, if shape or dtype change.
    Differs from PyTorch: only Parameters are parametrized, no buffers.

    >>> from minitensor.nn import Linear
    >>> class Symmetric(Layer):
    ...     def forward(self, x):
    ...         return (x + x.mT) / 2
    >>> layer = register_parametrization(Linear(2, 2, bias=False), "weight", Symmetric())
    >>> list(layer.state_dict()), bool((layer.weight == layer.weight.T).all())
    (['parametrizations.weight.original'], True)
    """
    name = f"{type(module).__name__}.{tensor_name}"
    if is_parametrized(module, tensor_name):
        functions = module.__dict__["parametrizations"].__dict__[tensor_name]
        before = getattr(module, tensor_name).detach()
        _check(name, parametrization, parametrization(before), before, unsafe)
        functions.append(parametrization)
        return module
    original = module.__dict__.get(tensor_name)
    if not isinstance(original, Parameter):
        raise ValueError(f"{name} is no Parameter, so it cannot be parametrized")
    value = original.detach().clone()
    functions = ParametrizationList(parametrization, original)
    try:
        with no_grad():
            _check(name, parametrization, functions(), value, unsafe)
    except Exception:
        if not functions.count:
            original.replace(value.data)
        raise
    del module.__dict__[tensor_name]
    if not is_parametrized(module):
        module.__dict__["parametrizations"] = _Tensors()
    setattr(module.__dict__["parametrizations"], tensor_name, functions)
    _reclass(module)
    return module


def _check(name: str, function: Layer, y: Any, before: Tensor, unsafe: bool) -> None:
    if unsafe:
        return
    if not isinstance(y, Tensor) or not is_array(y.data) or y.shape != before.shape or y.dtype != before.dtype:
        raise ValueError(
            f"{type(function).__name__} makes {describe(y)} of {name}, which is {describe(before)}: use unsafe=True if "
            "that is meant"
        )


def _reclass(module: Layer) -> None:
    """Give the layer the class whose properties are what is parametrized now."""
    found = module.__dict__["parametrizations"].__dict__
    names = tuple(name for name, v in found.items() if isinstance(v, LayerList))
    base = _base(module)
    object.__setattr__(module, "__class__", _class(base, names) if names else base)  # type: ignore[arg-type]
    if not names:
        del module.__dict__["parametrizations"]


def remove_parametrizations(module: Layer, tensor_name: str, leave_parametrized: bool = True) -> Layer:
    """Make a parametrized Tensor a Parameter again, with the value it has now; returns the layer.

    leave_parametrized=False gives the original back, where there is one. Raises ValueError if there is nothing to
    remove, or if leave_parametrized is False and there are several originals.

    >>> from minitensor.nn import Linear, parametrizations
    >>> list(remove_parametrizations(parametrizations.weight_norm(Linear(3, 2)), "weight").state_dict())
    ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{type(module).__name__} has no parametrization of {tensor_name!r}")
    functions = module.__dict__["parametrizations"].__dict__[tensor_name]
    if functions.count and not leave_parametrized:
        raise ValueError(
            f"{tensor_name!r} has {functions.count} originals: leave_parametrized=False has no one to leave"
        )
    first = functions.originals()[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).data
        if functions.count:
            first = Parameter(value, first.requires_grad)
        else:
            first.replace(value)
    del module.__dict__["parametrizations"].__dict__[tensor_name]
    _reclass(module)
    setattr(module, tensor_name, first)
    return module
