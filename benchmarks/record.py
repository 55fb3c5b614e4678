"""What is measured, printed as a table and kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

import minitensor as mt
from benchmarks import calls, functions, hops, images, kernels, memory, peers, scaling, steps
from benchmarks.timing import Timing

HERE = Path(__file__).parent / "results"
GOALS = {"I-JEPA ViT": (1.0, 0.9), "CNN-JEPA": (0.8, 0.85), "ResNet-18 VICReg": (1.1, 1.1)}


def machine(threads: int) -> dict[str, Any]:
    """Return what the figures depend on."""
    blas = [p for p in threadpool_info() if p["user_api"] == "blas"]  # OpenMP's pool is PyTorch's
    names = [f"{p['internal_api']} {p['version']} for {p.get('architecture')}" for p in blas]
    versions = {"numpy": np.__version__, "torch": torch.__version__, "python": platform.python_version()}
    chosen = {"kernels": mt.get_kernels(), "isa": os.environ.get("ATEN_CPU_CAPABILITY", "native")}
    return {"threads": threads, "cores": os.cpu_count(), **versions, "blas": ", ".join(names), **chosen}


def row(name: str, timings: dict[str, Timing], goal: float, unit: float = 1.0) -> dict[str, Any]:
    """Print one line: our time, theirs, the ratio to their best, and the ratio that was aimed at."""
    theirs = [t.median for side, t in timings.items() if side.startswith("torch")]
    ratio = timings["ours"].median / min(theirs)
    cells = [f"{side} {t.median * unit:.3g} ({t.low * unit:.3g}-{t.high * unit:.3g})" for side, t in timings.items()]
    print(f"{name:34} ratio {ratio:5.2f} (goal {goal})  {'; '.join(cells)}", flush=True)
    return {"goal": goal, "ratio": round(ratio, 3), **{side: [round(v, 5) for v in t] for side, t in timings.items()}}


def run_kernels(threads: int, only: str) -> dict[str, Any]:
    """Measure single functions."""
    found = {}
    for case in kernels.cases():
        if only in case.name:
            found[case.name] = row(case.name, kernels.measured(case, threads), case.goals[threads > 1])
    if only in "AdamW + EMA":
        timings = calls.optimizer()
        found["AdamW + EMA"] = row("AdamW + EMA, to torch's default", {k: timings[k] for k in ("ours", "torch")}, 0.75)
        found["AdamW + EMA"]["torch, fused"] = list(timings["torch, fused"])
    if only in "dropout 4096x768":
        found["dropout 4096x768"] = row("dropout 4096x768", calls.dropout(), 2.0)
    if only in "small op" and threads == 1:
        timings = calls.overhead()
        for name, suffix, goal in (("small op, µs", "", 0.6), ("and backward, µs", ", backward too", 0.5)):
            sides = {k: timings[k + suffix] for k in ("ours", "torch")} | {"numpy": timings["numpy"]}
            found[name] = row(name, sides, goal, unit=10)  # of 100 in milliseconds, one in microseconds
    return found


def run_steps(threads: int, only: str) -> dict[str, Any]:
    """Measure whole training steps."""
    found = {}
    for make in (steps.vit, steps.cnn, steps.resnet):
        name = make(False, 8).name
        if only in name:
            timings = steps.timings(make)
            found[name] = row(name, {k: timings[k] for k in ("ours", "torch")}, GOALS[name][threads > 1])
            found[name]["torch, tuned"] = [round(v, 5) for v in timings["tuned"]]
            print(f"{'':34} ratio {timings['ours'].median / timings['tuned'].median:5.2f} to torch tuned", flush=True)
    return found


RUNS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "kernels": run_kernels,
    "functions": functions.run,
    "hops": hops.run,
    "images": images.run,
    "steps": run_steps,
    "memory": memory.run,
    "peers": peers.run,
    "scaling": scaling.run,
}


def run(what: str, threads: int, only: str) -> None:
    """Measure one of RUNS; keep it, unless it is only a part."""
    print(f"\n{what}, float32, milliseconds: median (lowest-highest); {threads} thread{'s' * (threads > 1)}")
    found = RUNS[what](threads, only)
    if not only:
        HERE.mkdir(exist_ok=True)
        where = machine(threads)
        isa = "" if where["isa"] == "native" else f"-{where['isa']}"
        path = HERE / f"{what}-{threads}-thread{'s' * (threads > 1)}{isa}.json"
        path.write_text(json.dumps({**where, "rows": found}, indent=2, ensure_ascii=False) + "\n")
