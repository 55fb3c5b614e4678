"""The case table of the tests on the GPU, by several workers at once: nearly all its time is the compiling of kernels.

A worker prints a line before and after each case. One that hangs, dies, or meets an error after which its CUDA context
is of no use, is replaced, and the case that it was at is a failure like any other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from benchmarks.gpu.device import begin, first_line, largest
from benchmarks.gpu.report import Report

__all__ = ["run", "work"]

TOLERANCES = {"first": 1e-9, "second": 1e-8}  # in float64, of the largest entry
LONGEST = 40.0  # seconds for one case, kernels compiled
FATAL = ("IllegalAddress", "LaunchFailure", "illegal memory access", "unspecified launch failure", "EXECUTION_FAILED")
SMALL = 60  # every so manieth case in small


def run(report: Report, *, seconds: float, dry: bool, small: bool, **_: Any) -> None:
    """Run all cases; report how many were right, and which were not."""
    from tests.minitensor.cases import CASES

    todo = list(range(0, len(CASES), SMALL if small else 1))
    count = 1 if dry else min(12, os.cpu_count() or 1)
    table = _Table(len(todo), report)
    workers = [threading.Thread(target=table.tend, args=(todo[k::count], dry)) for k in range(count)]
    end = time.monotonic() + seconds
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.2)
        table.look(end)
    table.tell()
    status = "wrong" if table.failures else "ok" if table.done == len(todo) else "out of time"
    report.update(status=status)


class _Table:
    """What the workers have found."""

    def __init__(self, total: int, report: Report) -> None:
        self.total, self.report, self.lock = total, report, threading.Lock()
        self.right, self.largest, self.done = 0, 0.0, 0
        self.failures: dict[str, str] = {}
        self.processes: dict[int, tuple[subprocess.Popen[str], float]] = {}  # by thread: and when its case began
        self.over, self.told = False, 0.0

    def tend(self, todo: list[int], dry: bool) -> None:
        """Start a worker for these cases, and another one for the rest when it has died."""
        while todo and not self.over:
            words = [sys.executable, "-c", f"from benchmarks.gpu.cases import work; work({todo!r}, {dry!r})"]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            at, name = None, ""
            for line in process.stdout:
                said = json.loads(line)
                if "begins" in said:
                    at, name = said["begins"], said["name"]
                    self.processes[threading.get_ident()] = process, time.monotonic()
                else:
                    self._count(name, said)
                    todo, at = todo[todo.index(said["ends"]) + 1 :], None
            process.wait()
            if self.over or process.returncode == 0:
                return
            if at is None and not name:
                return self._count("the worker itself", {"error": f"ended with status {process.returncode}"})
            if at is not None:
                self._count(name, {"error": f"the process died or hung: exit status {process.returncode}"})
                todo = todo[todo.index(at) + 1 :]

    def _count(self, name: str, said: dict[str, Any]) -> None:
        with self.lock:
            self.done += 1
            if "error" in said:
                self.failures[name] = said["error"]
            else:
                self.right += 1
                self.largest = max(self.largest, said["largest"])

    def look(self, end: float) -> None:
        """End what hangs, and everything when the time is over; report twice a second."""
        now = time.monotonic()
        self.over = self.over or now > end
        for process, began in list(self.processes.values()):
            if process.poll() is None and (self.over or now - began > LONGEST):
                process.kill()
        if now - self.told > 0.5:
            self.told = now
            self.tell()

    def tell(self) -> None:
        """Report."""
        with self.lock:
            found = {"cases": self.total, "run": self.done, "right": self.right, "largest_error": self.largest}
            self.report.update(**found, failures=dict(self.failures))


def work(todo: list[int], dry: bool) -> None:
    """Run some cases, and print a line of JSON before and after each."""
    begin(dry)
    from tests.minitensor.cases import CASES
    from tests.minitensor.cases.run import first, same, second

    def say(**what: Any) -> None:
        print(json.dumps(what), flush=True)

    for index in todo:
        case = CASES[index]
        say(begins=index, name=case.id)
        try:
            here, there = first(case), first(case, "cuda")
            for a, b in zip(there, here, strict=True):
                same(a, b, TOLERANCES["first"])
            error = max(largest(a, b) for a, b in zip(there, here, strict=True))
            if case.smooth:
                here2, there2 = second(case), second(case, "cuda")
                same(there2, here2, TOLERANCES["second"])
                error = max(error, largest(there2, here2))
            say(ends=index, largest=error)
        except Exception as wrong:  # whatever it is, it is the finding
            text = first_line(wrong)
            say(ends=index, error=text)
            if any(word in text for word in FATAL):
                os._exit(3)
