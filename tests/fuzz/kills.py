"""A training that is killed at random moments, in its first and its last too, ends with the bits of a whole one."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from jepa.runs.checkpoint import list_checkpoints, read_checkpoint
from jepa.sources import shapes
from tests.fuzz.command import TINY, run, until

WALL_CLOCK = {"examples_per_second", "seconds", "waiting"}
LONGEST = 30  # kills of one run


def campaign(seed: int, seconds: float) -> list[str]:
    """Start, kill, and go on, until the run is whole, again and again; return what was lost or left behind."""
    draw, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shapes.write(place / "images", count=60, size=16, seed=0)
        settings = ["source=images", "train.epochs=3", "train.checkpoint_every=1", *TINY]
        run(["train", *settings, "--out", "whole"], place)
        whole = contents(place / "whole")
        for _ in until(seconds):
            failures += _one(place, settings, whole, draw)
            shutil.rmtree(place / "run", ignore_errors=True)
    return failures


def _one(place: Path, settings: list[str], whole: list[Any], draw: random.Random) -> list[str]:
    folder, failures = place / "run", []
    overwrite = draw.random() < 0.3
    if overwrite:
        run(["train", *settings, "seed=9", "train.epochs=1", "--out", "run"], place)
        (folder / "notes.txt").write_text("mine")
        (folder / "checkpoints" / "best.pt").write_text("mine")
    for kill in range(LONGEST):
        way = _way(folder, overwrite)
        after = None if kill == LONGEST - 1 else draw.expovariate(1 / 0.6)
        outcome = run(["train", *settings, *way], place, kill_after=after)
        if broken := outcome.broken(killed=True):
            failures.append(broken)
        if outcome.code != -9:
            break
    if outcome.code == 0:
        failures += compared(contents(folder), whole)
        failures += [f"left behind: {path}" for path in folder.rglob(".*")]
    if overwrite and {(folder / name).read_text() for name in ("notes.txt", "checkpoints/best.pt")} != {"mine"}:
        failures.append("somebody else's file was changed")
    return failures


def _way(folder: Path, overwrite: bool) -> list[str]:
    """What somebody who finds the folder like this would type: to go on with the run, or to start it (anew)."""
    found = list_checkpoints(folder)
    if found and "seed: 0" in read_checkpoint(found[-1])[1]["config"] and (folder / "config.yaml").is_file():
        return ["--resume", "--out", "run"]
    return ["--overwrite", "--out", "run"] if overwrite and (folder / "env.json").is_file() else ["--out", "run"]


def contents(folder: Path) -> list[Any]:
    """Return the last and the best checkpoint, and the metrics without what a clock says."""
    last = read_checkpoint(list_checkpoints(folder)[-1])
    best = read_checkpoint(folder / "checkpoints" / "best.safetensors")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [*last, *best, [{k: v for k, v in line.items() if k not in WALL_CLOCK} for line in lines]]


def compared(a: list[Any], b: list[Any]) -> list[str]:
    """Return what differs between the contents of two runs."""
    failures = []
    for name, x, y in zip(("weights", "state", "best weights", "best state", "metrics"), a, b, strict=True):
        if isinstance(x, dict) and "weights" in name:
            same = x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x)
        else:
            same = x == y
        if not same:
            failures.append(f"the {name} of a run that was killed or failed are others than of one that was not")
    return failures
