"""Training on the GPU as people start it: by the command line, and what its log says."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.device import begin
from benchmarks.gpu.report import Report

__all__ = ["cifar10", "demo", "half"]

STEPS = 200  # of each precision
EVERY = 10  # steps between two lines of the log


def demo(report: Report, *, folder: Path, dry: bool, small: bool, **_: Any) -> None:
    """Train, evaluate and draw the default run on the GPU."""
    begin(dry)
    run, began = folder / "demo", time.monotonic()
    with _watched(report, run):
        jepa(["demo", "--out", run, "--device", "cuda", *_small(folder, small)])
    evaluation = json.loads((run / "evaluation.json").read_text("utf-8"))
    probes = {name: evaluation[name] for name in ("linear", "knn") if name in evaluation}
    report.update(probes=probes, evaluation_seconds=evaluation["seconds"], **_curve(run))
    report.update(whole_seconds=round(time.monotonic() - began, 1))


def half(report: Report, *, folder: Path, dry: bool, small: bool, **_: Any) -> None:
    """Train the same steps in float32 and in float16 with loss scaling; compare their losses."""
    begin(dry)
    import minitensor as mt

    losses = {}
    for precision in ("float32", "float16"):
        run = folder / precision
        words = ["train", "--preset", "demo", "--out", run, "--device", "cuda", *_small(folder, small)]
        length = [] if small else [f"train.max_steps={STEPS}", f"train.log_every={EVERY}", "evaluation.every=null"]
        jepa([*words, *length, f"train.precision={precision}"])
        losses[precision] = [line["loss"] for line in _lines(run) if line["kind"] == "step"]
        speed = [line["examples_per_second"] for line in _lines(run) if line["kind"] == "step"][-1]
        report.update(**{precision: {"losses": losses[precision], "examples_per_second": round(speed)}})
    last = max((folder / "float16" / "checkpoints").glob("step-*.safetensors"))
    scaler = mt.load(last)[1]["scaler"]
    apart = [abs(a - b) / abs(b) for a, b in zip(losses["float16"], losses["float32"], strict=True)]
    report.update(scaler=scaler, first_apart=apart[0], largest_apart=max(apart))
    if apart[0] == 0:
        raise RuntimeError("float16 gave the very losses of float32: it was not used")
    if not apart[0] < 0.1:
        raise RuntimeError(f"the first losses are {apart[0]:.0%} apart")


def cifar10(report: Report, *, folder: Path, seconds: float, dry: bool, small: bool, cifar10: str, **_: Any) -> None:
    """Train `ijepa-cifar10` until the time is over; report loss and probes of each epoch."""
    if not cifar10 and not small:
        return report.update(status="skipped", why="no --cifar10 FOLDER")
    begin(dry)
    run = folder / "ijepa-cifar10"
    words = ["train", "--preset", "ijepa-cifar10", "--out", run, "--device", "cuda", "evaluation.every=1"]
    words += _small(folder, small, masked=True) if not cifar10 else [f"source={cifar10}"]
    end = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))  # saves, as Ctrl-C does
    end.daemon = True
    end.start()
    with _watched(report, run):
        stopped = jepa(words, may_stop=True)
    end.cancel()
    report.update(stopped=stopped, **_curve(run))


def jepa(words: Sequence[object], *, may_stop: bool = False) -> bool:
    """Run a verb of the command line in this process; return whether it was stopped before its end."""
    from jepa.__main__ import main

    status = main([str(word) for word in words])
    if status and not (may_stop and status == 130):
        raise RuntimeError(f"jepa {words[0]} ended with exit status {status}")
    return status == 130


def _small(folder: Path, small: bool, *, masked: bool = False) -> list[object]:
    """Return the settings of a run that is over at once, on a few images of its own."""
    if not small:
        return []
    from jepa.sources import shapes

    if not (folder / "shapes").exists():
        shapes.write(folder / "shapes", count=64, size=16, seed=0)
    words = """train.epochs=1 train.batch_size=8 train.log_every=1 optimizer.warmup_steps=2 source.size=16
        evaluation.random_seeds=1 evaluation.online_images=32""".split()
    crops = "task.target_size=16 task.targets=1 encoder.widths=[4,8] projector.dim=8 predictor.width=16"
    vit = "encoder.dim=12 encoder.depth=1 predictor.dim=12 predictor.depth=1"
    return [f"source={folder / 'shapes'}", *words, *(vit if masked else crops).split()]


def _lines(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics that are whole."""
    try:
        text = (run / "metrics.jsonl").read_text("utf-8")
    except OSError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def _curve(run: Path) -> dict[str, Any]:
    """Return what the metrics say: the epochs, the last step, the speed."""
    lines = _lines(run)
    steps = [line for line in lines if line["kind"] == "step"]
    kept = ("epoch", "step", "loss", "validation_loss")
    epochs = [
        {k: v for k, v in line.items() if k in kept or k.startswith("probe/")}
        for line in lines
        if line["kind"] == "epoch"
    ]
    if not steps:
        return {"epochs": epochs}
    speed = round(sum(line["examples_per_second"] for line in steps[-5:]) / len(steps[-5:]))
    return {"steps": steps[-1]["step"], "loss": steps[-1]["loss"], "examples_per_second": speed, "epochs": epochs}


class _watched:  # noqa: N801  # reads as a word of `with`
    """Reports a run's curve every two seconds while it trains."""

    def __init__(self, report: Report, run: Path) -> None:
        self.report, self.run, self.over = report, run, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self.over.wait(2.0):
            self.report.update(**_curve(self.run))

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()
