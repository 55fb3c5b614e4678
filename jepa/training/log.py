"""The log of a run: one JSON object a line for programs, a bar or plain lines for people."""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from jepa.runs.owned import replace_text
from jepa.text import printable

COLLAPSE = (
    "the embeddings have collapsed: feature std {std:.3f}, effective rank {rank:.1f}. "
    "The README's table of troubles says what to try"
)


class RunLog:
    """Writes metrics.jsonl and train.log, and shows a bar on a terminal, plain lines elsewhere.

    What was logged after the step at which a run is resumed is dropped, so that every step stands there once. Without
    a folder no file is written. quiet: nothing is shown but warnings.
    """

    def __init__(self, folder: Path | None, *, step: int, steps: int, quiet: bool = False) -> None:
        self.logger = logging.getLogger(f"jepa.{folder or 'training'}")
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self._handlers: list[logging.Handler] = [_Console(logging.WARNING if quiet else logging.INFO)]
        self._file: Any = None
        if folder is not None:
            path = folder / "metrics.jsonl"
            if path.exists():
                replace_text(path, "".join(json.dumps(entry) + "\n" for entry in logged(folder, step)))
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
            self._handlers.insert(0, _File(folder / "train.log", encoding="utf-8"))
        for handler in self._handlers:
            handler.setFormatter(_Line("%(asctime)s %(message)s", "%H:%M:%S"))
            self.logger.addHandler(handler)
        self.bar = tqdm(total=steps, initial=step, unit="step", disable=quiet or None, dynamic_ncols=True, leave=False)
        self._shown = time.monotonic()
        self._warned = False

    def step(self, entry: dict[str, Any]) -> None:
        """Log one training step."""
        self._write({"kind": "step", **entry})
        text = f"loss {entry['loss']:.4f} lr {entry['lr']:.2e} {entry['examples_per_second']:.0f}/s"
        self.bar.set_postfix_str(text, refresh=False)
        if self.bar.disable and time.monotonic() - self._shown > 15:
            self._shown = time.monotonic()
            self.say(f"step {entry['step']}/{self.bar.total} {text}")

    def epoch(self, entry: dict[str, Any], text: str) -> None:
        """Log one epoch."""
        self._write({"kind": "epoch", **entry})
        self.say(text)

    def collapse(self, std: float, rank: float) -> None:
        """Warn, once, that the representation has collapsed."""
        if not self._warned:
            self._warned = True
            self.logger.warning("warning: " + COLLAPSE.format(std=std, rank=rank))

    def say(self, text: str) -> None:
        """Write a line to the console and to train.log."""
        self.logger.info(text)

    def record(self, text: str) -> None:
        """Write a line to train.log alone."""
        self.logger.debug(text)

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._file.name) from error

    def close(self) -> None:
        """Close the files and take the bar away."""
        self.bar.close()
        for handler in self._handlers:
            self.logger.removeHandler(handler)
        for opened in (*([self._file] if self._file is not None else []), *self._handlers):
            with contextlib.suppress(OSError):  # a full disk, which was told of when it was written to
                opened.close()


def logged(folder: Path, step: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of metrics.jsonl up to a step, without one that was being written when the run was killed."""
    path = folder / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
            if entry["step"] <= step:
                yield entry
        except (ValueError, LookupError, TypeError, RecursionError):
            continue


class _Line(logging.Formatter):
    """One line of printable characters for each record, whatever is in the names that it tells of."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _File(logging.FileHandler):
    """A file whose failing to be written, on a full disk, is the training's failing."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, self.baseFilename) from error
        raise


class _Console(logging.Handler):
    """Prints above the bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)
