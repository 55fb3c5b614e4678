"""Layers that hold other layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from minitensor.nn.layer import Layer

__all__ = ["Identity", "LayerList", "Sequential"]


class LayerList(Layer):
    """A list of layers whose parameters are found, under the names 0, 1, 2, ...

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

    def append(self, layer: Layer) -> Self:
        """Add a layer at the end."""
        setattr(self, str(len(self)), self._checked(layer))
        return self

    def extend(self, layers: Iterable[Layer]) -> Self:
        """Add layers at the end."""
        for layer in layers:
            self.append(layer)
        return self

    def _checked(self, layer: Any) -> Layer:
        if not isinstance(layer, Layer):
            raise TypeError(f"{type(self).__name__} holds layers; got a {type(layer).__name__}")
        return layer


class Sequential(LayerList):
    """Layers one after another: y = layer_n(... layer_1(x)). Takes layers, or one dict of named layers.

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
            super().__init__(layers)  # type: ignore[arg-type]

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Layer | Sequential:
        return Sequential(*list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)

    def forward(self, x: Any) -> Any:
        """Return what the last layer makes of it."""
        for layer in self:
            x = layer(x)
        return x


class Identity(Layer):
    """y = x; takes and ignores any arguments, so that it can stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x
