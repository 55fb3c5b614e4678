"""`train`: one run from a config to a folder."""

from __future__ import annotations

import contextlib
import logging
import math
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import minitensor as mt
from jepa.config import Config, check
from jepa.errors import ConfigError, JEPAError, RunError
from jepa.files.atomic import write_text
from jepa.runs.checkpoint import drop_after, find_checkpoint, tidy
from jepa.runs.device import choose_device
from jepa.runs.folder import alone, check_new, check_own, check_same, environment, find_run, write_settings
from jepa.runs.owned import clear
from jepa.runs.pipeline import check_evaluation
from jepa.training.log import RunLog, logged
from jepa.training.loop import Trainer
from jepa.training.resume import Earlier, limits

__all__ = ["RunResult", "train"]

UNTRAINED = 0.1  # share of its first weights that a target encoder may keep to its end before it is warned of


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
    accept_changes: bool = False,
) -> RunResult:
    """Train a JEPA and write its folder: config, environment, log, metrics, checkpoints.

    out: the folder, runs/NAME by default, or the one of the run that is resumed; a non-empty one is refused, unless
    `resume` (True, or the path of a run or of one of its checkpoints) or `overwrite`. stop_after: save and stop after
    that step, as Ctrl-C would. A run that was stopped and resumed gives the same bits as one that was not; what had
    come after the checkpoint that it goes on from is deleted. Images that have moved are named with `data.root`; other
    images than the run's are refused, or gone on over with the run's schedule if `accept_changes`.

    The folder is written to, or cleared, when everything else that can go wrong at the start has gone well.

    Raises JEPAError with one sentence for bad settings, images or folders; KeyboardInterrupt after a checkpoint was
    written, if Ctrl-C asked for it.
    """
    if not isinstance(config, Config):
        kind = type(config).__name__
        raise ConfigError(f"train needs a Config, but got a {kind}: jepa.load_config(overrides=[...]) makes one")
    check(config)
    folder = Path(out) if out is not None else Path("runs") / config.name
    checkpoint = None
    if resume:
        if overwrite:
            raise RunError("a run cannot be both resumed and overwritten: leave --resume or --overwrite away")
        named = folder if resume is True else Path(resume)
        folder, checkpoint = find_run(named, Path(out) if out is not None else None)
    else:
        check_new(folder, overwrite=overwrite)
        check_evaluation(config)
    with contextlib.ExitStack() as held:
        if folder.exists():
            held.enter_context(alone(folder))
        clock = time.monotonic()
        start, earlier = None, None
        if resume:
            check_own(folder)
            earlier = Earlier(folder, accept=accept_changes)
            check_same(folder, config, moved=earlier.knows_images or accept_changes)
            earlier.check_root(config)
            start = checkpoint or find_checkpoint(folder)
        mt.keep_freed_memory()
        trainer = Trainer(config, folder, choose_device(config.device), earlier, start)
        if start is not None:
            trainer.restore(start)
            if trainer.step >= trainer.steps:
                return _nothing_left(trainer, start)
        trainer.rehearse()
        if start is not None:
            drop_after(folder, trainer.step, config.train.keep)  # before the metrics are cut, see `Trainer.save`
            said = list(earlier.warnings(mt.get_num_threads())) if earlier is not None else []
            return _run(trainer, start, stop_after, clock, said)
        if not folder.exists():
            held.enter_context(alone(folder))
        check_new(folder, overwrite=overwrite)  # once more: it took a while to come here
        return _run(trainer, start, stop_after, clock, clear(folder))


def _nothing_left(trainer: Trainer, start: Path) -> RunResult:
    """Say that a run has come to its last step before; refuse settings that end earlier."""
    step, steps = trainer.step, trainer.steps
    limit = limits(trainer.config.train, trainer.per_epoch, steps)
    if step > steps:
        raise RunError(f"{start} is at step {step}, but these settings end at step {steps}: raise {limit}")
    tidy(trainer.folder, trainer.config.train.keep)
    text = f"already trained to step {step} of {steps}: a larger {limit} goes on"
    logging.getLogger("jepa").warning(text)
    losses = [entry["loss"] for entry in logged(trainer.folder, step) if "loss" in entry]
    return RunResult(trainer.folder, step, losses[-1] if losses else math.nan, 0.0)


def _run(
    trainer: Trainer, start: Path | None, stop_after: int | None, clock: float, said: Sequence[str] = ()
) -> RunResult:
    """Write the folder and train."""
    folder, config, device = trainer.folder, trainer.config, trainer.device
    threads = mt.get_num_threads()
    trained = {"images": trainer.fingerprint, "epochs": trainer.epochs.pieces, "steps": trainer.steps}
    write_settings(folder, config, environment(device, threads) | trained)
    log = RunLog(folder, step=trainer.step, steps=trainer.steps)
    try:
        if start is not None:
            log.say(f"resumed from {start.name} at step {trainer.step} of {trainer.steps}")
        else:
            log.say(
                f"{len(trainer.images)} images, {trainer.steps} steps of "
                f"{config.train.accumulate * trainer.loader.batch_size} on {device}, {threads} threads -> {folder}"
            )
            size = config.model.image_size
            encoder = trainer.method.model.context_encoder
            write_text(folder / "model.txt", encoder.summary((1, config.model.channels, size, size)))
        for text in (*said, *_warnings(trainer)):
            log.say(f"warning: {text}")
        trainer.run(log, stop_after)
        seconds = time.monotonic() - clock
        log.say(f"trained {trainer.steps} steps in {seconds:.0f} s")
    except KeyboardInterrupt:
        log.say(f"stopped at step {trainer.step} of {trainer.steps}, {_how_to_go_on(trainer)}")
        raise
    except JEPAError as error:  # whoever called prints it
        log.record(f"error: {error}")
        raise
    finally:
        log.close()
    return RunResult(folder, trainer.step, trainer.last["loss"], seconds)


def _how_to_go_on(trainer: Trainer) -> str:
    if trainer.saved is None:
        return "before its first checkpoint: nothing is saved, the same command starts again"
    saved = "saved" if trainer.saved == trainer.step else f"saved at step {trainer.saved}"
    return f"{saved}. Go on with: python -m jepa train --resume {shlex.quote(str(trainer.folder))}"


def _warnings(trainer: Trainer) -> Iterator[str]:
    """Yield a sentence for each thing about the images and the length of the training that is likely not meant."""
    precision = trainer.config.train.precision
    if precision != "float32" and trainer.device == "cpu":
        yield f"train.precision={precision}: on the CPU half precision is only storage, so this run computes in float32"
    t, model, steps = trainer.config.train, trainer.config.model, trainer.steps
    yield from trainer.images.remarks
    for part, images in (("training", trainer.images), ("held-out", trainer.held_out)):
        if images.skipped:
            yield f"{part} images: {images.describe_skipped()}"
    if (size := trainer.loader.batch_size) < t.batch_size:
        times = f" x train.accumulate={t.accumulate}" if t.accumulate > 1 else ""
        yield (
            f"{len(trainer.images)} training images are fewer than train.batch_size={t.batch_size}{times}: "
            f"training in batches of {size}"
        )
    limit = limits(t, trainer.per_epoch, steps)
    if steps <= trainer.config.optim.warmup_steps:
        yield (
            f"all {steps} steps lie in the warm-up, optim.warmup_steps={trainer.config.optim.warmup_steps}: "
            f"raise {limit}, or set optim.warmup_steps={steps // 10}"
        )
    if model.target == "ema" and (kept := _kept(trainer)) > UNTRAINED:
        momentum = math.floor(100 * UNTRAINED ** (1 / steps)) / 100
        yield (
            f"after {steps} steps the target encoder is still {100 * kept:.0f} % its untrained self: raise "
            f"{limit}, or set model.ema_start={momentum:g} model.ema_end={momentum:g}"
        )


def _kept(trainer: Trainer) -> float:
    """Return the share of its first weights that the target encoder has at the end: the product of the momenta."""
    most = 10_000  # steps that are looked at, for those that nobody will live to see
    looked_at = range(trainer.steps) if trainer.steps <= most else range(0, trainer.steps, trainer.steps // most)
    kept = 1.0
    for step in looked_at:
        kept *= trainer.method.momentum(step) ** (trainer.steps / len(looked_at))
        if kept <= UNTRAINED:
            break
    return kept
