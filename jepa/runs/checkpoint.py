"""Checkpoints: all that a run needs to go on bit by bit, in one safetensors file, written whole or not at all."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import minitensor as mt
from jepa.assembly import LEARNER
from jepa.config import Config, to_yaml
from jepa.errors import RunError
from jepa.runs.owned import is_ours, put_away, sweep_run

METADATA: dict[str, Any] = {
    **{"step": int, "best": float | int | None, "window": list, "config": str, "shape": list | dict},
    **dict.fromkeys(("optimizer", "generator", "scaler"), dict),
}
Checkpoint = tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]
"""arrays and metadata"""


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the numbered checkpoints of a run, oldest first."""
    found = (folder / "checkpoints").glob("step-*.safetensors")
    return sorted((path for path in found if path.stem[5:].isdecimal()), key=_step)


def _step(path: Path) -> int:
    """Return the step that a checkpoint's name tells."""
    return int(path.stem[5:])


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
    for path in filter(is_ours, list_checkpoints(folder)[: -(keep + 1)]):
        path.unlink()


def drop_after(folder: Path, step: int, keep: int) -> None:
    """Delete the checkpoints of later steps than the one that a run goes on from, and what a kill left undone."""
    for path in reversed(list_checkpoints(folder)):
        if _step(path) > step:
            put_away(path)
    best = folder / "checkpoints" / "best.safetensors"
    try:
        if best.exists() and mt.load(best)[1]["step"] > step:
            put_away(best)
    except (mt.errors.DamagedFileError, LookupError, TypeError):
        put_away(best)
    tidy(folder, keep)


def tidy(folder: Path, keep: int) -> None:
    """Delete what a kill left: halves of files, and older checkpoints than `keep` says."""
    sweep_run(folder, locked=True)
    prune(folder, keep)


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
    if path.exists() and not os.access(path, os.R_OK):
        raise RunError(f"the checkpoint {path} may not be read: change its permissions (chmod u+r)")
    try:
        arrays, metadata = mt.load(path)
    except (mt.errors.DamagedFileError, OSError) as error:
        earlier = [p for p in list_checkpoints(path.parent.parent) if path.stem == "best" or _step(p) < _step(path)]
        whole = next((p for p in reversed(earlier) if _is_whole(p)), None)
        way = (
            f"The one before it is whole: python -m jepa train --resume {shlex.quote(str(whole))} goes on from there"
            if whole
            else "No whole one is before it: train again with --overwrite"
        )
        raise RunError(f"{error}. {way}") from error
    wrong = [key for key, kind in METADATA.items() if not isinstance(metadata.get(key), kind)]
    if not wrong and metadata["step"] < 0:
        wrong = ["step"]
    if not wrong and not all(_is_parts(parts) for parts in metadata["window"]):
        wrong = ["window"]
    if wrong:
        raise RunError(f"{path} is no checkpoint of a training: its {', '.join(wrong)} is missing or odd")
    return arrays, metadata


def _is_parts(parts: Any) -> bool:
    """Whether a value is what a step adds to the window: the parts of its loss by name."""
    return isinstance(parts, dict) and "loss" in parts and all(isinstance(v, int | float) for v in parts.values())


def _is_whole(path: Path) -> bool:
    try:
        mt.load(path)
    except (mt.errors.DamagedFileError, OSError):
        return False
    return True


def load_weights(model: mt.nn.Layer, path: Path, checkpoint: Checkpoint, config: Config) -> None:
    """Put the weights of a checkpoint, which is what `path` holds, into a model.

    Raises RunError if the model that `config` describes is another one, naming the settings that differ.
    """
    arrays, metadata = checkpoint
    try:
        model.load_state_dict({k.removeprefix("model."): v for k, v in arrays.items() if k.startswith("model.")})
    except mt.errors.StateDictError as error:
        changed = _changed(metadata["config"], config)
        why = f"{'; '.join(changed)}. Put that right in the run's config.yaml" if changed else str(error)
        raise RunError(f"the weights in {path} do not fit the configuration: {why}") from error


def _changed(text: str, config: Config) -> list[str]:
    """Return which settings of the model were others in the YAML that a checkpoint holds."""
    now = yaml.safe_load(to_yaml(config))
    try:
        was = yaml.safe_load(text)
        pairs = ((role, k, was[role].get(k), value) for role in LEARNER for k, value in now[role].items())
        return [
            f"{role if k == 'kind' else f'{role}.{k}'} was {old}, now {new}"
            for role, k, old, new in pairs
            if k in was[role] and old != new
        ]
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, RecursionError):
        return []


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Say of what cannot be taken out of a checkpoint's state that it is the file's fault."""
    try:
        yield
    except (mt.errors.StateDictError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RunError(f"{path} holds a state that is not this training's: {type(error).__name__}: {error}") from error


def flatten(state: Any, prefix: str = "") -> tuple[dict[str, Any], Any]:
    """Split an optimizer's state into arrays by dotted name, and the same tree with None in their place.

    >>> flatten({"moments": [np.ones(2), 3]})
    ({'moments.0': array([1., 1.])}, {'moments': [None, 3]})
    """
    if hasattr(state, "shape"):
        return {prefix: state}, None
    if not isinstance(state, (dict, list, tuple)):
        return {}, state
    items = state.items() if isinstance(state, dict) else enumerate(state)
    parts = {str(k): flatten(v, f"{prefix}.{k}" if prefix else str(k)) for k, v in items}
    arrays = {name: array for found, _ in parts.values() for name, array in found.items()}
    trees = {k: tree for k, (_, tree) in parts.items()}
    return arrays, trees if isinstance(state, dict) else [*trees.values()]


def unflatten(arrays: dict[str, Any], tree: Any, prefix: str = "") -> Any:
    """Put arrays back where `flatten` took them from."""
    if isinstance(tree, dict):
        return {k: unflatten(arrays, v, f"{prefix}.{k}" if prefix else k) for k, v in tree.items()}
    if isinstance(tree, list):
        return [unflatten(arrays, v, f"{prefix}.{i}") for i, v in enumerate(tree)]
    return arrays.get(prefix, tree)
