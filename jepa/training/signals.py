"""What Ctrl-C, the end of a session and a lost terminal do to a training: it saves, and stops."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any, Protocol

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stoppable(Protocol):
    """What looks, after each step, whether it was asked to stop."""

    stopping: bool


@contextlib.contextmanager
def signals(trainer: Stoppable) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait for the end of the step and a checkpoint; a second one does not wait."""

    def ask(number: int, frame: Any) -> None:
        if trainer.stopping and number == getattr(signal, "SIGHUP", None):
            return  # the shell and the system may both tell of one lost terminal
        if trainer.stopping:
            raise KeyboardInterrupt
        trainer.stopping = True
        with contextlib.suppress(OSError):  # past the log, which may be in the middle of a line
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")

    before: dict[int, Any] = {}
    try:
        for number in STOPPING:
            if number not in (signal.SIGINT, signal.SIGTERM) and signal.getsignal(number) == signal.SIG_IGN:
                continue  # as under nohup
            with contextlib.suppress(ValueError):  # not in the main thread: signals are somebody else's
                before[number] = signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
