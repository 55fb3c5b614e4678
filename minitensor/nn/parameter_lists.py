"""Containers of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.nn.containers import checked_key, checked_pairs

__all__ = ["ParameterDict", "ParameterList"]


def _parameter(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


class ParameterList(Layer):
    """A list of parameters that are found, under the names 0, 1, 2, ...

    values: Parameters, or Tensors and arrays that become Parameters. len, indexing, slices, iteration, append and
    extend as a list's. Differs from PyTorch: it holds parameters only.

    >>> ParameterList([[1.0, 2.0], [3.0]])
    ParameterList((2,), (1,))
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.extend(values)

    def __len__(self) -> int:
        return sum(1 for _ in self._own_parameters())

    def __iter__(self) -> Iterator[Parameter]:
        return (p for _, p in self._own_parameters())

    def __getitem__(self, index: int | slice) -> Any:
        chosen = list(self)[index]
        return ParameterList(chosen) if isinstance(chosen, list) else chosen

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(range(len(self))[index]), _parameter(value))

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        setattr(self, str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        if not isinstance(values, Iterable):
            raise TypeError(f"ParameterList takes a list of parameters; got {values!r}")
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Return the shapes."""
        return ", ".join(str(p.shape) for p in self)


class ParameterDict(Layer):
    """A dict of parameters that are found, under their keys.

    values: a mapping or pairs of keys and Parameters, or Tensors and arrays that become Parameters. Keys are words
    without a dot that are no attribute of the class (KeyError). len, in, iteration over the keys, keys, values, items,
    update, pop and clear as a dict's. Differs from PyTorch: it holds parameters only.

    >>> ParameterDict({"scale": [1.0, 2.0]})
    ParameterDict(scale: (2,))
    """

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self.update(values)

    def __len__(self) -> int:
        return sum(1 for _ in self._own_parameters())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._own_parameters())

    def __contains__(self, key: object) -> bool:
        return any(key == name for name in self)

    def __getitem__(self, key: str) -> Parameter:
        if key not in self:
            raise KeyError(f"ParameterDict has no parameter {key!r}; it has {list(self)}")
        found: Parameter = getattr(self, key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, checked_key(self, key), _parameter(value))

    def __delitem__(self, key: str) -> None:
        self[key]  # or KeyError
        delattr(self, key)

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add parameters, or put others in their places."""
        for key, value in values.items() if isinstance(values, Mapping) else checked_pairs(self, values):
            self[key] = value

    def pop(self, key: str) -> Parameter:
        """Take a parameter out and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self):
            del self[key]

    def keys(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self)

    def values(self) -> Iterator[Parameter]:
        """Iterate over the parameters."""
        return (p for _, p in self._own_parameters())

    def items(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over (key, parameter)."""
        return iter(list(self._own_parameters()))

    def extra_repr(self) -> str:
        """Return keys and shapes."""
        return ", ".join(f"{name}: {p.shape}" for name, p in self._own_parameters())
