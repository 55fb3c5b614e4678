"""A long training with the garbage collector off: what it no longer needs must go at once."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from jepa.sources import shapes
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config

STEPS = 10_000
ALLOWED = 4 << 20  # bytes: lines of metrics and the like; what a checkpoint leaves is 20 times as much


def campaign(seed: int, seconds: float) -> list[str]:
    """Train for 10,000 steps, or as many as there is time for; return by how much the memory has grown, if it has."""
    sizes: list[tuple[int, int]] = []
    end, step = time.monotonic() + seconds, Trainer._train_step

    def watched(self: Trainer, batches: Any) -> dict[str, Any]:
        if self.step % 50 == 0:
            sizes.append((self.step, resident()))
        self.stopping = time.monotonic() > end and len(sizes) > 4
        return step(self, batches)

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shapes.write(place / "images", count=60, size=16, seed=0)
        settings = (f"train.max_steps={STEPS}", f"train.epochs={STEPS}", "train.keep=0", f"seed={seed}")
        gc.collect()
        gc.disable()
        logging.disable(logging.CRITICAL)
        Trainer._train_step = watched  # type: ignore[method-assign]
        try:
            train(config(place / "images", *settings), out=place / "run")
        except KeyboardInterrupt:
            pass
        finally:
            Trainer._train_step = step  # type: ignore[method-assign]
            logging.disable(logging.NOTSET)
            gc.enable()
    first, last = sizes[len(sizes) // 4], sizes[-1]
    grown = last[1] - first[1]
    return (
        [f"{grown >> 20} MB more from step {first[0]} to {last[0]}, with the collector off"] if grown > ALLOWED else []
    )


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
