"""What Ctrl-C, the end of a session and a lost terminal do to a training: it saves, and stops."""

import contextlib
import os
import signal
from typing import Any, Protocol

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stoppable(Protocol):
    """What looks, after each step, whether it was asked to stop."""

    stopping: bool


class Signals:
    """Lets Ctrl-C, SIGTERM and SIGHUP wait for the end of the step and a checkpoint; a second one does not wait."""

    def __init__(self, trainer: Stoppable) -> None:
        self.trainer = trainer

    def __enter__(self) -> None:
        self.before: dict[int, Any] = {}
        for number in STOPPING:
            if number not in (signal.SIGINT, signal.SIGTERM) and signal.getsignal(number) == signal.SIG_IGN:
                continue  # as under nohup
            try:
                self.before[number] = signal.signal(number, self._ask)
            except ValueError:  # not in the main thread: signals are somebody else's
                return

    def _ask(self, number: int, frame: Any) -> None:
        if self.trainer.stopping and number == getattr(signal, "SIGHUP", None):
            return  # the shell and the system may both tell of one lost terminal
        if self.trainer.stopping:
            raise KeyboardInterrupt
        self.trainer.stopping = True
        with contextlib.suppress(OSError):  # past the log, which may be in the middle of a line
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
