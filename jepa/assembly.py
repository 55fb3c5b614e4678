"""From choices to parts that fit: what cannot work together is refused here, by a sentence that names the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import minitensor as mt
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.parts import Choice, chosen, made

__all__ = ["Assembly", "assemble", "check_fit", "described"]


class Assembly(NamedTuple):
    """The parts of a run."""

    source: Any
    task: Any
    model: JEPA


def assemble(choices: Mapping[str, Choice], seed: int, source: Any = None) -> Assembly:
    """Return the parts that the choices of each role name, with fresh weights from `seed`.

    source: what to learn from, if it is not to be made from its choice. Raises ConfigError for parts that cannot work
    together.
    """
    source = made(choices["source"], "source") if source is None else source
    task = made(choices["task"], "task", made(choices["augment"], "augment"))
    mt.manual_seed(seed)
    encoder = made(choices["encoder"], "encoder", source.shape)
    projector = made(choices["projector"], "projector", encoder.dim)
    predictor = made(choices["predictor"], "predictor", projector.dim, encoder.grid)
    target, objective = made(choices["target"], "target"), made(choices["objective"], "objective")
    model = JEPA(encoder, predictor, objective=objective, target=target, projector=projector)
    check_fit(model, task, source)
    return Assembly(source, task, model)


def check_fit(model: JEPA, task: Any, source: Any) -> None:
    """Raise ConfigError, naming two parts and what to change, if a task cannot be put to a model or a source."""
    predictor = model.predictor
    task.check(source.shape, model.context.encoder.grid)
    if not issubclass(task.asks, predictor.answers):
        kinds = {role: chosen(role, part).kind for role, part in (("task", task), ("predictor", predictor))}
        raise ConfigError(
            f"task={kinds['task']} asks for {task.asks.__name__}, which predictor={kinds['predictor']} does not answer "
            f"(it answers {', '.join(kind.__name__ for kind in predictor.answers)}): take another predictor, see "
            "`python -m jepa config --kinds`"
        )
    predictor.check(task)


def described(source: Any, task: Any, model: JEPA) -> dict[str, Choice]:
    """Return the choices that would make these parts again, by role."""
    parts = {
        "source": source,
        "augment": task.augment,
        "task": task,
        "encoder": model.context.encoder,
        "projector": model.context.projector,
        "predictor": model.predictor,
        "target": model.target,
        "objective": model.objective,
    }
    return {role: chosen(role, part) for role, part in parts.items()}
