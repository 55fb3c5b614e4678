"""`python -m benchmarks folders`: the images that it makes, both sides on them, and a training that is watched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import folders
from jepa.sources import ImageFolder

pytestmark = pytest.mark.parity  # torch reads the same images

CASE = folders.Case(256, 4, (60, 40), "jpeg", 16, 8)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert folders.written(tmp_path / "images", CASE, 1) == 256
    return tmp_path / "images"


def test_our_side_reads_all_images_whoever_decodes(root: Path) -> None:
    source = ImageFolder(root, size=16)
    assert len(source) == 256 and len(source.classes) == 4 and source.read(range(256)).std() > 0.05
    for cache in (None, "0"):
        count, seconds = folders.ours(str(root), 16, 1, cache)
        assert count == 256 and seconds > 0


@pytest.mark.parametrize("draft", [False, True])
def test_their_side_reads_the_same(root: Path, draft: bool) -> None:
    count, seconds = folders.theirs(str(root), 16, 1, draft)
    assert count == 256 and seconds > 0


def test_a_training_is_watched(root: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs Linux")
    found = folders.trained(root, CASE, 1, 4)
    assert 0 < found["first"] and 50 < found["MB"] and 0 <= found["waiting"] <= 1 and found["per_second"] > 0


def test_the_memory_of_a_process_and_its_children_is_found() -> None:
    import os
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        numbers = list(folders.family(os.getpid()))
        assert numbers[0] == os.getpid() and child.pid in numbers
        assert folders.resident(os.getpid()) > 20 and np.isfinite(folders.resident(2**30))
    finally:
        child.communicate()
