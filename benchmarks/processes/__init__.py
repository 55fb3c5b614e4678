"""Training steps by two processes, by two threads and by one; what they exchange; and what more processes would cost.

    python -m benchmarks processes                        all of it, into benchmarks/results/processes.json
    mpiexec -n 4 python -m benchmarks.processes.program   the steps alone, by so many processes
    mpiexec -n 8 python -m benchmarks.processes.delayed   the model of the cost beside messages that are slowed down

The batch of 64 is the same for all: two processes have 32 examples each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.processes import model
from benchmarks.processes.launch import output

FILE = Path(__file__).parent.parent / "results" / "processes.json"
GOAL = 0.58  # of one process's time


def run(only: str, dry: bool) -> None:
    """Measure and print; keep the figures unless some were left out."""
    short = ["--seconds", "0.01", "--rounds", "1"] if dry else []
    words = ["-m", "benchmarks.processes.program", "--only", only, *short]
    sides = {
        "one": output(1, [*words, "--threads", "1"]),
        "two threads": output(1, [*words, "--threads", "2"]),
        "two processes": output(2, [*words, "--threads", "1"]),
    }
    found: dict[str, Any] = {"cores": os.cpu_count(), "steps": {}}
    for name, one in sides["one"].items():
        row = {side: steps[name] for side, steps in sides.items()}
        ratios = {side: row[side]["ms"] / one["ms"] for side in row}
        found["steps"][name] = {**row, "ratio": round(ratios["two processes"], 3)}
        told = ", ".join(f"{side} {row[side]['ms']:.1f} ms ({ratios[side]:.2f})" for side in row)
        both = row["two processes"]
        exchange = f"exchanged {both['MB']:.2f} MB in {both['calls']} calls, {both['exchange_ms']:.1f} ms of a step"
        print(f"{name:18} {told} (goal {GOAL}); {exchange}", flush=True)
    checks = output(8, ["-m", "benchmarks.processes.delayed"])
    found["model"] = {"checked": checks, "steps": model.tables(found["steps"])}
    for check in checks:
        print(
            f"{check['way']:5} of {check['bytes']:>6} bytes by 8: {check['ms']:.1f} ms, model {check['model_ms']:.1f}"
        )
    print("\n".join(model.lines(found["model"]["steps"])))
    if not only and not dry:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
