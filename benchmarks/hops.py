"""How many functions of the engine a forward of a layer calls: what a reader follows, and a small layer costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import minitensor as mt

PACKAGE = str(Path(mt.__file__).parent)
MOST = {"Linear": 35, "LayerNorm": 35, "Conv2d": 60, "Conv2d, padding='same'": 60}


def count(f: Callable[[], Any]) -> int:
    """Return how many Python functions of minitensor f calls, comprehensions and properties among them."""
    calls = 0

    def event(frame: FrameType, kind: str, _: Any) -> None:
        nonlocal calls
        calls += kind == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    before = sys.getprofile()
    sys.setprofile(event)
    try:
        f()
    finally:
        sys.setprofile(before)
    return calls


def forwards() -> dict[str, int]:
    """Return the calls of one forward of each layer, recorded for backward."""
    rows, images = mt.Tensor(np.ones((4, 8), np.float32)), mt.Tensor(np.ones((2, 3, 8, 8), np.float32))
    layers: dict[str, tuple[mt.nn.Layer, mt.Tensor]] = {
        "Linear": (mt.nn.Linear(8, 8), rows),
        "LayerNorm": (mt.nn.LayerNorm(8), rows),
        "Conv2d": (mt.nn.Conv2d(3, 4, 3), images),
        "Conv2d, padding='same'": (mt.nn.Conv2d(3, 4, 3, padding="same"), images),
    }
    found = {}
    for name, (layer, x) in layers.items():
        layer(x)  # what happens once has happened
        found[name] = count(lambda layer=layer, x=x: layer(x))  # type: ignore[misc]
    return found


def run(threads: int, only: str) -> dict[str, Any]:
    """Print the calls of each layer beside the most that they may be."""
    chosen = {name: calls for name, calls in forwards().items() if only in name}
    for name, calls in chosen.items():
        print(f"{name:34} {calls:3} calls of Python (at most {MOST[name]})", flush=True)
    return {name: {"calls": calls, "goal": MOST[name]} for name, calls in chosen.items()}
