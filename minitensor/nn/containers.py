"""Layers that hold other layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, cast, overload

from minitensor.nn.base.layer import Layer

__all__ = ["LayerDict", "LayerList", "Sequential"]


def checked_pairs(layer: Layer, values: Any) -> list[tuple[str, Any]]:
    """Return pairs of a key and a value, or raise TypeError."""
    pairs = list(values) if isinstance(values, Iterable) else None
    if pairs is None or any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        raise TypeError(f"{type(layer).__name__} takes a dict, or pairs of a key and a value; got {values!r}")
    return pairs


class LayerList(Layer):
    """A list of layers whose parameters are found, under the names 0, 1, 2, ...

    Indexing, slices, iteration, append, extend, insert, pop, del and + as a list's. Raises TypeError for what is no
    Layer.
    Differs from PyTorch: it is called ModuleList there.

    >>> from minitensor.nn import Identity
    >>> LayerList([Identity(), Identity()])
    LayerList(
      0: Identity()
      1: Identity()
    )
    """

    def __init__(self, layers: Iterable[Layer] = ()) -> None:
        self.extend(layers)

    def __len__(self) -> int:
        return sum(1 for _ in self._children())

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in self._children())

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Layer | Self:
        chosen = list(self)[index]
        return chosen if isinstance(chosen, Layer) else type(self)(chosen)

    def __setitem__(self, index: int, layer: Layer) -> None:
        name = [name for name, _ in self._children()][index]
        setattr(self, name, self._checked(layer))

    def __delitem__(self, index: int | slice) -> None:
        kept = list(self)
        del kept[index]
        self._refill(kept)

    def __contains__(self, layer: object) -> bool:
        return any(layer is held for held in self)

    def __add__(self, layers: Iterable[Layer]) -> LayerList:
        return LayerList([*self, *layers])

    def append(self, layer: Layer) -> Self:
        """Add a layer at the end."""
        setattr(self, str(len(self)), self._checked(layer))
        return self

    def extend(self, layers: Iterable[Layer]) -> Self:
        """Add layers at the end."""
        if not isinstance(layers, Iterable):
            raise TypeError(f"{type(self).__name__} takes a list of layers; got {layers!r}")
        for layer in layers:
            self.append(layer)
        return self

    def insert(self, index: int, layer: Layer) -> None:
        """Put a layer in before a place."""
        held = list(self)
        held.insert(index, self._checked(layer))
        self._refill(held)

    def pop(self, index: int = -1) -> Layer:
        """Take a layer out and return it."""
        layer = self[index]
        del self[index]
        return layer

    def _refill(self, layers: list[Layer]) -> None:
        """Hold these layers, under the names 0, 1, 2, ... anew."""
        for name in [name for name, _ in self._children()]:
            delattr(self, name)
        self.extend(layers)

    def _checked(self, layer: Any) -> Layer:
        if not isinstance(layer, Layer):
            raise TypeError(f"{type(self).__name__} holds layers; got a {type(layer).__name__}")
        return layer


class Sequential(LayerList):
    """Layers one after another: y = layer_n(... layer_1(x)). Takes layers, or one dict of named layers.

    >>> from minitensor.nn import Identity
    >>> Sequential(Identity(), Identity())
    Sequential(
      0: Identity()
      1: Identity()
    )
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            for name, layer in layers[0].items():
                setattr(self, name, self._checked(layer))
        else:
            super().__init__(cast(tuple[Layer, ...], layers))

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Layer | Sequential:
        return Sequential(*list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)

    def forward(self, input: Any) -> Any:
        """Return what the last layer makes of it."""
        for layer in self:
            input = layer(input)
        return input


class LayerDict(Layer):
    """A dict of layers whose parameters are found, under their keys.

    layers: a mapping or pairs. Keys are words that can be part of a state dict's key: no dot, not empty, and no
    attribute of the class (KeyError). len, in, iteration over the keys, keys, values, items, update, pop, clear as a
    dict's.
    Differs from PyTorch: it is called ModuleDict there.

    >>> from minitensor.nn import Identity
    >>> LayerDict({"left": Identity()})
    LayerDict(
      left: Identity()
    )
    """

    def __init__(self, layers: Mapping[str, Layer] | Iterable[tuple[str, Layer]] = ()) -> None:
        self.update(layers)

    def __len__(self) -> int:
        return sum(1 for _ in self._children())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._children())

    def __contains__(self, key: object) -> bool:
        return any(key == name for name in self)

    def __getitem__(self, key: str) -> Layer:
        if key not in self:
            raise KeyError(f"LayerDict has no layer {key!r}; it has {list(self)}")
        found: Layer = getattr(self, key)
        return found

    def __setitem__(self, key: str, layer: Layer) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"LayerDict holds layers; got a {type(layer).__name__}")
        setattr(self, checked_key(self, key), layer)

    def __delitem__(self, key: str) -> None:
        self[key]  # or KeyError
        delattr(self, key)

    def update(self, layers: Mapping[str, Layer] | Iterable[tuple[str, Layer]]) -> None:
        """Add layers, or put others in their places."""
        if not isinstance(layers, Mapping):
            layers = checked_pairs(self, layers)
        for key, layer in layers.items() if isinstance(layers, Mapping) else layers:
            self[key] = layer

    def pop(self, key: str) -> Layer:
        """Take a layer out and return it."""
        layer = self[key]
        del self[key]
        return layer

    def clear(self) -> None:
        """Take all layers out."""
        for key in list(self):
            del self[key]

    def keys(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self)

    def values(self) -> Iterator[Layer]:
        """Iterate over the layers."""
        return (layer for _, layer in self._children())

    def items(self) -> Iterator[tuple[str, Layer]]:
        """Iterate over (key, layer)."""
        return iter(list(self._children()))


def checked_key(owner: Layer, key: Any) -> str:
    """Return a key that can be an attribute of the owner and part of a state dict's key."""
    if not isinstance(key, str) or not key or "." in key:
        raise KeyError(f"{type(owner).__name__}: a key is a word without a dot; got {key!r}")
    if hasattr(type(owner), key) or (key.startswith("_") and key in owner.__dict__):
        raise KeyError(f"{type(owner).__name__} has an attribute {key!r} already: take another key")
    return key
