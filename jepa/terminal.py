"""What is written to standard output and standard error: it never ends the work that it tells of."""

import errno
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from jepa.text import printable

GONE = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO)
"""what writing to a closed pipe, a terminal that was hung up, or a closed descriptor gives"""


class Patient:
    """A stream whose reader may go away: what is written then is dropped, and characters that it lacks are escaped.

    Everything else is the stream's own. `None`, which Python has for a stream that was closed from the start, is one
    without a reader. With `wanted`, errors that lose what somebody waits for, such as a full disk, are raised; without,
    nothing that befalls the stream is an error.
    """

    def __init__(self, stream: TextIO | None, *, wanted: bool = False) -> None:
        self._stream, self._open, self._wanted = stream, stream is not None, wanted
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or drop it if nobody reads."""
        self._attempt("write", text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self._attempt("flush")

    def isatty(self) -> bool:
        """Whether it is a terminal, still."""
        return self._open and self._stream is not None and self._stream.isatty()

    def _attempt(self, method: str, *values: str) -> None:
        if not self._open:
            return
        try:
            getattr(self._stream, method)(*values)
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._open = False
            self._forget()
            if self._wanted and isinstance(error, OSError) and error.errno not in GONE:
                raise OSError(error.errno, error.strerror, getattr(self._stream, "name", "output")) from error

    def _forget(self) -> None:
        """Turn the descriptor away from what is gone: Python flushes it once more at its end, and would complain."""
        try:
            descriptor = self._stream.fileno() if self._stream is not None else -1
            if descriptor in (1, 2):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
        except (OSError, ValueError):
            return


class Plain(Patient):
    """A patient stream for text alone: control characters, such as escape sequences in file names, are written out."""

    def write(self, text: str) -> int:
        return super().write(printable(text, keep="\n\t"))


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make standard output plain and patient, and standard error patient (a progress bar needs its control characters).

    So `jepa train 2>&1 | head -3` trains to the end, and any encoding of the terminal will do. What standard output
    takes was asked for, and to lose it is an error; standard error only tells of the work, and a full disk beneath it
    ends none. Warnings of the logger "jepa" are lines of standard error, in printable characters too.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Plain(before[0], wanted=True), Patient(before[1])
    warnings = logging.StreamHandler(Plain(before[1]))
    warnings.setLevel(logging.WARNING)
    logging.getLogger("jepa").addHandler(warnings)
    try:
        yield
    finally:
        logging.getLogger("jepa").removeHandler(warnings)
        sys.stdout, sys.stderr = before
