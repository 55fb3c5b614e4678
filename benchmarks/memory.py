"""The peak memory of the training steps, each in a process of its own: what they add to what was there (Linux)."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS = ("vit", "cnn")
GOALS = {"ours": 1.2, "ours, recompute": 1.0}
ROUNDS = 3


def peak(step: str, side: str, threads: int) -> None:
    """Run some steps in this process; print by how many MB its memory grew."""
    import torch

    import minitensor as mt
    from benchmarks import steps

    mt.set_num_threads(threads)
    torch.set_num_threads(threads)
    mt.keep_freed_memory()
    made = getattr(steps, step)(False, **({"recompute": True} if side.endswith("recompute") else {}))
    run = steps.theirs(made, False) if side == "torch" else steps.ours(made)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    for _ in range(ROUNDS):
        run()
    print(_status("VmHWM") - before)


def _status(field: str) -> float:
    """Return a field of /proc/self/status in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measured(step: str, side: str, threads: int) -> float:
    """Return the MB that a step of one side takes."""
    words = [sys.executable, "-c", f"from benchmarks.memory import peak; peak({step!r}, {side!r}, {threads})"]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def run(threads: int, only: str) -> dict[str, Any]:
    """Print and return the MB of each step and side, and the ratio to PyTorch's."""
    found: dict[str, Any] = {}
    for step in STEPS:
        if only not in step:
            continue
        sides = ["ours", "torch"] + (["ours, recompute"] if step == "vit" else [])
        megabytes = {side: measured(step, side, threads) for side in sides}
        found[step] = {k: round(v, 1) for k, v in megabytes.items()}
        ratios = {side: megabytes[side] / megabytes["torch"] for side in sides if side != "torch"}
        text = "; ".join(f"{side} {r:.2f} (goal {GOALS[side]})" for side, r in ratios.items())
        print(f"{step:34} MB: {found[step]}  ratio to torch: {text}", flush=True)
    return found
