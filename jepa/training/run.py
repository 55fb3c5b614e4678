"""`train`: one run from a config to a folder. `begun` is what `fit` shares with it."""

import contextlib
import logging
import math
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import minitensor as mt
from jepa.assembly import Assembly, assemble
from jepa.config import Config, value_of
from jepa.config.keys import keys
from jepa.errors import ConfigError, DataError, JEPAError, RunError
from jepa.files.atomic import write_text
from jepa.parts import ROLES
from jepa.runs.checkpoint import drop_after, find_checkpoint, tidy
from jepa.runs.folder import alone, check_new, check_own, check_same, environment, find_run, write_settings
from jepa.runs.owned import clear
from jepa.runs.run import Run, choose_device, located
from jepa.sources.base import Source
from jepa.training.epochs import Earlier, limits
from jepa.training.log import RunLog, logged
from jepa.training.loggers import Logger, tracked
from jepa.training.loop import Trainer
from jepa.training.team import in_turn, wait

UNTRAINED = 0.1  # share of its first weights that a target may keep to its end before it is warned of


class RunResult(NamedTuple):
    """What a training gave."""

    folder: Path | None
    """None where nothing was written"""
    steps: int
    loss: float
    """mean training loss of the last logged steps"""
    seconds: float


class Way(NamedTuple):
    """How a training is begun."""

    resume: bool | str | Path = False
    """go on: True, or the path of a run or of one of its checkpoints"""
    overwrite: bool = False
    """replace the run that is in the folder"""
    stop_after: int | None = None
    """save and stop after that step, as Ctrl-C would"""
    accept_changes: bool = False
    """go on over other examples than the run's, with its schedule"""
    loggers: Sequence[Logger] = ()
    """who is told of the training, beside those of `train.track`"""


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
    come after the checkpoint that it goes on from is deleted. Examples that have moved are named with `source.root`;
    other ones than the run's are refused, or gone on over with the run's schedule if `accept_changes`.

    The folder is written to, or cleared, when everything else that can go wrong at the start has gone well.

    Raises JEPAError with one sentence for bad settings, examples or folders; KeyboardInterrupt after a checkpoint was
    written, if Ctrl-C asked for it.
    """
    if not isinstance(config, Config):
        kind = type(config).__name__
        raise ConfigError(f"train needs a Config, but got a {kind}: jepa.load_config(overrides=[...]) makes one")
    return begun(config, out, Way(resume, overwrite, stop_after, accept_changes))


def begun(config: Config, out: str | Path | None, way: Way, parts: Assembly | None = None) -> RunResult:
    """Train in a folder. parts: what the config describes, where they are made already."""
    team = mt.teams.join()
    return _followed(config, way, parts, team) if team and team.rank else _first(config, out, way, parts, team)


def _first(config: Config, out: str | Path | None, way: Way, parts: Assembly | None, team: Any) -> RunResult:
    """Train as the only process, or as the first of several, which alone writes."""
    folder = Path(out) if out is not None else Path("runs") / config.name
    way = way._replace(loggers=[*way.loggers, *tracked(config.train.track)])
    start = None
    if way.resume:
        if way.overwrite:
            raise RunError("a run cannot be both resumed and overwritten: leave --resume or --overwrite away")
        named = folder if way.resume is True else Path(way.resume)
        folder, start = find_run(named, Path(out) if out is not None else None)
    else:
        check_new(folder, overwrite=way.overwrite)
    with contextlib.ExitStack() as held:
        if folder.exists():
            held.enter_context(alone(folder))
        clock = time.monotonic()
        earlier = None
        if way.resume:
            check_own(folder)
            start = start or find_checkpoint(folder)
            earlier = Earlier(folder, start, accept=way.accept_changes)
            own = [role for role, choice in config.choices.items() if parts and choice.kind not in ROLES[role]]
            check_same(folder, config, moved=earlier.knows_examples or way.accept_changes, given=own)
        _tell(team, (folder, start, earlier))
        trainer = prepared(config, folder, parts, earlier, team)
        if start is not None and earlier is not None:
            trainer.restore(start)
            if trainer.step >= trainer.steps:
                return _nothing_left(trainer, start)
            trainer.rehearse()
            drop_after(folder, trainer.step, config.train.keep)  # before the metrics are cut, see `Trainer.save`
            return _run(trainer, start, way, clock, [*_changed(trainer, earlier)])
        trainer.rehearse()
        if not folder.exists():
            held.enter_context(alone(folder))
        check_new(folder, overwrite=way.overwrite)  # once more: it took a while to come here
        said = clear(folder)
        source = trainer.parts.source  # examples that are in memory alone are written to the folder
        source = located(source.stored(folder) if isinstance(source, Source) else source)
        trainer.config = replace(trainer.config, source=source)
        return _run(trainer, None, way, clock, said)


def _tell(team: Any, what: Any = None) -> Any:
    """Return what the first process says, when all others have read what they need of the folder."""
    if team is None:
        return what
    team.wait()
    return team.broadcast(what)


def _followed(config: Config, way: Way, parts: Assembly | None, team: Any) -> RunResult:
    """Train with the first process, and write and show nothing."""
    logging.getLogger("jepa").setLevel(logging.ERROR)
    folder, start, earlier = _tell(team)
    clock, trainer = time.monotonic(), prepared(config, None, parts, earlier, team)
    if start is not None:
        trainer.restore(start)
        if trainer.step >= trainer.steps:
            return RunResult(folder, trainer.step, math.nan, 0.0)
    trainer.rehearse()
    log = RunLog(None, step=trainer.step, steps=trainer.steps, quiet=True)
    try:
        trainer.run(log, way.stop_after)
    finally:
        log.close()
    wait(team)
    return RunResult(folder, trainer.step, trainer.last["loss"], time.monotonic() - clock)


def _changed(trainer: Trainer, earlier: Earlier) -> Iterator[str]:
    return earlier.warnings(mt.get_num_threads(), 1 if trainer.team is None else trainer.team.size)


def prepared(
    config: Config,
    folder: Path | None,
    parts: Assembly | None,
    earlier: Earlier | None = None,
    team: Any = None,
) -> Trainer:
    """Return the trainer of a config, when all that can be looked at before the first step has been."""
    team, device = mt.teams.placed(team, choose_device(config.device))
    mt.keep_freed_memory()
    with in_turn(team):
        if parts is None:
            parts = assemble(config.choices, config.seed)
            config = replace(config, source=located(parts.source))
        if team is not None and not (isinstance(parts.source, Source) and parts.source.missing):
            parts.source.split("train")
    own = Run(folder, config, parts, device)
    if earlier is not None:
        own.check_source(f", python -m jepa train --resume {shlex.quote(str(folder))}")
    if (init := config.train.init) is not None:
        config = replace(config, train=replace(config.train, init=str(Path(init).absolute())))
    if (data := config.evaluation.data) is not None:
        config = replace(config, evaluation=replace(config.evaluation, data=str(Path(data).absolute())))
        if earlier is None:
            try:
                len(own.source(data=data))
            except (DataError, ConfigError) as error:
                raise type(error)(f"evaluation.data: {error}") from error
    return Trainer(config, folder, device, parts, earlier, team)


def settings_told(config: Config) -> dict[str, Any]:
    """Return every setting by its full key, for loggers."""
    return {key: value_of(config, key) for key in keys(config)}


def _nothing_left(trainer: Trainer, start: Path) -> RunResult:
    """Say that a run has come to its last step before; refuse settings that end earlier."""
    step, steps, folder = trainer.step, trainer.steps, start.parent.parent
    limit = limits(trainer.config.train, trainer.per_epoch, steps)
    if step > steps:
        raise RunError(f"{start} is at step {step}, but these settings end at step {steps}: raise {limit}")
    tidy(folder, trainer.config.train.keep)
    text = f"already trained to step {step} of {steps}: a larger {limit} goes on"
    logging.getLogger("jepa").warning(text)
    losses = [entry["loss"] for entry in logged(folder, step) if "loss" in entry]
    return RunResult(folder, step, losses[-1] if losses else math.nan, 0.0)


def _run(trainer: Trainer, start: Path | None, way: Way, clock: float, said: Sequence[str] = ()) -> RunResult:
    """Write the folder and train."""
    folder, config, device = trainer.folder, trainer.config, trainer.device
    assert folder is not None, "a folder is written to"
    threads = mt.get_num_threads()
    processes = 1 if trainer.team is None else trainer.team.size
    trained = {"examples": trainer.fingerprint, "epochs": trainer.epochs.pieces, "steps": trainer.steps}
    write_settings(folder, config, environment(device, threads) | {"processes": processes} | trained)
    log = RunLog(folder, step=trainer.step, steps=trainer.steps)
    try:
        if start is not None:
            log.say(f"resumed from {start.name} at step {trainer.step} of {trainer.steps}")
        else:
            log.say(
                f"{len(trainer.train)} examples, {trainer.steps} steps of "
                f"{config.train.accumulate * trainer.batch_size} on {device}, {threads} threads"
                f"{f' in each of {processes} processes' * (processes > 1)} -> {folder}"
            )
            shape = trainer.parts.source.shape
            shapes = shape.values() if isinstance(shape, dict) else [shape]
            write_text(folder / "model.txt", trainer.model.context.summary(*((1, *s) for s in shapes)))
        kept = trainer.train.kept if isinstance(trainer.train, Source) else ""
        for text in filter(None, (trainer.taken, kept)):
            log.say(text)
        for text in (*said, *_warnings(trainer)):
            log.say(f"warning: {text}")
        log.tell(way.loggers, settings_told(config), trainer.step)
        trainer.run(log, way.stop_after)
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
    wait(trainer.team)
    return RunResult(folder, trainer.step, trainer.last["loss"], seconds)


def _how_to_go_on(trainer: Trainer) -> str:
    if trainer.saved is None:
        return "before its first checkpoint: nothing is saved, the same command starts again"
    saved = "saved" if trainer.saved == trainer.step else f"saved at step {trainer.saved}"
    return f"{saved}. Go on with: python -m jepa train --resume {shlex.quote(str(trainer.folder))}"


def _warnings(trainer: Trainer) -> Iterator[str]:
    """Yield a sentence for each thing about the examples and the length of the training that is likely not meant."""
    t, steps, schedule = trainer.config.train, trainer.steps, trainer.schedule
    if t.precision != "float32" and trainer.device == "cpu":
        yield f"train.precision={t.precision}: on the CPU half precision is only storage: this run computes in float32"
    if isinstance(trainer.train, Source):
        yield from trainer.train.remarks
        for part, examples in (("training", trainer.train), ("held-out", trainer.held_out)):
            if examples.skipped:
                yield f"{part} examples: {examples.skipped}"
    if (size := trainer.batch_size) < t.batch_size:
        times = f" x train.accumulate={t.accumulate}" if t.accumulate > 1 else ""
        yield (
            f"{len(trainer.train)} training examples are fewer than train.batch_size={t.batch_size}{times}: training "
            f"in batches of {size}"
        )
    limit = limits(t, trainer.per_epoch, steps)
    if steps <= schedule.warmup_steps:
        yield (
            f"all {steps} steps lie in the warm-up, optimizer.warmup_steps={schedule.warmup_steps}: raise {limit}, or "
            f"set optimizer.warmup_steps={steps // 10}"
        )
    if (kept := trainer.model.target.kept(steps, trainer.horizon)) > UNTRAINED:
        momentum = math.floor(100 * UNTRAINED ** (1 / steps)) / 100
        yield (
            f"after {steps} steps the target encoder is still {100 * kept:.0f} % its untrained self: raise {limit}, or "
            f"set target.start={momentum:g} target.end={momentum:g}"
        )
