"""Where examples come from. A source knows no method: it has examples of one shape, labels, and a held-out part."""

from __future__ import annotations

import importlib
from typing import Any

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
    "ArrayFile": "arrays",
    "Arrays": "arrays",
    "InMemory": "memory",
    "Source": "base",
    "SourceSettings": "base",
    "ImageFolder": "folder",
    "Shapes": "shapes",
    "Digits": "digits",
    "MNIST1D": "series.mnist1d",
    "Series": "series.source",
    "Sound": "sound.source",
    "Text": "texts.source",
}  # a process that decodes images (`images.workers`) needs none of them


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"jepa.sources.{_LATER[name]}"), name)
