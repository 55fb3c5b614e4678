"""The training steps of `benchmarks.steps` and their memory, beside PyTorch on the same GPU, taking turns.

float32 on both sides, without TensorFloat-32. Losses and gradients are compared before anything is timed. A time is
that of a step from its call until the GPU is idle again. Memory is the peak of what the allocator has given out:
CuPy's pool by a hook, PyTorch's by its own statistics.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from benchmarks.gpu.device import Memory, begin, first_line, synchronize
from benchmarks.gpu.report import Report

__all__ = ["run"]


def run(report: Report, *, dry: bool, small: bool, **_: Any) -> None:
    """Measure the three steps, each reported when it is done."""
    begin(dry)
    try:
        import torch
    except ImportError:
        return report.update(status="skipped", why="without PyTorch")
    if not dry and not torch.cuda.is_available():
        return report.update(status="skipped", why=f"PyTorch {torch.__version__} sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    from benchmarks import steps

    settings: dict[str, dict[str, Any]] = {"vit": {}, "cnn": {}, "resnet": {}}
    if small:
        settings = {
            "vit": {"batch": 8, "dim": 24, "depth": 1},
            "cnn": {"batch": 8, "width": 4},
            "resnet": {"batch": 8, "size": 8},
        }
    status = "ok"
    for name, setting in settings.items():
        try:
            found = _step(getattr(steps, name), setting, torch, dry, small)
        except Exception as error:  # the next one is tried all the same
            found = {"error": first_line(error)}
        status = "wrong" if found.keys() & {"error", "disagrees"} else status
        report.update(**{name: found})
        gc.collect()
    report.update(status=status)


def _step(make: Callable[..., Any], setting: dict[str, Any], torch: Any, dry: bool, small: bool) -> dict[str, Any]:
    """Compare, measure memory, then time the three sides in turns."""
    from benchmarks import steps
    from benchmarks.timing import interleaved

    first = make(False, device="cuda", **setting)
    found: dict[str, Any] = {"name": first.name}
    try:
        steps.check(first)
    except AssertionError as error:  # a finding, and no reason to leave the times out
        found["disagrees"] = str(error)
    sides = {"ours": steps.ours(first), "torch": steps.theirs(first, False)}
    if not small:
        sides["torch, tuned"] = steps.theirs(make(True, device="cuda", **setting), True)
    found["losses"] = {side: step() for side, step in sides.items()}
    found["megabytes"] = _memory(sides, torch, dry)

    def whole(step: Callable[[], float]) -> Callable[[], None]:
        def call() -> None:
            step()
            synchronize(dry)

        return call

    rounds, seconds = (1, 0.0) if small else (7, 0.4)
    timings = interleaved({side: whole(step) for side, step in sides.items()}, rounds, seconds)
    found["milliseconds"] = {side: [round(v, 3) for v in t] for side, t in timings.items()}
    best = min(t.median for side, t in timings.items() if side != "ours")
    found["ratio"] = round(timings["ours"].median / best, 3)
    return found


def _memory(sides: dict[str, Callable[[], float]], torch: Any, dry: bool) -> dict[str, float]:
    """Return the peak of two steps of each side, in MB above what lay there before."""
    gc.collect()
    with Memory(dry) as memory:
        before = memory.peak
        for _ in range(2):
            sides["ours"]()
    found = {"ours": round(memory.peak - before, 1)}
    if not dry:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for _ in range(2):
            sides["torch"]()
        found["torch"] = round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
    return found
