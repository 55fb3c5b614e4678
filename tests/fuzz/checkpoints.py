"""Mutated weights of other programs, and mutated files of a run that is opened, drawn and resumed."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import minitensor as mt
from jepa.encoders import ViT
from jepa.sources import shapes
from tests.fuzz.command import TINY, run, tree, until
from tests.fuzz.mutate import mutated
from tests.jepa.pretrained.torch_writer import TorchWriter, checkpoint

VALUES = [None, True, -1, 0, 3, 1e308, 10**30, "", "x", [], {}, [[]], {"a": 1}, [None] * 3]


def campaign(seed: int, seconds: float) -> list[str]:
    """Mutate one file after the other, in turn of another program and of a run; return how the rule was broken."""
    draw, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shapes.write(place / "images", count=50, size=16, seed=0)
        made = run(["train", "source=images", "train.epochs=1", "--out", "run", *TINY], place)
        made = run(["eval", "run", "--device", "cpu"], place) if made.code == 0 else made
        if made.code != 0:
            return [f"no run to begin with: {made.errors}"]
        mt.manual_seed(0)
        encoder = ViT((3, 8, 8), patch=4, dim=192, depth=1, heads=3)
        weights = TorchWriter().write(place / "whole.pth.tar", checkpoint(encoder)).read_bytes()
        for count in until(seconds):
            failures += _weights(place, weights, draw) if count % 2 else _run(place, draw)
    return failures


def _weights(place: Path, weights: bytes, draw: random.Random) -> list[str]:
    odd = place / "odd.pth.tar"
    odd.write_bytes(_in_the_directory(weights, draw) if draw.random() < 0.5 else mutated(weights, draw))
    broken = run(["embed", "--pretrained", odd.name, "--data", "images/val", "--out", "z.npz"], place).broken()
    return [] if broken is None else [f"{broken}\n    kept as {_kept(odd)}"]


def _in_the_directory(content: bytes, draw: random.Random) -> bytes:
    """Mutate the list of entries or the pickle: a whole file is mostly numbers, which may be any."""
    start = draw.choice((content.index(b"PK\x01\x02"), 0))
    end = len(content) if start else 3000
    return content[:start] + mutated(content[start:end], draw) + content[end:]


def _run(place: Path, draw: random.Random) -> list[str]:
    """Mutate a file of a copy of the run, and use it; its other files, and those of others, have to stay."""
    copy = place / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(place / "run", copy)
    (copy / "checkpoints" / "best.pt").write_text("somebody else's")
    odd = draw.choice([path for path in sorted(copy.rglob("*")) if path.is_file() and path.suffix != ".pt"])
    _mutate(odd, draw)
    verb = draw.choice(
        [
            ["eval", "copy"],
            ["plot", "copy"],
            ["train", "--resume", "copy", "train.epochs=2"],
            ["embed", "copy", "--out", "z.csv"],
        ]
    )
    outcome = run([*verb, "--device", "cpu"], place)
    broken, after = outcome.broken(), tree(copy)
    if broken is None and after.get("checkpoints/best.pt") != b"somebody else's":
        broken = f"somebody else's file is gone after {verb}"
    return [] if broken is None else [f"{broken}\n    mutated: {odd.name}, kept as {_kept(odd)}"]


def _mutate(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    if path.suffix == ".safetensors" and draw.random() < 0.7:
        arrays, metadata = mt.load(path)  # whole again, with a right checksum, and odd
        _tree(metadata, draw)
        mt.save(path, arrays, metadata)
    elif path.suffix == ".json" and draw.random() < 0.5:
        value = json.loads(content)
        _tree(value, draw)
        path.write_text(json.dumps(value))
    else:
        path.write_bytes(mutated(content, draw))


def _tree(value: dict[str, Any], draw: random.Random) -> None:
    """Put another value, or none, at a random place of a tree of JSON."""
    while True:
        key = draw.choice(sorted(value))
        if not (isinstance(value[key], dict) and value[key]) or draw.random() < 0.3:
            break
        value = value[key]
    if draw.random() < 0.2:
        del value[key]
    else:
        value[key] = draw.choice(VALUES)


def _kept(path: Path) -> Path:
    """Copy a file to where it outlives the campaign."""
    kept = Path(tempfile.mkdtemp(prefix="fuzz-")) / path.name
    return Path(shutil.copy(path, kept)) if path.exists() else path
