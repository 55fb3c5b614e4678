"""Recipes: sections of a page with a diff, which is applied to a copy of the package, and lines that run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Recipe(NamedTuple):
    """A section of a page."""

    name: str
    diff: str
    code: str
    """what it says to run: Python, or commands"""

    @property
    def files(self) -> list[str]:
        return re.findall(r"^\+\+\+ b/(.*)$", self.diff, re.MULTILINE)

    def apply(self, package: str, folder: Path) -> None:
        """Copy a package to a folder, and change it."""
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        git: Any = shutil.which("git") or pytest.skip("git applies the recipes")
        done = subprocess.run([git, "apply", "-"], cwd=folder, input=self.diff, text=True, capture_output=True)
        assert done.returncode == 0, f"{self.name}: {done.stderr}"


def recipes(page: Path, kind: str) -> list[Recipe]:
    """Return the recipes of a page, whose code stands in blocks of a kind."""
    found = []
    for section in page.read_text("utf-8").split("\n### ")[1:]:
        blocks = {kind: re.findall(rf"^```{kind}\n(.*?)^```$", section, re.M | re.S) for kind in ("diff", kind)}
        (diff,), (code,) = blocks["diff"], blocks[kind]
        found.append(Recipe(section.partition("\n")[0], diff, code))
    return found


def run(folder: Path, *words: str) -> str:
    """Run Python in a folder, whose packages go before ours; return what it printed."""
    env = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, text=True, capture_output=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
