"""The order of the parts, their shares of the time, and a process for each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu.report import write
from benchmarks.gpu.table import lines

__all__ = ["PARTS", "Session"]


class Part(NamedTuple):
    """A part of the measurement: its share of all seconds; the last one takes what is left."""

    name: str
    share: float
    ahead: bool = False  # goes through two steps in the background, so that its kernels are compiled


PARTS = [
    Part("machine", 0.04),
    Part("ops", 0.26),
    Part("tests", 0.12),
    Part("demo", 0.22, ahead=True),
    Part("half", 0.10, ahead=True),
    Part("steps", 0.16, ahead=True),
    Part("cifar10", 1.0),
]
FAREWELL = 2.0  # seconds before the end at which the last process is ended
GRACE = 8.0  # seconds that a part is told less than it has: to finish by itself


class Session:
    """All parts within `seconds`, and the file that they go into."""

    def __init__(self, seconds: float, out: Path, *, dry: bool, cifar10: str = "") -> None:
        self.seconds, self.out, self.dry, self.cifar10 = seconds, out, dry, cifar10
        self.start = time.monotonic()
        self.results: dict[str, Any] = {"seconds": seconds, "dry": dry, "parts": {}}
        self.unpacking: threading.Thread | None = None

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - (time.monotonic() - self.start) - FAREWELL

    def run(self, names: Sequence[str]) -> int:
        """Run the parts of these names; print a table; return 1 if one did not do what it should."""
        chosen = [part for part in PARTS if part.name in names]
        with tempfile.TemporaryDirectory(prefix="gpu-") as folder, self._images(Path(folder)):
            background: list[subprocess.Popen[bytes]] = []
            try:
                for part in chosen:
                    if part.name == "ops" and not self.dry:
                        background = [self._process(p, Path(folder), 90, ahead=True) for p in chosen if p.ahead]
                    self._run_part(part, Path(folder))
                    if part.name == "machine" and self.results["parts"]["machine"]["status"] != "ok":
                        break
                    if part.name == "tests":
                        _end(background)
            finally:
                _end(background)
        self.results["took"] = round(time.monotonic() - self.start, 1)
        self._write()
        print("\n".join(["", *lines(self.results), "", f"results: {self.out}"]), flush=True)
        found = self.results["parts"].values()
        return int(any(part["status"] not in ("ok", "skipped") for part in found))

    def _run_part(self, part: Part, folder: Path) -> None:
        """Run one part to its end or to the end of its time, and keep what it reports meanwhile."""
        limit = min(part.share * self.seconds, self.left())
        entry: dict[str, Any] = {"status": "running"}
        self.results["parts"][part.name] = entry
        if limit < 1:
            entry |= {"status": "out of time", "took": 0.0}
            return self._write()
        print(f"{part.name}: at most {limit:.0f} s", flush=True)
        began, report, seen = time.monotonic(), folder / f"{part.name}.json", 0.0
        process = self._process(part, folder, limit)
        late = False
        while process.poll() is None:
            time.sleep(0.1)
            late = time.monotonic() - began > limit
            if late:
                _end([process])
            with contextlib.suppress(OSError):
                if report.stat().st_mtime != seen:
                    seen = report.stat().st_mtime
                    entry |= json.loads(report.read_text("utf-8"))
                    self._write()
        with contextlib.suppress(OSError):
            entry |= json.loads(report.read_text("utf-8"))
        if late:
            entry["status"] = "out of time"
        elif process.returncode:
            entry["status"] = "failed"
            tail = (folder / f"{part.name}.log").read_text("utf-8", errors="replace").strip().splitlines()[-30:]
            entry["error"] = "\n".join(tail) or f"ended with exit status {process.returncode}"
        elif entry["status"] == "running":
            entry["status"] = "ok"
        entry["took"] = round(time.monotonic() - began, 1)
        print("\n".join(lines({"parts": {part.name: entry}})), flush=True)
        self._write()

    def _process(self, part: Part, folder: Path, limit: float, *, ahead: bool = False) -> subprocess.Popen[bytes]:
        """Start the process of a part."""
        name = part.name + ("-ahead" if ahead else "")
        inside = folder / name
        inside.mkdir(exist_ok=True)
        words = [part.name, "--report", folder / f"{name}.json", "--folder", inside]
        words += ["--seconds", max(1.0, limit - (0 if part.name == "machine" else GRACE))]
        words += ["--dry"] if self.dry else []
        words += ["--small"] if ahead or self.dry else []
        if part.name == "cifar10" and self.cifar10:
            if self.unpacking is not None:
                self.unpacking.join(timeout=max(0.0, self.left()))
            words += ["--cifar10", self.cifar10]
        with open(folder / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "benchmarks.gpu", *map(str, words)],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"},
            )

    def _write(self) -> None:
        write(self.out, self.results)

    @contextlib.contextmanager
    def _images(self, folder: Path) -> Iterator[None]:
        """Unpack an archive of CIFAR-10 meanwhile."""
        if self.cifar10 and Path(self.cifar10).is_file():
            self.unpacking = threading.Thread(target=self._unpack, args=(folder / "images",), daemon=True)
            self.unpacking.start()
        yield

    def _unpack(self, folder: Path) -> None:
        with tarfile.open(self.cifar10) as tar:
            tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # from 3.11.4 on
        self.cifar10 = str(next(path.parent for path in folder.rglob("train")))


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes and what they have started."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
