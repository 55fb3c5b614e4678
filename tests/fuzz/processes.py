"""A training by two processes, of which one is killed at a random moment: all end, and going on gives the same bits.

python -m tests.fuzz --only processes --seconds 600
python -m tests.fuzz.processes 50             until 50 processes were killed
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jepa.sources import shapes
from tests.fuzz.command import TINY, until
from tests.fuzz.kills import _way, compared, contents
from tests.together import MPIEXEC, command, environment, run

COUNT, LONGEST, END = 2, 12, 5.0  # processes, kills of one run, seconds in which all have to end
WORDS = ["-m", "jepa", "train", "source=images", "train.epochs=3", "train.checkpoint_every=1", *TINY]


def campaign(seed: int, seconds: float, kills: int | None = None) -> list[str]:
    """Start, kill one process, and go on, until the run is whole, again and again; return what went wrong.

    kills: end after so many, whatever the time.
    """
    if MPIEXEC is None:
        return []
    draw, failures, done = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shapes.write(place / "images", count=60, size=16, seed=0)
        ended = run(COUNT, [*WORDS, "--out", "whole"], place)
        if ended.returncode:
            return [f"a run that nobody kills ends with {ended.returncode}: {ended.stderr[-500:]}"]
        whole = contents(place / "whole")
        clock = until(seconds)
        while done < kills if kills is not None else next(clock, None) is not None:
            most = LONGEST if kills is None else min(LONGEST, kills - done)
            end = time.monotonic() + (seconds if kills is None else 1e9)
            count, found = _one(place, whole, most, end, draw)
            done, failures = done + count, failures + found
            shutil.rmtree(place / "run", ignore_errors=True)
    print(f"  {done} processes killed")
    return failures


def _one(place: Path, whole: list[Any], most: int, end: float, draw: random.Random) -> tuple[int, list[str]]:
    """Return how many processes of one run were killed, until `end` at most, and what went wrong."""
    folder, killed, failures = place / "run", 0, []
    for kill in range(most + 1):
        words = command(COUNT, [*WORDS, *_way(folder, False)])
        with subprocess.Popen(
            words, cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            hit = kill < most and time.monotonic() < end and _kill_one(process, draw)
            started = time.monotonic()
            try:
                said = process.communicate(timeout=END if hit else 120)[1]
            except subprocess.TimeoutExpired:
                failures.append(f"the others do not end: {END:.0f} s after a process was killed they still run")
                process.send_signal(signal.SIGTERM)
                said = process.communicate()[1]
        killed += hit
        if left := _ours(place):
            failures.append(f"{len(left)} processes are left {time.monotonic() - started:.1f} s after the kill")
        if not hit:
            break
    if process.returncode:
        failures.append(f"the run does not go on: {said[-500:]}")
    else:
        failures += compared(contents(folder), whole)
        failures += [f"left behind: {path}" for path in folder.rglob(".*")]
    return killed, failures


def _kill_one(process: subprocess.Popen[str], draw: random.Random) -> bool:
    """Kill one of the processes at some moment, in their start too; False if they had ended."""
    end = time.monotonic() + draw.uniform(0.3, 6.0)
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    ranks = _children(process.pid)
    if process.poll() is not None or not ranks:
        return False
    os.kill(draw.choice(ranks), signal.SIGKILL)
    return True


def _children(pid: int) -> list[int]:
    """Return the processes that a process's descendants run Python in."""
    found, below = [], [pid]
    while below:
        for path in Path(f"/proc/{below.pop()}/task").glob("*/children"):
            try:
                for child in map(int, path.read_text().split()):
                    below.append(child)
                    if "python" in Path(f"/proc/{child}/comm").read_text():
                        found.append(child)
            except OSError:
                continue
    return found


def _ours(place: Path) -> list[int]:
    """Return the processes whose working directory is this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.resolve() == place.resolve() and "python" in (path.parent / "comm").read_text():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    found = campaign(0, 0.0, int(sys.argv[1]))
    print("\n".join(found) or "each time all ended, and the run went on to the same bits")
    sys.exit(bool(found))
