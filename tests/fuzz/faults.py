"""File systems that fail: a full disk, broken or read-only ones; then the same again on one that works."""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jepa.runs.checkpoint import list_checkpoints
from jepa.sources import shapes
from tests.fuzz.command import TINY, run, until
from tests.fuzz.kills import compared, contents

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EMFILE, errno.ESTALE)


def campaign(seed: int, seconds: float) -> list[str]:
    """Let one call fail, of every kind in turn; then finish the run and compare it with a whole one."""
    draw, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shapes.write(place / "images", count=60, size=16, seed=0)
        settings = ["source=images", "train.epochs=2", "train.checkpoint_every=2", *TINY]
        run(["train", *settings, "--out", "whole"], place)
        whole = contents(place / "whole")
        for count in until(seconds):
            failures += _training(place, settings, whole, draw) if count % 3 else _other(place, draw)
    return failures


def _fault(place: Path, draw: random.Random) -> Callable[[], None]:
    """Return what lets the calls from the n-th on fail, or the files end at a size."""
    number, code, lasting = int(draw.expovariate(1 / 25)), draw.choice(ERRORS), draw.random() < 0.5
    if draw.random() < 0.3:
        size = draw.randrange(200_000)
        return lambda: _bounded(size)
    return lambda: _failing(str(place), number, code, lasting)


def _training(place: Path, settings: list[str], whole: list[Any], draw: random.Random) -> list[str]:
    folder, failures = place / "run", []
    shutil.rmtree(folder, ignore_errors=True)
    words = ["train", *settings, "--out", "run"]
    for fault in (_fault(place, draw), _fault(place, draw), None):
        way = ["--resume"] if list_checkpoints(folder) else []
        outcome = run([*words, *way], place, before=fault)
        if broken := outcome.broken(working=True):
            failures.append(broken)
        if outcome.code == 0 and fault is not None:
            break
    if outcome.code:
        return [*failures, f"a run cannot be finished after a fault: {outcome.errors[-600:]}"]
    return [*failures, *compared(contents(folder), whole)]


def _other(place: Path, draw: random.Random) -> list[str]:
    """Evaluate, draw and embed."""
    verb = draw.choice(
        [["eval", "whole"], ["plot", "whole"], ["embed", "whole", "--out", "z.npz"], ["data", "inspect", "images"]]
    )
    device = [] if verb[0] == "data" else ["--device", "cpu"]
    broken = run([*verb, *device], place, before=_fault(place, draw)).broken(working=True)
    return [] if broken is None else [broken]


def _bounded(size: int) -> None:
    """Let no file grow beyond so many bytes, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _failing(place: str, number: int, code: int, lasting: bool) -> None:
    """Replace the calls that touch files below `place` by ones that fail from the n-th on, for ever or once."""
    calls = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            if isinstance(path, int) or os.path.abspath(path).startswith(place):
                calls += 1
                if calls == number or (lasting and calls > number):
                    name = None if isinstance(path, int) else os.fspath(path)
                    raise OSError(code, os.strerror(code), name)
            return function(path, *args, **kwargs)

        return call

    for name in ("fsync", "replace", "unlink", "mkdir", "rename", "open", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    builtins.open = io.open = counted(io.open)  # type: ignore[assignment]
