"""A few seconds of every campaign, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import PARTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("part", PARTS)
def test_the_rule_is_kept(part):
    words = [sys.executable, "-m", "tests.fuzz", "--seconds", "4", "--seed", "1", "--only", part]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("code", "errors", "seconds", "what"),
    [
        (0, "", 1, None),
        (2, "12:00:00 loss\njepa: error: there is no file x\n", 1, None),
        (2, "there is no file x\n", 1, "no sentence"),
        (1, "Traceback (most recent call last):\n", 1, "a traceback"),
        (-11, "", 1, "signal 11"),
        (3, "", 1, "exit status 3"),
        (0, "", 9, None),
        (2, "jepa: error: there is no file x\n", 9, "9.0 s"),
        (2, "jepa: error: there is not enough memory\n", 1, "more than 1024 MB"),
    ],
)
def test_the_rule_is_told_from_its_breaking(code, errors, seconds, what):
    from tests.fuzz.command import Outcome

    broken = Outcome(["x"], code, errors, seconds).broken()
    assert broken is None if what is None else what in str(broken)
