"""`train`: one run from a config to a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_info

from jepa.config import Config
from jepa.errors import RunError
from jepa.runs.atomic import write_text
from jepa.runs.checkpoint import find_checkpoint
from jepa.runs.device import choose_device
from jepa.runs.folder import environment, open_folder
from jepa.training.log import RunLog
from jepa.training.loop import Trainer

__all__ = ["RunResult", "train"]


class RunResult(NamedTuple):
    """What a training gave."""

    folder: Path
    steps: int
    loss: float
    """mean training loss of the last logged steps"""
    seconds: float


def train(
    config: Config,
    *,
    out: str | Path | None = None,
    resume: bool | str | Path = False,
    overwrite: bool = False,
    stop_after: int | None = None,
) -> RunResult:
    """Train a JEPA and write its folder: config, environment, log, metrics, checkpoints.

    out: the folder, runs/NAME by default; a non-empty one is refused, unless `resume` (True, or a checkpoint's path)
    or `overwrite`. stop_after: save and stop after that step, as Ctrl-C would. A run that was stopped and resumed gives
    the same bits as one that was not.

    Raises JEPAError with one sentence for bad settings, images or folders; KeyboardInterrupt after a checkpoint was
    written, if Ctrl-C asked for it.
    """
    folder = Path(out) if out is not None else Path("runs") / config.name
    device = choose_device(config.device)
    start = find_checkpoint(folder if resume is True else Path(resume)) if resume else None
    threads = max((pool["num_threads"] for pool in threadpool_info()), default=1)
    open_folder(folder, config, environment(device, threads), resume=bool(resume), overwrite=overwrite)
    clock = time.monotonic()
    trainer = Trainer(config, folder, device)
    if start is not None:
        trainer.restore(start)
    log = RunLog(folder, step=trainer.step, steps=trainer.steps)
    try:
        if start is not None:
            log.say(f"resumed from {start.name} at step {trainer.step} of {trainer.steps}")
        else:
            log.say(
                f"{len(trainer.images)} images, {trainer.steps} steps of {config.train.batch_size} "
                f"on {device}, {threads} threads -> {folder}"
            )
            write_text(
                folder / "model.txt",
                trainer.method.model.context_encoder.summary(
                    (1, config.model.channels, *(config.model.image_size,) * 2)
                ),
            )
        trainer.run(log, stop_after)
        seconds = time.monotonic() - clock
        log.say(f"trained {trainer.steps} steps in {seconds:.0f} s")
        if trainer.images.skipped:
            log.say(trainer.images.describe_skipped())
    except KeyboardInterrupt:
        log.say(
            f"stopped at step {trainer.step} of {trainer.steps}, saved. "
            f"Go on with: python -m jepa train --resume {folder}"
        )
        raise
    except RunError as error:
        log.say(f"error: {error}")
        raise
    finally:
        log.close()
    return RunResult(folder, trainer.step, trainer.last["loss"], seconds)
