"""What tests of image folders share."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jepa.sources.folder import ImageFolder
from jepa.sources.images.decode import WHITE, Loaded, load, luma
from jepa.sources.images.reading import as_float


def opened(root: str | Path, split: str | None = None, **settings: object) -> ImageFolder:
    """A folder, or a part of it, that is read."""
    source = ImageFolder(root, **settings)
    source = source if split is None else source.split(split)
    assert len(source) > 0
    return source


def pixels(source: ImageFolder) -> np.ndarray:
    """Every image of a source."""
    return source.read(range(len(source)))


def grown(prepared: str, work: str) -> float:
    """By how many MB a process of its own grows at most while it does some work, lines of Python, behind others."""
    program = f"""
import re
{prepared}
def status(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
before = status("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
{work}
print(status("VmHWM") - before)
"""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux")
    words = [sys.executable, "-c", program]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def decode(path: str | Path, *, channels: int = 3, ground: tuple[float, ...] = WHITE) -> np.ndarray:
    """An image as large as it is: float32 (channels, H, W) in [0, 1]."""

    def whole(loaded: Loaded) -> np.ndarray:
        x = loaded.upright(np.concatenate([as_float(loaded.colors(strip, ground)) for strip in loaded.strips()]))
        x = luma(x) if channels == 1 and x.shape[2] == 3 else x
        return np.array(np.broadcast_to(x.transpose(2, 0, 1), (channels, *x.shape[:2])), dtype=np.float32, order="C")

    return load(path, whole)
