"""Checkpoints: all that a run needs to go on bit by bit, in one safetensors file, written whole or not at all."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import minitensor as mt
from jepa.config import Config, to_yaml
from jepa.errors import RunError
from jepa.methods import Method

__all__ = [
    "drop_after",
    "find_checkpoint",
    "flatten",
    "list_checkpoints",
    "load_weights",
    "numbered",
    "prune",
    "read_checkpoint",
    "unflatten",
    "write_checkpoint",
]


Checkpoint = tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]
"""arrays and metadata"""


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


def drop_after(folder: Path, step: int) -> None:
    """Delete the checkpoints of later steps than the one that a run goes on from, and halves of files."""
    for path in reversed(list_checkpoints(folder)):
        if path.stem > numbered(step):
            path.unlink()
    best = folder / "checkpoints" / "best.safetensors"
    try:
        if best.exists() and mt.load(best)[1]["step"] > step:
            best.unlink()
    except mt.errors.DamagedFileError:
        best.unlink()
    for path in (folder / "checkpoints").glob(".*.tmp"):
        path.unlink()


def find_checkpoint(path: Path) -> Path:
    """Return a run's last checkpoint, or the file itself if a checkpoint is named."""
    if path.is_file():
        return path
    found = list_checkpoints(path)
    if path.suffix == ".safetensors":
        raise RunError(f"there is no checkpoint {path}")
    if not found:
        raise RunError(f"{path} has no checkpoint: its training was stopped before the first; start it again, anew")
    return found[-1]


def read_checkpoint(path: Path) -> Checkpoint:
    """Return a checkpoint's arrays and metadata; a damaged file is named, and the last whole one before it offered."""
    try:
        arrays, metadata = mt.load(path)
    except (mt.errors.DamagedFileError, OSError) as error:
        earlier = [p for p in list_checkpoints(path.parent.parent) if p < path]
        whole = next((p for p in reversed(earlier) if _is_whole(p)), None)
        way = (
            f"The one before it is whole: python -m jepa train --resume {shlex.quote(str(whole))} goes on from there"
            if whole
            else "No whole one is before it: train again with --overwrite"
        )
        raise RunError(f"{error}. {way}") from error
    if "optimizer" not in metadata:
        raise RunError(f"{path} is no checkpoint of a training: it holds no state of an optimizer")
    return arrays, metadata


def _is_whole(path: Path) -> bool:
    try:
        mt.load(path)
    except (mt.errors.DamagedFileError, OSError):
        return False
    return True


def load_weights(
    method: Method[Any], path: Path, config: Config
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Put the weights of a checkpoint into a model; return the checkpoint.

    Raises RunError if the model that `config` describes is another one, naming the settings that differ.
    """
    arrays, metadata = read_checkpoint(path)
    try:
        method.model.load_state_dict({k.removeprefix("model."): v for k, v in arrays.items() if k.startswith("model.")})
    except mt.errors.StateDictError as error:
        was, now = (yaml.safe_load(text) for text in (metadata["config"], to_yaml(config)))
        changed = [
            f"{group}.{k} was {was[group][k]}, now {value}"
            for group in ("model", "vit", "hierarchy")
            for k, value in now[group].items()
            if k in was.get(group, {}) and was[group][k] != value
        ]
        why = f"{'; '.join(changed)}. Put that right in the run's config.yaml" if changed else str(error)
        raise RunError(f"the weights in {path} do not fit the configuration: {why}") from error
    return arrays, metadata


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
