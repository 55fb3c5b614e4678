"""The tests that are marked `gpu`, but for the case table, which has a part of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from benchmarks.gpu.report import Report

__all__ = ["run"]

NEEDED = ("pytest", "hypothesis")


def run(report: Report, *, folder: Path, seconds: float, dry: bool, **_: Any) -> None:
    """Run them by pytest; report how many passed, and the others with their first lines."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return report.update(status="skipped", why=f"without {' and '.join(missing)}")
    which = ["tests/minitensor/test_backend.py"] if dry else ["tests", "-m", "gpu", "-k", "not on_the_gpu"]
    found = folder / "tests.xml"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={found}"]
    if importlib.util.find_spec("pytest_timeout") is None:
        words += ["-o", "timeout=0", "-W", "ignore::pytest.PytestConfigWarning"]
    process = subprocess.Popen([*words, *which])
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
    if process.returncode is None:
        process.kill()
        return report.update(status="out of time")
    suite = ElementTree.parse(found).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    wrong = {}
    for case in suite.iter("testcase"):
        for outcome in (*case.findall("failure"), *case.findall("error")):
            wrong[f"{case.get('classname')}.{case.get('name')}"] = (outcome.get("message") or "")[:300]
    if not counts["tests"]:
        raise RuntimeError("pytest ran no test")
    report.update(**counts, failed=wrong, status="wrong" if wrong else "ok")
