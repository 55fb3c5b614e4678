"""One command in a process of its own, bounded and watched, and whether it has kept the rule."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jepa.__main__ import main
from tests.jepa.tiny import CROPS, SHORT

SECONDS, MEMORY, WALL = 5, 1 << 30, 60  # SECONDS for a refusal; what is done may take four times as long

TINY = [
    word
    for word in (*SHORT, *CROPS, "train.checkpoint_every=null")
    if not word.startswith(("train.epochs=", "train.checkpoint_every=2"))
]


class Outcome(NamedTuple):
    """How a command ended."""

    words: Sequence[str]
    code: int
    """exit status, or minus the number of the signal"""
    errors: str
    """what it wrote to standard error"""
    seconds: float
    """of the processor"""

    def broken(self, *, killed: bool = False, working: bool = False) -> str | None:
        """Return how the rule was broken, or None. killed: the campaign ended it; working: it failed amid its work."""
        last = self.errors.strip().splitlines()[-1:] or [""]
        if "Traceback" in self.errors or "Exception ignored" in self.errors:
            what = "a traceback"
        elif self.code < 0 and not (killed and self.code == -signal.SIGKILL):
            what = f"signal {-self.code}, after {self.seconds:.1f} s of the processor"
        elif self.code not in (0, 2, 130) and not killed:
            what = f"exit status {self.code}"
        elif self.code == 2 and not re.fullmatch(r"jepa: error: .{10,1600}", last[0]):
            what = "no sentence"
        elif self.code == 2 and "not enough memory" in last[0]:
            what = f"more than {MEMORY >> 20} MB"
        elif self.code == 2 and self.seconds > SECONDS and not working:
            what = f"{self.seconds:.1f} s of the processor"
        else:
            return None
        return f"{what}: jepa {' '.join(map(repr, self.words))}\n    {self.errors[-1500:]}"


def run(
    words: Sequence[str], folder: Path, *, before: Callable[[], object] | None = None, kill_after: float | None = None
) -> Outcome:
    """Run `jepa WORDS` in a folder, in a fork; `before` is called in it first; `kill_after` so many seconds."""
    with tempfile.TemporaryFile() as said:
        process = os.fork()
        if process == 0:
            _child(words, folder, said.fileno(), before)
        end = time.monotonic() + (WALL if kill_after is None else kill_after)
        while True:
            found, status, used = os.wait4(process, os.WNOHANG)
            if found:
                break
            if time.monotonic() > end:
                os.kill(process, signal.SIGKILL)
                end += WALL
            time.sleep(0.002)
        said.seek(0)
        errors = said.read().decode("utf-8", "replace")
    return Outcome(words, os.waitstatus_to_exitcode(status), errors, used.ru_utime + used.ru_stime)


def _child(words: Sequence[str], folder: Path, errors: int, before: Callable[[], object] | None) -> None:
    """Be the command; never return."""
    code = 1
    try:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (4 * SECONDS, 4 * SECONDS))
        if before is not None:
            before()
        code = main(list(words))
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(code)


def until(seconds: float) -> Iterator[int]:
    """Count as long as there is time, once at least."""
    end, count = time.monotonic() + seconds, 0
    while count == 0 or time.monotonic() < end:
        yield count
        count += 1


def tree(folder: Path) -> dict[str, bytes]:
    """Every file's content by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
