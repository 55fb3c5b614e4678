"""The folder of a run: where it is, when it may be written to, and what is put down at the start."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import minitensor as mt
from jepa import __version__
from jepa.config import Config, differences, from_yaml, to_yaml
from jepa.config.layers import Layer, flat, resolved
from jepa.config.reading import read
from jepa.errors import RunError
from jepa.files.atomic import write_text
from jepa.files.lock import Taken, writing
from jepa.files.mark import PROGRAM, is_run
from jepa.parts import made
from jepa.runs.owned import SETTINGS, foreign, is_ours
from jepa.sources.base import Source
from jepa.text import listed, shown

PACKAGES = (
    *("minitensor-jepa", "numpy", "numba", "pillow", "matplotlib", "pyyaml", "safetensors", "scikit-learn"),
    *("cupy-cuda12x", "cupy-cuda13x"),
)
GOING = ("epochs", "max_steps", "log_every", "checkpoint_every", "keep", "track", "prefetch", "threads")
FREE = ("device", *(f"train.{name}" for name in GOING), "evaluation", "finetune", "planner", "plan")
"""settings that may differ when a run is resumed: how long, where, and what does not touch the training"""


def environment(device: str, threads: int) -> dict[str, Any]:
    """Return versions and machine, for env.json; the name of the program marks the folder as a run's."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "program": PROGRAM,
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": threads,
        "kernels": mt.get_kernels(),
        "device": device,
        "command": sys.argv,
        "packages": versions,
    }


def read_config(folder: Path, without: Collection[str] = ()) -> Config:
    """Return the config of a run; of the roles in `without` as if it had said nothing of them."""
    path = folder / "config.yaml"
    if not path.is_file():
        way = "Give the folder that `python -m jepa train --out` wrote"
        raise RunError(f"{folder} is not a run's folder: it has no config.yaml. {way}")
    if not without:
        return from_yaml(path)
    kept = {key: given for key, given in flat(read(path)).items() if key.partition(".")[0] not in without}
    return resolved([Layer(kept, f"{path}: ")])


def find_run(named: Path, out: Path | None = None) -> tuple[Path, Path | None]:
    """Split what a run is resumed from into its folder and, if one is named, the checkpoint.

    Raises RunError if that is no run, or another one than `out`.
    """
    run, checkpoint = named, None
    if named.is_file():
        if named.suffix != ".safetensors" or named.parent.name != "checkpoints":
            raise RunError(
                f"{named} is no checkpoint to resume from: give a run's folder, or one of its files "
                "checkpoints/step-*.safetensors"
            )
        run, checkpoint = named.parent.parent, named
    elif named.name == "checkpoints" and (named.parent / "config.yaml").is_file():
        run = named.parent
    elif named.parent.name == "checkpoints" and (named.parent.parent / "config.yaml").is_file():
        kept = listed(sorted(path.name for path in named.parent.glob("*.safetensors"))) or "none"
        raise RunError(f"there is no checkpoint {shown(named)}; those of the run are: {kept}")
    if not (run / "config.yaml").is_file():
        runs = sorted(str(path.parent) for path in run.parent.glob("*/config.yaml"))
        beside = ", ".join(runs[:5]) + (f" and {len(runs) - 5} more" if len(runs) > 5 else "") or "none"
        raise RunError(f"{run} holds no run to resume: it has no config.yaml. Runs beside it: {beside}")
    if out is not None and out.resolve() != run.resolve():
        raise RunError(f"{named} is resumed in its own folder {run}, but --out says {out}: leave --out away")
    return run, checkpoint


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the run's lock, for as long as it is written to; raise RunError if another training has it."""
    try:
        with writing(folder):
            yield
    except Taken as error:
        why = f"{folder} is being written by another training ({error})"
        raise RunError(f"{why}: wait for its end or stop it, or take another folder with --out") from None


def check_new(folder: Path, *, overwrite: bool) -> None:
    """Raise RunError unless a new run may be written to a folder; nothing is changed.

    One that is not empty is refused, naming the three ways out. With `overwrite` a run is replaced: a folder that no
    run of ours wrote is still refused, and so is one in which somebody else's file stands where a run writes. What a
    start without a checkpoint left behind does not count.
    """
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        why = "may not be written to" if above.is_dir() else "is a file"
        raise RunError(f"cannot write a run to {folder}: {above} {why}. Take another folder with --out")
    if folder.is_symlink() and not folder.exists():
        raise RunError(f"cannot write a run to {folder}: it is a link to nothing. Take another folder with --out")
    if not folder.exists() or _is_unused(folder):
        return
    if not overwrite and is_run(folder):
        raise RunError(
            f"{folder} is not empty. Go on with --resume {shlex.quote(str(folder))}, replace it with --overwrite, "
            "or take another folder with --out"
        )
    if not is_run(folder):
        raise RunError(
            f"{folder} is not empty and holds no run (no env.json of this program), so nothing is written to it. "
            "Take another folder with --out"
        )
    if (path := foreign(folder)) is not None:
        raise RunError(
            f"{path} is in the way of a new run: it was not written by one, or is damaged, so --overwrite leaves it "
            "alone. Move it elsewhere, or take another folder with --out"
        )
    for inner in (folder / "checkpoints", folder / "plots"):  # found out before anything of the old run is deleted
        if inner.is_dir() and not inner.is_symlink() and not os.access(inner, os.W_OK | os.X_OK):
            raise RunError(
                f"{inner} may not be written to, so the run in {folder} cannot be replaced: change its permissions "
                "(chmod u+w), or take another folder with --out"
            )


def _is_unused(folder: Path) -> bool:
    """Whether nothing of worth is in a folder: it is empty, or a start has failed there before its first checkpoint."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    checkpoints = folder / "checkpoints"
    if not found:
        return True
    if not is_run(folder) or not all(path == checkpoints or path.name in SETTINGS and is_ours(path) for path in found):
        return False
    if checkpoints.is_symlink() or any(not path.name.startswith(".") for path in checkpoints.glob("*")):
        return False
    metrics = folder / "metrics.jsonl"  # with an epoch in it, it is a run whose checkpoints somebody took away
    return not (metrics.is_file() and b'"kind": "epoch"' in metrics.read_bytes())


def check_own(folder: Path) -> None:
    """Raise RunError if a run would go on in a folder that another program's env.json says is that program's."""
    env = folder / "env.json"
    if (env.exists() or env.is_symlink()) and not is_run(folder):
        raise RunError(f"{env} is damaged, or was not written by a run: move it elsewhere, and the run can go on")


def check_same(folder: Path, config: Config, *, moved: bool = False, given: Collection[str] = ()) -> None:
    """Raise RunError if the run in a folder has other settings than those it is to go on with.

    moved: the examples may lie elsewhere; which ones they are is looked at later. given: roles of parts of one's own
    that are given, and need not be importable.
    """
    old = replace(read_config(folder, given), **{role: config.choices[role] for role in given})  # type: ignore[arg-type]
    free: tuple[str, ...] = FREE
    if "source" not in given:
        a, b = (made(c.source, "source") for c in (old, config))
        if isinstance(b, Source):
            same = moved or (isinstance(a, Source) and a.where == b.where)  # ./photos and photos
            free = (*FREE, *(f"source.{name}" for name in (*b.handling, *[b.place] * same)))
    changed = [f"{k} was {a}, now {b}" for k, (a, b) in differences(old, config).items() if not k.startswith(free)]
    if changed:
        raise RunError(
            f"{folder} cannot be resumed with other settings: {'; '.join(changed)}. Take another --out for a new run"
        )


def write_settings(folder: Path, config: Config, env: dict[str, Any]) -> None:
    """Write env.json, by which the folder is known as a run, and then config.yaml."""
    write_text(folder / "env.json", json.dumps(env, indent=2))
    write_text(folder / "config.yaml", to_yaml(config))
