"""Mutated image files: inspected, and trained on."""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.command import TINY, run, tree, until
from tests.fuzz.mutate import mutated

SAVED = [
    ("png", {}),
    ("png", {"optimize": True}),
    ("jpeg", {"quality": 80}),
    ("jpeg", {"quality": 90, "progressive": True}),
    ("bmp", {}),
    ("gif", {}),
    ("tiff", {"compression": "tiff_lzw"}),
    ("webp", {}),
]


def campaign(seed: int, seconds: float) -> list[str]:
    """Put a mutated file among good ones, again and again; return how the rule was broken."""
    draw, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "images")
        for name in "ab":
            (folder / name).mkdir(parents=True)
            for i in range(8):
                (folder / name / f"{i}.png").write_bytes(picture(draw, "png", {}))
        for count in until(seconds):
            kind, settings = draw.choice(SAVED)
            odd = folder / "a" / f"odd.{kind}"
            odd.write_bytes(mutated(picture(draw, kind, settings), draw))
            before = tree(folder)
            words = ["data", "inspect", "images"]
            if count % 4 == 3:
                words = ["train", "source=images", "train.max_steps=1", "--out", f"runs/{count}", *TINY]
            broken = run(words, Path(place)).broken()
            if broken is None and tree(folder) != before:
                broken = f"images were changed by {words}"
            if broken is not None:
                failures.append(f"{broken}\n    the file: {odd.read_bytes()[:4000].hex()}")
            odd.unlink()
    return failures


def picture(draw: random.Random, kind: str, settings: dict[str, object]) -> bytes:
    """Return a small picture of noise in one of Pillow's modes."""
    mode = draw.choice(("L", "RGB", "RGBA", "P") if kind in ("png", "tiff") else ("L", "RGB"))
    pixels = np.random.default_rng(draw.getrandbits(32)).integers(0, 256, (draw.randint(1, 40), 20, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind, **settings)
    return stream.getvalue()
