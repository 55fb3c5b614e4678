"""The log of a run: one JSON object a line for programs, a bar or plain lines for people."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from jepa.runs.owned import replace_text
from jepa.text import printable, shortened
from jepa.training.loggers import Logger, figures_of

COLLAPSE = (
    "warning: the embeddings have collapsed: feature std {:.3f}, effective rank {:.1f}. "
    "The README's table of troubles says what to try"
)


class RunLog:
    """Writes metrics.jsonl and train.log, and shows a bar on a terminal, plain lines elsewhere.

    What was logged after the step at which a run is resumed is dropped, so that every step stands there once. Without
    a folder no file is written. quiet: nothing is shown but warnings.
    """

    def __init__(self, folder: Path | None, *, step: int, steps: int, quiet: bool = False) -> None:
        self.quiet, self._files = quiet, dict[str, TextIO]()
        if folder is not None:
            path = folder / "metrics.jsonl"
            if path.exists():
                replace_text(path, "".join(json.dumps(entry) + "\n" for entry in logged(folder, step)))
            for name in ("metrics.jsonl", "train.log"):
                self._files[name] = open(folder / name, "a", encoding="utf-8")  # noqa: SIM115
        self.bar = tqdm(total=steps, initial=step, unit="step", disable=quiet or None, dynamic_ncols=True, leave=False)
        self._shown, self._warned = time.monotonic(), False
        self._folder, self._loggers = folder, list[Logger]()

    def tell(self, loggers: Sequence[Logger], settings: Mapping[str, Any], step: int) -> None:
        """Tell these loggers of the training from now on, as long as they raise nothing."""
        self._loggers = [*loggers]
        self._each(lambda logger: logger.begin(self._folder, settings, step))

    def _each(self, tell: Callable[[Logger], None]) -> None:
        """Tell each logger; one that fails is told nothing more, and the training goes on."""
        for logger in [*self._loggers]:
            try:
                tell(logger)
            except Exception as error:  # whatever a library, a network or somebody's own class raises
                self._loggers.remove(logger)
                why = shortened(" ".join(str(error).split()) or type(error).__name__, 300)
                self._show(self.record(f"warning: {type(logger).__name__} failed and is told nothing more: {why}"))

    def step(self, entry: dict[str, Any]) -> None:
        """Log one training step."""
        self._write("metrics.jsonl", json.dumps({"kind": "step", **entry}))
        self._each(lambda logger: logger.log(figures_of(entry), entry["step"]))
        text = f"loss {entry['loss']:.4f} lr {entry['lr']:.2e} {entry['examples_per_second']:.0f}/s"
        self.bar.set_postfix_str(text, refresh=False)
        if self.bar.disable and time.monotonic() - self._shown > 15:
            self._shown = time.monotonic()
            self.say(f"step {entry['step']}/{self.bar.total} {text}")

    def epoch(self, entry: dict[str, Any], text: str) -> None:
        """Log one epoch."""
        self._write("metrics.jsonl", json.dumps({"kind": "epoch", **entry}))
        self._each(lambda logger: logger.log(figures_of(entry, "epoch/"), entry["step"]))
        self.say(text)

    def collapse(self, std: float, rank: float) -> None:
        """Warn, once, that the representation has collapsed."""
        if not self._warned:
            self._warned = True
            self._show(self.record(COLLAPSE.format(std, rank)))

    def say(self, text: str) -> None:
        """Write a line to the console and to train.log."""
        line = self.record(text)
        if not self.quiet:
            self._show(line)

    def record(self, text: str) -> str:
        """Write a line of printable characters, with the time, to train.log alone; return it."""
        line = printable(f"{time.strftime('%H:%M:%S')} {text}")
        self._write("train.log", line)
        return line

    @staticmethod
    def _show(line: str) -> None:
        tqdm.write(line, file=sys.stderr)  # above the bar instead of through it

    def _write(self, name: str, line: str) -> None:
        """Write a line to a file, if there is one; that it cannot be, on a full disk, is the training's failing."""
        if (file := self._files.get(name)) is None:
            return
        try:
            file.write(line + "\n")
            file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, file.name) from error

    def close(self) -> None:
        """Close the files and take the bar away; tell the loggers that it is over."""
        self._each(lambda logger: logger.end())
        self.bar.close()
        for file in self._files.values():
            with contextlib.suppress(OSError):  # a full disk, which was told of when it was written to
                file.close()


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
