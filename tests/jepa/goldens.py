"""What every preset computes, written down so that a rebuilt room can be compared with the one before it.

    python -m tests.jepa.goldens write FILE [PRESET ...]      100 steps of each preset on one thread, and its evaluation
    python -m tests.jepa.goldens check FILE [PRESET ...]      the same again, compared

Of each preset: the hash of the first batch, the first 50 losses, and the evaluation after 100 steps. A preset of
photographs needs CIFAR-10 in data/cifar10 (train/ and test/ in class folders), and uses 200 images of each. The figures
belong to one processor: another kind of matrix kernels rounds otherwise, and after some dozen steps the losses part.
tests/data/presets-golden.json has those of one with AVX2 alone, of the rooms before `jepa` went by contracts.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PRESETS = ("quick", "demo", "digits", "digits-clutter", "cifar10", "ijepa-shapes", "hjepa-shapes", "energy-shapes")
STEPS, LOSSES = 100, 50
SETTINGS = [f"train.max_steps={STEPS}", "train.epochs=1000", "train.log_every=1", "device=cpu"]
PROBES = ("linear", "knn", "attentive")
RTOL = 1e-6  # of a loss: the same arithmetic in the same order


def settings(preset: str) -> list[str]:
    """Return what is changed in a preset: the length, and for photographs the number of images."""
    return [*SETTINGS, *(["source.limit=200"] if preset == "cifar10" else [])]


def arrays(batch: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of numbers of a batch, however deep; which places are masked shows in the losses."""
    if isinstance(batch, np.ndarray):
        return [batch] if batch.dtype.kind == "f" else []
    return [x for part in batch for x in arrays(part)] if isinstance(batch, tuple | list) else []


def first_batch(preset: str) -> str:
    """Return a hash of the first batch's examples: names, shapes and order apart."""
    from jepa.assembly import assemble
    from jepa.config import load
    from jepa.tasks import Batches

    config = load(preset=preset, overrides=settings(preset))
    source, task, model = assemble(config.choices, config.seed)
    grid, size = model.context.encoder.grid, config.train.batch_size
    batches = Batches(source.split("train"), task, grid, batch_size=size, seed=config.seed)
    found = arrays(next(iter(batches.batches(0))))
    hashes = sorted(hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest() for x in found if x.size)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def measure(preset: str) -> dict[str, Any]:
    """Train and evaluate a preset for 100 steps."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        for verb in (["train", "--preset", preset, "--out", out, *settings(preset)], ["eval", out]):
            words = [sys.executable, "-m", "jepa", *map(str, verb), "--threads", "1"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        evaluation = json.loads((out / "evaluation.json").read_text())
    losses = [line["loss"] for line in lines if "lr" in line][:LOSSES]
    held_out = {k: evaluation["geometry"][k] for k in ("loss", "shuffled")}
    return {
        "batch": first_batch(preset),
        "losses": losses,
        "held out": held_out,
        "evaluation": {probe: evaluation[probe] for probe in PROBES if probe in evaluation},
    }


def numbers(tree: Any) -> list[float]:
    """Return the numbers of nested dictionaries, in order of their keys."""
    return [n for k in sorted(tree) for n in numbers(tree[k])] if isinstance(tree, dict) else [float(tree)]


def differences(was: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Say how a preset's figures differ from those written down."""
    said = [] if was["batch"] == found["batch"] else ["first batch: other arrays"]
    parted = ~np.isclose(found["losses"], was["losses"], rtol=RTOL, atol=0)
    if parted.any():
        k = int(parted.argmax())
        worst = np.max(np.abs(np.divide(found["losses"], was["losses"]) - 1))
        said.append(f"losses: {found['losses'][k]} for {was['losses'][k]} at step {k + 1}; at worst {worst:.1e} apart")
    for part in ("held out", "evaluation"):
        if not np.allclose(numbers(found[part]), numbers(was[part]), rtol=RTOL, atol=0):
            said.append(f"{part}: {found[part]} for {was[part]}")
    return said


def main(verb: str, file: str, *presets: str) -> int:
    """Write the figures, or compare with those that were."""
    path = Path(file)
    known = json.loads(path.read_text()) if path.exists() else {}
    wrong = 0
    for preset in presets or PRESETS:
        found = measure(preset)
        said = differences(known[preset], found) if verb == "check" else []
        wrong += bool(said)
        print(f"{preset}: {'; '.join(said) or ('the same' if verb == 'check' else 'written')}", flush=True)
        if verb == "write":
            known[preset] = found
            path.write_text(json.dumps(known, indent=1) + "\n")
    return min(wrong, 1)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
