"""The folder of a run: when it may be written to, and what is put down at the start."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from jepa.config import Config, differences, from_yaml, to_yaml
from jepa.errors import RunError
from jepa.runs.atomic import write_text

__all__ = ["environment", "open_folder", "read_config"]

PACKAGES = (
    "minitensor-jepa",
    "numpy",
    "pillow",
    "matplotlib",
    "omegaconf",
    "safetensors",
    "scikit-learn",
    "cupy-cuda12x",
    "cupy-cuda13x",
)
FREE = (
    "train.epochs",
    "train.max_steps",
    "train.log_every",
    "train.checkpoint_every",
    "train.keep",
    "data.prefetch",
    "data.threads",
    "evaluation",
)
"""settings that may differ when a run is resumed: how long, and what does not touch the numbers"""


def environment(device: str, threads: int) -> dict[str, Any]:
    """Return versions and machine, for env.json."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": threads,
        "device": device,
        "command": sys.argv,
        "packages": versions,
    }


def read_config(folder: Path) -> Config:
    """Return the config of a run."""
    if not (folder / "config.yaml").is_file():
        raise RunError(
            f"{folder} is not a run's folder: it has no config.yaml. Give the folder that `jepa train --out` wrote"
        )
    return from_yaml(folder / "config.yaml")


def open_folder(folder: Path, config: Config, env: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
    """Make the folder of a new run, or check that a run that is resumed is the same run.

    A folder that is not empty is refused, naming the three ways out; `overwrite` deletes what a run wrote there, and
    refuses a folder that no run wrote.
    """
    used = folder.exists() and any(folder.iterdir())
    if resume:
        old = read_config(folder)
        changed = [f"{k} was {a}, now {b}" for k, (a, b) in differences(old, config).items() if not k.startswith(FREE)]
        if changed:
            raise RunError(
                f"{folder} cannot be resumed with other settings: {'; '.join(changed)}. "
                "Take another --out for a new run"
            )
    elif used and not overwrite:
        raise RunError(
            f"{folder} is not empty. Go on with --resume {folder}, replace it with --overwrite, "
            "or take another folder with --out"
        )
    elif used:
        if not (folder / "config.yaml").is_file():
            raise RunError(
                f"{folder} is not empty and holds no run (no config.yaml), so --overwrite leaves it alone. "
                "Take another folder with --out"
            )
        for name in ("checkpoints", "plots"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ("config.yaml", "env.json", "train.log", "metrics.jsonl", "report.html", "evaluation.json"):
            (folder / name).unlink(missing_ok=True)
    write_text(folder / "config.yaml", to_yaml(config))
    write_text(folder / "env.json", json.dumps(env, indent=2))
