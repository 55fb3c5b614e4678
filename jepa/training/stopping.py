"""Ctrl-C and its like: training stops at the end of a step, when it has saved."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def signals(trainer: Any) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait for the end of the step and a checkpoint; a second one does not wait."""

    def ask(number: int, frame: Any) -> None:
        if trainer.stopping and number == getattr(signal, "SIGHUP", None):
            return  # the shell and the system may both tell of one lost terminal
        if trainer.stopping:
            raise KeyboardInterrupt
        trainer.stopping = True
        with suppress(OSError):  # past the log, which may be in the middle of a line
            if trainer.team is None or trainer.team.rank == 0:
                os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")

    before: dict[int, Any] = {}
    try:
        for number in STOPPING:
            if number not in (signal.SIGINT, signal.SIGTERM) and signal.getsignal(number) == signal.SIG_IGN:
                continue  # as under nohup
            with suppress(ValueError):  # not in the main thread: signals are somebody else's
                before[number] = signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
