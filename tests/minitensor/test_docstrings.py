"""Every public name says what it does, by an example that runs; where nothing differs, nothing is said of it."""

from __future__ import annotations

import inspect

import pytest

import minitensor as mt

ROOMS = {
    "mt": mt,
    "nn": mt.nn,
    "nn.functional": mt.nn.functional,
    "nn.init": mt.nn.init,
    "nn.initial": mt.nn.initial,
    "nn.parametrizations": mt.nn.parametrizations,
    "nn.parametrize": mt.nn.parametrize,
    "optim": mt.optim,
    "optim.schedule": mt.optim.schedule,
    "viz": mt.viz,
} | {name: getattr(mt, name) for name in ("linalg", "fft") if hasattr(getattr(mt, name, None), "__all__")}
PUBLIC = [
    (room, name)
    for room, module in ROOMS.items()
    for name in module.__all__
    if callable(thing := getattr(module, name))
    and not (inspect.isclass(thing) and issubclass(thing, BaseException))  # an error is its text
]


def test_there_are_public_names():
    assert len(PUBLIC) > 500  # a room without __all__ would be silent


@pytest.mark.parametrize(("room", "name"), PUBLIC, ids=[".".join(pair) for pair in PUBLIC])
def test_public_names_have_an_example(room, name):
    text = inspect.getdoc(getattr(ROOMS[room], name)) or ""
    assert ">>> " in text, f"{name}: no example"
    assert "in nothing." not in text, f"{name}: leave out what it does not differ in"
