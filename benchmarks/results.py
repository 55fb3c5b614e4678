"""The README's result table: train, evaluate, repeat over seeds, print and keep.

    python -m benchmarks results                        all experiments on data that the project writes itself
    python -m benchmarks results --only shapes
    python -m benchmarks results --cifar10 FOLDER       CIFAR-10 unpacked as FOLDER/{train,test}/CLASS/*.png or .jpg

Each row goes into benchmarks/results/NAME.json with every seed's figures, so that the spread is there to look at.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "results"
EXPERIMENTS = {
    "shapes": ("demo", []),
    "digits-clutter": ("digits-clutter", []),
    "digits": ("digits", []),
    "cifar10": ("cifar10", []),
}


def run_once(name: str, seed: int, threads: int, folder: Path, root: str) -> dict[str, Any]:
    """Train and evaluate one seed by the command line, as a user would."""
    preset, overrides = EXPERIMENTS[name]
    out = folder / f"{name}-seed{seed}"
    common = [sys.executable, "-m", "jepa"]
    overrides = [*overrides, *([f"data.root={root}"] if root else [])]
    start = time.monotonic()
    subprocess.run(
        [
            *common,
            "train",
            "--preset",
            preset,
            "--seed",
            str(seed),
            "--threads",
            str(threads),
            "--out",
            str(out),
            "--overwrite",
            *overrides,
        ],
        check=True,
    )
    seconds = time.monotonic() - start
    subprocess.run([*common, "eval", str(out), "--threads", str(threads)], check=True)
    figures: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return {**figures, "seed": seed, "training_seconds": seconds}


def spread(values: list[float]) -> str:
    """Return the median and the range, in percent."""
    return f"{100 * statistics.median(values):.1f} ({100 * min(values):.1f}-{100 * max(values):.1f})"


def row(name: str, rows: list[dict[str, Any]]) -> str:
    """Return one line of the README's table for each probe."""
    lines = []
    for probe in ("linear", "knn"):
        cells = [spread([r[probe][who] for r in rows]) for who in ("jepa", "random", "pixels", "chance")]
        gains = [100 * (r[probe]["jepa"] - max(r[probe]["random"], r[probe]["pixels"])) for r in rows]
        lines.append(
            f"| {name} | {probe} | {' | '.join(cells)} "
            f"| {statistics.median(gains):+.1f} ({min(gains):+.1f} to {max(gains):+.1f}) |"
        )
    return "\n".join(lines)


def run(seeds: int, only: str, cifar10: str, threads: int) -> None:
    """Run the experiments and print the table."""
    HERE.mkdir(exist_ok=True)
    names = [only] if only else [n for n in EXPERIMENTS if n != "cifar10" or cifar10]
    table = []
    for name in names:
        root = cifar10 if name == "cifar10" else ""
        rows = [run_once(name, seed, threads, Path("runs") / "results", root) for seed in range(seeds)]
        summary = {"experiment": name, "threads": threads, "cores": os.cpu_count(), "seeds": rows}
        (HERE / f"{name}.json").write_text(json.dumps(summary, indent=2) + "\n")
        table.append(row(name, rows))
        seconds = [r["training_seconds"] for r in rows]
        ratio = [r["geometry"]["ratio"] for r in rows]
        losses = [r["geometry"]["loss"] for r in rows]
        print(
            f"{name}: training {min(seconds):.0f}-{max(seconds):.0f} s, "
            f"held-out loss {min(losses):.2f}-{max(losses):.2f}, "
            f"x {min(ratio):.2f}-{max(ratio):.2f} with shuffled geometry"
        )
    print("\n| data | probe | JEPA | random encoder | raw pixels | chance | JEPA over the better baseline, points |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(table))
