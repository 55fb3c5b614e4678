"""What a contract or a base class says of a method is not said again at each part: everything else has a docstring."""

import importlib
import pkgutil
from collections.abc import Iterator
from inspect import isclass, isfunction

import pytest

import jepa
from jepa import contracts

PROTOCOLS = [value for value in vars(contracts).values() if isclass(value) and value.__module__ == contracts.__name__]
MODULES = [name for _, name, _ in pkgutil.walk_packages(jepa.__path__, "jepa.") if not name.endswith("__main__")]


def unsaid(cls: type) -> Iterator[str]:
    """Yield the public methods that neither their class, nor a base of it, nor a contract explains."""
    for name, value in vars(cls).items():
        asked = value.fget if isinstance(value, property) else getattr(value, "__func__", getattr(value, "func", value))
        if name.startswith("_") or not isfunction(asked) or asked.__module__ != cls.__module__:
            continue
        if not any(vars(owner)[name].__doc__ for owner in [*cls.__mro__, *PROTOCOLS] if name in vars(owner)):
            yield name


@pytest.mark.parametrize("name", MODULES)
def test_every_method_is_explained_once(name: str) -> None:
    module = importlib.import_module(name)
    classes = [v for k, v in vars(module).items() if isclass(v) and v.__module__ == name and not k.startswith("_")]
    assert {cls.__name__: found for cls in classes if (found := list(unsaid(cls)))} == {}


def test_the_test_catches() -> None:
    class Part:
        def check(self, shape: object, grid: object) -> None: ...
        def other(self) -> None: ...
        def said(self) -> None:
            """It is said."""

    assert list(unsaid(Part)) == ["other"]
