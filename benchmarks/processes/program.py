"""The training steps of `benchmarks.steps` by the processes that were started together; the first prints JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import minitensor as mt
from benchmarks import steps
from jepa.several import rows

STEPS = {"I-JEPA ViT": steps.vit, "CNN-JEPA": steps.cnn, "ResNet-18 VICReg": steps.resnet}


class Counted:
    """A team that notes how many calls and bytes went through it, and how long they took."""

    def __init__(self, team: Any) -> None:
        self.team, self.size, self.rank = team, team.size, team.rank
        self.calls, self.bytes, self.seconds = 0, 0, 0.0

    def noted(self, f: Callable[..., Any], value: Any, *words: Any) -> Any:
        """Call f and note it."""
        start = time.perf_counter()
        found = f(value, *words)
        self.seconds += time.perf_counter() - start
        self.calls, self.bytes = self.calls + 1, self.bytes + getattr(value, "nbytes", 8)
        return found

    def total(self, x: Any, what: str = "") -> Any:
        return self.noted(self.team.total, x, what)

    def gather(self, value: Any, what: str = "") -> Any:
        return self.noted(self.team.gather, value, what)

    def broadcast(self, value: Any, what: str = "") -> Any:
        return self.noted(self.team.broadcast, value, what)

    def begin_total(self, line: Any) -> Callable[[], None]:
        arrive = self.noted(self.team.begin_total, line)

        def timed() -> None:
            start = time.perf_counter()
            arrive()
            self.seconds += time.perf_counter() - start

        return timed


def training(step: steps.Step, team: Any) -> Callable[[], float]:
    """Return the step of `steps.ours`, on this process's part of the batch."""
    own = step.batch if team is None else rows(step.batch, mt.teams.cut(steps.BATCH, team.size, team.rank))
    return steps.ours(step._replace(batch=own), team)


def measured(run: Callable[[], float], team: Any, rounds: int, seconds: float) -> dict[str, Any]:
    """Return the median milliseconds of a step, and what was exchanged in one."""
    for _ in range(2):
        run()
    start = time.perf_counter()
    run()
    count = max(1, int(seconds / (time.perf_counter() - start)))
    if team is not None:
        count = int(team.team.broadcast(count))
        team.calls, team.bytes, team.seconds = 0, 0, 0.0
    taken = []
    for _ in range(rounds):
        if team is not None:
            team.team.wait()
        start = time.perf_counter()
        for _ in range(count):
            run()
        taken.append((time.perf_counter() - start) / count * 1e3)
    found: dict[str, Any] = {"ms": round(statistics.median(taken), 3)}
    if team is not None:
        per = rounds * count
        found |= {"calls": team.calls // per, "MB": round(team.bytes / per / 1e6, 3)}
        found |= {"exchange_ms": round(team.seconds / per * 1e3, 3)}
    return found


def main() -> None:
    """Measure each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    args = parser.parse_args()
    mt.keep_freed_memory()
    mt.set_num_threads(args.threads)
    team = mt.teams.join()
    found = {}
    for name, make in STEPS.items():
        if args.only in name:
            counted = None if team is None else Counted(team)
            step = make(False)
            found[name] = measured(training(step, counted), counted, args.rounds, args.seconds)
            found[name]["gradient_MB"] = sum(p.data.nbytes for m in step.modules for p in m.parameters()) / 1e6
    if team is None or team.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
