"""Where examples come from. A source knows no method: it has examples of one shape, labels, and a held-out part."""

from __future__ import annotations

import importlib
from typing import Any

from jepa.sources.arrays import ArrayFile, Arrays
from jepa.sources.base import Source, SourceSettings
from jepa.sources.memory import InMemory

__all__ = [
    "ArrayFile",
    "Arrays",
    "Digits",
    "ImageFolder",
    "InMemory",
    "MNIST1D",
    "Series",
    "Shapes",
    "Sound",
    "Source",
    "SourceSettings",
    "Text",
]

_LATER = {
    "ImageFolder": "folder",
    "Shapes": "shapes",
    "Digits": "digits",
    "MNIST1D": "series.mnist1d",
    "Series": "series.source",
    "Sound": "sound.source",
    "Text": "texts.source",
}  # with Pillow, which takes its time


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"jepa.sources.{_LATER[name]}"), name)
