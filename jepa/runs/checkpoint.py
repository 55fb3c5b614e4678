"""Checkpoints: all that a run needs to go on bit by bit, in one safetensors file, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.errors import RunError

__all__ = [
    "find_checkpoint",
    "flatten",
    "list_checkpoints",
    "numbered",
    "prune",
    "read_checkpoint",
    "unflatten",
    "write_checkpoint",
]


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the numbered checkpoints of a run, oldest first."""
    return sorted((folder / "checkpoints").glob("step-*.safetensors"))


def numbered(step: int) -> str:
    """Return the name of a step's checkpoint."""
    return f"step-{step:08d}"


def write_checkpoint(folder: Path, name: str, tensors: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Write checkpoints/NAME.safetensors, whole or not at all."""
    path = folder / "checkpoints" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    mt.save(path, tensors, metadata)


def prune(folder: Path, keep: int) -> None:
    """Delete the oldest numbered checkpoints, so that the last and `keep` before it stay."""
    for path in list_checkpoints(folder)[: -(keep + 1)]:
        path.unlink()


def find_checkpoint(path: Path) -> Path:
    """Return a run's last checkpoint, or the file itself if a checkpoint is named."""
    if path.is_file():
        return path
    found = list_checkpoints(path)
    if not found:
        raise RunError(f"{path} has no checkpoint to read: it was stopped before its first, or is not a run's folder")
    return found[-1]


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Return a checkpoint's arrays and metadata; a damaged file is named, and the one before it offered."""
    try:
        return mt.load(path)
    except Exception as error:
        before = [p for p in list_checkpoints(path.parent.parent) if p < path]
        way = (
            f"The one before it may be whole: --resume {before[-1]}"
            if before
            else "There is none before it: start again with --overwrite"
        )
        raise RunError(f"the checkpoint {path} is damaged ({error}). {way}") from error


def flatten(state: dict[str, Any], prefix: str = "") -> tuple[dict[str, Any], Any]:
    """Split an optimizer's state into arrays by dotted name, and the same tree with None in their place."""
    arrays: dict[str, Any] = {}

    def walk(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {str(k): walk(v, f"{name}.{k}" if name else str(k)) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(v, f"{name}.{i}") for i, v in enumerate(value)]
        if hasattr(value, "shape"):
            arrays[name] = value
            return None
        return value

    return arrays, walk(state, prefix)


def unflatten(arrays: dict[str, Any], tree: Any) -> Any:
    """Put arrays back where `flatten` took them from."""

    def walk(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {k: walk(v, f"{name}.{k}" if name else k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, f"{name}.{i}") for i, v in enumerate(value)]
        return arrays.get(name, value)

    return walk(tree, "")
