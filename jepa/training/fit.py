"""`fit`: what `train` does, of parts that are made in Python."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import minitensor as mt
from jepa import contracts
from jepa.assembly import Assembly, check_fit, described
from jepa.config import Config, TrainSettings
from jepa.config.settings import SettingError
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.parts import Choice, chosen
from jepa.runs.folder import find_run, read_config
from jepa.sources.base import Source
from jepa.text import did_you_mean
from jepa.training.log import RunLog
from jepa.training.loggers import Logger, tracked
from jepa.training.optimizer import AdamW, Optimizer
from jepa.training.run import RunResult, Way, begun, prepared, settings_told

RUN = ("seed", "device", "evaluation")
WAY = Way._fields
WARM = {"optimizer", "warmup_steps"}
"""what says how long the warm-up is"""


def fit(
    model: JEPA,
    source: contracts.Source,
    task: contracts.Task,
    out: str | Path | None = "runs/mine",
    epochs: int = 10,
    **settings: Any,
) -> RunResult:
    """Train a model, in place, on a source by a task: the same loop, log and folder as `python -m jepa train`.

    out: the folder of the run; None: nothing is written. settings: those of `TrainSettings` (batch_size, max_steps,
    ...) and of the optimizer (lr, warmup_steps, ...); `optimizer`, an optimizer of `jepa.training.optimizer`, AdamW by
    default; seed, device, and `evaluation`, an `EvaluationSettings`; resume, overwrite, stop_after and accept_changes,
    as `jepa.train` has them; loggers, who is told the figures too (`jepa.training.loggers.Logger`); quiet: show
    nothing, where nothing is written. Without a `warmup_steps` it takes a tenth of the steps, at most 100.

    The run's config.yaml describes the parts, so that `jepa.load_run`, `jepa.evaluate` and the command line open it.
    Examples that are in memory alone are written to the folder, too. A class of one's own is written down by its module
    and name, and has to be importable then; one without `Settings` cannot be made again, and is given to
    `load_run(folder, model=model)`.

    Raises JEPAError with one sentence for settings that do not exist and for parts that do not fit.

    >>> import jepa, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(64, 2, 16)).astype(np.float32)
    >>> encoder = jepa.encoders.MLP((2, 16), width=32)
    >>> model = jepa.JEPA(encoder, jepa.predictors.MLP(encoder.dim, encoder.grid), objective=jepa.objectives.VICReg())
    >>> jepa.fit(model, jepa.sources.Arrays(x), jepa.tasks.Views(), out=None, epochs=2, batch_size=16, quiet=True).steps
    6
    """
    config, way, quiet = _configured(model, source, task, {"epochs": epochs, **settings})
    parts = Assembly(source, task, model)
    check_fit(model, task, source)
    mt.manual_seed(config.seed)
    if out is None:
        if way._replace(loggers=()) != Way():
            raise ConfigError("a training with out=None writes nothing: it cannot be resumed, overwritten or stopped")
        return unwritten(config, parts, quiet=quiet, loggers=[*way.loggers, *tracked(config.train.track)])
    with contextlib.suppress(SettingError):  # a folder may have a name that no run has
        config = replace(config, name=Path(out).absolute().name)
    if way.resume:
        run, _ = find_run(Path(out) if way.resume is True else Path(way.resume))
        listed = isinstance(source, Source)  # then the run has written down where its examples are
        earlier = read_config(run, without=described(model, task, None if listed else source))
        if listed:  # whether they are the run's own is asked of the examples, not of where they lie
            config = replace(config, source=earlier.source)
        if not WARM & settings.keys():
            config = _warmed(config, earlier.optimizer.settings.warmup_steps)
    return begun(config, out, way, parts)


def unwritten(config: Config, parts: Assembly, *, quiet: bool, loggers: Sequence[Logger] = ()) -> RunResult:
    """Train the parts that a config describes, and write nothing."""
    clock = time.monotonic()
    team = mt.teams.join()
    first = team is None or team.rank == 0
    trainer = prepared(config, None, parts, team=team)
    trainer.rehearse()
    log = RunLog(None, step=0, steps=trainer.steps, quiet=quiet or not first)
    try:
        log.tell(loggers if first else (), settings_told(config), 0)
        trainer.run(log)
    finally:
        log.close()
    return RunResult(None, trainer.step, trainer.last["loss"], time.monotonic() - clock)


def _configured(
    model: JEPA, source: contracts.Source, task: contracts.Task, given: Mapping[str, Any]
) -> tuple[Config, Way, bool]:
    """Return the configuration that the parts and settings make, how to begin, and whether to be quiet."""
    optimizer = given.get("optimizer", AdamW())
    if not isinstance(optimizer, Optimizer):
        raise ConfigError(f"optimizer={optimizer!r}: give an optimizer, such as jepa.training.optimizer.AdamW(lr=1e-3)")
    rates, times = ([f.name for f in fields(kind)] for kind in (type(optimizer), TrainSettings))
    known = [*times, *rates, "optimizer", *RUN, *WAY, "quiet"]
    for name in given:
        if name not in known:
            raise ConfigError(
                f"fit has no setting {name!r}.{did_you_mean(name, known) or ' It has ' + ', '.join(known)}"
            )
    t = TrainSettings(**{name: given[name] for name in times if name in given})
    optimizer = replace(optimizer, **{name: given[name] for name in rates if name in given})
    own: dict[str, Any] = {name: given[name] for name in RUN if name in given}
    own |= described(model, task, source)
    config = Config(**own, optimizer=chosen("optimizer", optimizer), train=t)
    way = Way(**{name: given[name] for name in WAY if name in given})
    if not WARM & given.keys():
        config = _warmed(config, min(optimizer.warmup_steps, _steps(t, source) // 10))
    return config, way, bool(given.get("quiet", False))


def _warmed(config: Config, steps: int) -> Config:
    """Return the configuration with another length of the warm-up."""
    kind, optimizer = config.optimizer
    return replace(config, optimizer=Choice(kind, replace(optimizer, warmup_steps=steps)))


def _steps(t: TrainSettings, source: contracts.Source) -> int:
    count = t.epochs * max(1, len(source.split("train")) // (t.batch_size * t.accumulate))
    return count if t.max_steps is None else min(count, t.max_steps)
