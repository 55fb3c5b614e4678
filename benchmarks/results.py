"""What training reaches: train, evaluate, repeat over seeds, print and keep.

    python -m benchmarks results                        all experiments on data that the project writes itself
    python -m benchmarks results --only shapes
    python -m benchmarks results --cifar10 FOLDER       CIFAR-10 unpacked as FOLDER/{train,test}/CLASS/*.png or .jpg
    python -m benchmarks results --ucr FOLDER           FOLDER/GunPoint/GunPoint_TRAIN.ts and the like
    python -m benchmarks results --only reviews         with data/reviews, data/spoken-digits unpacked

Each experiment goes into benchmarks/results/NAME.json with every run's figures, to see the spread, and from there into
benchmarks/README.md (`python -m benchmarks page`). The masked recipes run with two kinds of matrix kernels, which round
differently: what a rounding decides shows as a difference. Runs that runs/results/ has already are taken as they are;
delete it to start anew.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy  # noqa: F401  so that its OpenBLAS is there to be asked
from threadpoolctl import threadpool_info

HERE = Path(__file__).parent / "results"
RUNS = Path("runs") / "results"
CPU = "cpu_seconds.txt"  # in a run's folder: what its training took of the processor, whoever else used it
PRESETS = {
    "shapes": "demo",
    "digits-clutter": "digits-clutter",
    "digits": "digits",
    "cifar10": "cifar10",
    "ijepa-shapes": "ijepa-shapes",
    "hjepa-shapes": "hjepa-shapes",
    "energy-shapes": "energy-shapes",
    "hjepa-finest": "hjepa-shapes",
    "hjepa-two": "hjepa-shapes",
    "ijepa-cifar10": "ijepa-cifar10",
    "wine": "wine",
    "breast-cancer": "breast-cancer",
    "digits-table": "digits-table",
    "shapes-captions": "shapes-captions",
    "shapes-captions-named": "shapes-captions",
    "shapes-captions-fused": "shapes-captions-fused",
    "moving-digits": "moving-digits",
    "moving-digits-1": "moving-digits",
    "moving-digits-2": "moving-digits",
    "moving-digits-tubes": "moving-digits-tubes",
    "mnist1d": "mnist1d",
    "mnist1d-masked": "mnist1d-masked",
    "reviews": "reviews",
    "languages": "languages",
    "spoken-digits": "spoken-digits",
    "spoken-lucas": "spoken-digits",
    "spoken-nicolas": "spoken-digits",
    "spoken-theo": "spoken-digits",
    "spoken-yweweler": "spoken-digits",
    "GunPoint": "ucr",
    "BasicMotions": "ucr",
    "JapaneseVowels": "ucr",
    "mnist1d-rnn": "mnist1d",
    "mnist1d-multiscale": "mnist1d",
    "GunPoint-suffix": "ucr",
}
UCR = [name for name, preset in PRESETS.items() if preset == "ucr"]  # sets of the UCR and UEA archives
OTHERS = {
    "mnist1d-rnn": "encoder=rnn encoder.dim=64 encoder.both=true",
    "mnist1d-multiscale": "encoder=multiscale encoder.patch=2 encoder.dim=64 encoder.depth=1 encoder.heads=4 "
    "encoder.width=32",
    "GunPoint-suffix": "task=masked task.masks=suffix task.min_keep=3 encoder=vit encoder.patch=10 encoder.dim=64 "
    "encoder.depth=2 encoder.heads=4 projector=none predictor=recurrent "
    "target=ema target.start=0.9 objective=infonce train.max_steps=400 train.epochs=400",
}
"""other parts in the place of a preset's: a recurrent encoder, one of two scales, a recurrent predictor of the end"""
ABLATION = {"hjepa-finest": "task.weights=1,0,0", "hjepa-two": "task.weights=1,0.5,0"}  # what each level adds
UNROLLED = {"moving-digits-1": "task.steps=1", "moving-digits-2": "task.steps=2"}  # what going on from predictions adds
SPEAKERS = {name: f"source.hold_out=_{name[7:]}_" for name in PRESETS if name[:7] == "spoken-" and name[7:] != "digits"}
NAMED = {"shapes-captions-named": "source.named=true"}  # what the name of the shape adds to its captions
FOLDERS = {"reviews": "reviews", "languages": "languages"} | dict.fromkeys(
    ("spoken-digits", *SPEAKERS), "spoken-digits"
)
"""below data/: what has to be put there first, or the experiment is left out"""
MASKED = ("ijepa-shapes", "hjepa-shapes", "energy-shapes", "ijepa-cifar10")
SEEDS = (
    dict.fromkeys(PRESETS, 3)
    | dict.fromkeys(MASKED, 5)
    | dict.fromkeys(("mnist1d-masked", *ABLATION, *SPEAKERS, *OTHERS), 1)
)
FRESH = Path("data") / "shapes-fresh"  # drawn with a seed that no choice of settings has seen


def kernel_kinds(name: str) -> list[str]:
    """Return which matrix kernels of OpenBLAS an experiment runs with, the processor's own first.

    The second kind is Haswell's (AVX2); where that is the processor's own, Sandybridge's (AVX, no fused multiply-add).
    """
    found = [p["architecture"] for p in threadpool_info() if p["internal_api"] == "openblas"]
    own = next(iter(found), "unknown")
    if name not in MASKED or not found:
        return [own]
    return [own, "Sandybridge" if own in ("Haswell", "Zen") else "Haswell"]


def jepa(*words: object, kernels: str = "") -> float:
    """Run a verb of the command line, as a user would; return the processor time that it took, in seconds."""
    environment, before = os.environ | ({"OPENBLAS_CORETYPE": kernels} if kernels else {}), os.times()
    subprocess.run([sys.executable, "-m", "jepa", *map(str, words)], check=True, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def run_once(name: str, seed: int, threads: int, root: str, kernels: str = "") -> dict[str, Any]:
    """Train and evaluate one seed, with the processor's own matrix kernels or with those named."""
    out = RUNS / f"{name}-seed{seed}{kernels and '-'}{kernels}"
    if not (out / "evaluation.json").exists():
        settings = [f"source={root}"] if root else []
        more = (ABLATION, UNROLLED, SPEAKERS, NAMED, OTHERS)
        settings += [word for words in more for word in words.get(name, "").split()]
        taken = jepa(
            "train",
            "--preset",
            PRESETS[name],
            "--seed",
            seed,
            "--threads",
            threads,
            "--out",
            out,
            "--overwrite",
            *settings,
            kernels=kernels,
        )
        (out / CPU).write_text(f"{taken:.1f}\n")
        jepa("eval", out, "--threads", threads, kernels=kernels)
    figures: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    if name == "shapes":
        fresh = out / f"evaluation-{FRESH.name}.json"
        if not fresh.exists():
            jepa("data", "make", "shapes", "--out", FRESH, "--count", 5000, "--seed", 1)
            jepa("eval", out, "--data", FRESH, "--threads", threads)
        figures["fresh"] = json.loads(fresh.read_text())
    (seconds,) = re.findall(r"trained \d+ steps in (\d+) s", (out / "train.log").read_text())
    data = Path(figures["data"]).name  # not where it lies on this machine
    cpu = {"training_cpu_seconds": float((out / CPU).read_text())} if (out / CPU).exists() else {}
    return {**figures, "data": data, "seed": seed, "training_seconds": int(seconds), **cpu}


def _there(name: str) -> bool:
    """Whether the data of an experiment are there, or are written by it."""
    return name not in FOLDERS or (Path("data") / FOLDERS[name]).is_dir()


def spread(values: list[float]) -> str:
    """Return the median and the range, in percent."""
    middle, low, high = (f"{100 * f(values):.1f}" for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} ({low}-{high})"


def rows(name: str, seeds: list[dict[str, Any]]) -> list[str]:
    """Return one line of the table for each probe."""
    lines = []
    for probe, text in (("linear", "linear"), ("knn", "kNN"), ("attentive", "attentive")):
        if any(probe not in r for r in seeds):
            continue
        every = [[r[probe][who] for r in seeds if who in r[probe]] for who in ("jepa", "random", "pixels", "chance")]
        cells = [spread(values) if values else "" for values in every]  # tokens of several arrays have no raw ones
        gains = [r[probe]["jepa"] - max(r[probe]["random"], r[probe].get("pixels", 0.0)) for r in seeds]
        gain = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * f(gains) for f in (statistics.median, min, max)))
        lines.append(f"| {name} | {text} | {' | '.join(cells)} | {gain} |")
    return lines


def run(seeds: int, only: str, cifar10: str, ucr: str, threads: int) -> None:
    """Run the experiments and print the table."""
    HERE.mkdir(exist_ok=True)
    table = []
    given = {**dict.fromkeys(UCR, ucr), **{name: cifar10 for name in PRESETS if "cifar10" in name}}
    for name in [only] if only else [n for n in PRESETS if given.get(n, "here") and _there(n)]:
        root = f"{ucr}/{name.partition('-')[0]}" if name in UCR else given.get(name, "")
        kinds = kernel_kinds(name)
        found = [
            run_once(name, seed, threads, root, "" if kernels == kinds[0] else kernels) | {"kernels": kernels}
            for kernels in kinds
            for seed in range(seeds or SEEDS[name])
        ]
        summary = {"experiment": name, "threads": threads, "cores": os.cpu_count(), "seeds": found}
        (HERE / f"{name}.json").write_text(json.dumps(summary, indent=2) + "\n")
        table += rows(name, found)
        if name == "shapes":
            table += rows("shapes, fresh images", [r["fresh"] for r in found])
        loss, ratio = ([r["geometry"][k] for r in found if k in r["geometry"]] for k in ("loss", "ratio"))
        seconds = [r["training_seconds"] for r in found]
        told = f", {min(ratio):.2f}-{max(ratio):.2f} times as much with shuffled geometry" if ratio else ""
        print(f"{name}: training {min(seconds)}-{max(seconds)} s, held-out loss {min(loss):.2f}-{max(loss):.2f}{told}")
    print("\n| data | probe | JEPA | random encoder | raw pixels | chance | JEPA over the better baseline, points |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(table))
