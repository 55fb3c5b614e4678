"""From choices to parts that fit: what cannot work together is refused here, by a sentence that names the two."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import minitensor as mt
from jepa.contracts import DynamicsModel, Source, Task
from jepa.encoders.base import Encoder
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.parts import ROLES, Choice, chosen, load, made
from jepa.sources.base import Source as Examples
from jepa.tasks.batches import Batches
from jepa.text import by_x

LEARNER = ("encoder", "projector", "predictor", "target", "objective")
"""the roles whose parts make the learner"""


class Assembly(NamedTuple):
    """The parts of a run."""

    source: Any
    task: Any
    model: JEPA

    def batches(self, examples: Source, t: Any, *, seed: int, drop_last: bool = True, team: Any = None) -> Batches:
        """Return batches of a part of the source, of the size and with the threads of `config.train`.

        team: processes of which each makes its part of every batch.
        """
        return Batches(
            examples,
            self.task,
            self.model.context.encoder.grid,
            batch_size=t.batch_size,
            seed=seed,
            drop_last=drop_last,
            team=team,
            prefetch=t.prefetch,
            threads=t.threads,
        )

    def held_out(self, config: Any, examples: Source, limit: int | None = None) -> dict[str, Any]:
        """Return the held-out losses (`JEPA.held_out`) of at most so many examples, always asked the same questions."""
        batches = self.batches(examples, config.train, seed=config.seed + 1, drop_last=False).batches(0, progress=1.0)
        count = min(limit or len(examples), len(examples))
        numbers = range(-(-count // config.train.batch_size))
        return self.model.held_out(b for b, _ in zip(batches, numbers, strict=False) if b.size > 1)


def assemble(choices: Mapping[str, Choice], seed: int, source: Any = None) -> Assembly:
    """Return the parts that the choices of each role name, with fresh weights from `seed`.

    source: what to learn from, if it is not to be made from its choice. Raises ConfigError for parts that cannot work
    together.
    """
    source = made(choices["source"], "source") if source is None else source
    task = task_of(choices)
    _check_one(source, task)
    model = learner(choices, seed, source.shape)
    check_fit(model, task, source)
    return Assembly(source, task, model)


def task_of(choices: Mapping[str, Choice]) -> Any:
    """Return the task that the choices name."""
    return made(choices["task"], "task", made(choices["augment"], "augment"))


def learner(choices: Mapping[str, Choice], seed: int | None, shape: Any) -> JEPA:
    """Return the model that the choices name for examples of a shape, with fresh weights from `seed` (None: any)."""
    if seed is not None:
        mt.manual_seed(seed)
    _check_several(choices["encoder"].kind, load("encoder", choices["encoder"].kind), shape)
    encoder = made(choices["encoder"], "encoder", shape)
    projector = made(choices["projector"], "projector", encoder.dim)
    predictor = made(choices["predictor"], "predictor", projector.dim, encoder.grid)
    target, objective = made(choices["target"], "target"), made(choices["objective"], "objective")
    return JEPA(encoder, predictor, objective=objective, target=target, projector=projector)


def check_fit(model: JEPA, task: Task, source: Source) -> None:
    """Raise ConfigError, naming two parts and what to change, if a task cannot be put to a model or a source."""
    predictor = model.predictor
    _check_one(source, task)
    encoder = model.context.encoder
    task.check(source.shape, encoder.grid)
    _check_shape(encoder, source.shape)
    for side, examples in _sides(encoder, source):
        _check_gaps(side, examples, task)
        _check_symbols(side, examples, task)
    for setting, shape in task.sees(source.shape, encoder.grid).items() if isinstance(encoder, Encoder) else ():
        try:
            encoder.grid_of(shape)
        except ConfigError as error:
            raise ConfigError(f"{setting}: {error}") from error
    if not issubclass(task.asks, predictor.answers):
        said = {role: chosen(role, part).kind for role, part in (("task", task), ("predictor", predictor))}
        others = [kind for kind in ROLES["predictor"] if issubclass(task.asks, load("predictor", kind).answers)]
        raise ConfigError(
            f"predictor={said['predictor']} does not answer what task={said['task']} asks ({task.asks.__name__}): take "
            f"predictor={', '.join(others) or 'a class of your own that does'}, or another task"
        )
    predictor.check(task)
    _check_actions(model, task, source)
    if model.objective.returns and not task.poses:
        said = {role: chosen(role, part).kind for role, part in (("task", task), ("objective", model.objective))}
        others = [kind for kind in ROLES["task"] if load("task", kind).poses]
        raise ConfigError(
            f"objective={said['objective']} compares the way back with where it began, and task={said['task']} asks "
            f"for none: take task={', '.join(others)}, or objective.cycle=null"
        )


def _check_actions(model: JEPA, task: Task, source: Source) -> None:
    """Raise ConfigError where a task or an objective goes by actions, and other parts have none, or other ones."""
    encoder, predictor, objective = model.context.encoder, model.predictor, model.objective
    parts = {"encoder": encoder, "predictor": predictor, "objective": objective, "source": source, "task": task}
    said = {role: f"{role}={chosen(role, part).kind}" for role, part in parts.items()}
    if objective.unrolls and not task.acts:
        others = ", ".join(kind for kind in ROLES["task"] if load("task", kind).acts)
        raise ConfigError(
            f"{said['objective']} compares frames that follow one another, and {said['task']} has none: take "
            f"task={others}, or another objective"
        )
    if not task.acts:
        return
    given = source.actions if isinstance(source, Examples) else None
    if given is None:
        raise ConfigError(
            f"{said['task']} is told actions, and {said['source']} has none: take source=two-rooms, an .npz file of "
            "observations and actions, or task=forecast"
        )
    told = isinstance(predictor, DynamicsModel)
    if told and predictor.actions != given.shape[-1]:
        raise ConfigError(
            f"{said['source']} has actions of {given.shape[-1]} numbers, and {said['predictor']} takes "
            f"{predictor.actions}: set predictor.actions={given.shape[-1]}"
        )
    if isinstance(encoder, Encoder) and not encoder.framewise:
        raise ConfigError(
            f"{said['task']} asks for a code of each frame by itself, and {said['encoder']} looks at several at once: "
            "take encoder=impala, or encoder=frames with encoder.places=false"
        )
    if objective.inverts and not (told and predictor.reads):
        lacks = "predictor.inverse=0: set predictor.inverse=256" if told else "it reads none: take predictor=gru"
        raise ConfigError(
            f"objective.inverse={objective.inverse} asks {said['predictor']} for actions, and {lacks}, or "
            "objective.inverse=0"
        )


def _sides(encoder: Any, source: Any) -> list[tuple[Any, Any]]:
    """Return the encoders that see an array each, with the source of these arrays."""
    if not isinstance(encoder, Encoder) or not encoder.sides:
        return [(encoder, source)]
    own = source.sides if isinstance(source, Examples) else {}
    return [(side, own.get(name, source)) for name, side in encoder.sides.items()]


def _check_shape(encoder: Any, shape: Any) -> None:
    """Raise ConfigError for examples of which an encoder makes another grid than it was made for."""
    if not isinstance(encoder, Encoder) or not encoder.shape:
        return
    _check_several(chosen("encoder", encoder).kind, type(encoder), shape)
    if isinstance(shape, Mapping):
        for name, side in encoder.sides.items():
            _check_shape(side, shape[name])
        return
    if encoder.shape[0] != shape[0] or encoder.grid_of(shape) != encoder.grid:
        raise ConfigError(
            f"encoder={chosen('encoder', encoder).kind} is made for examples of {by_x(encoder.shape)}, and the source "
            f"has {by_x(shape)}: make it with the source's shape"
        )


def _check_gaps(encoder: Any, source: Source, task: Task) -> None:
    """Raise ConfigError for examples with gaps where an encoder cannot leave them out."""
    if isinstance(encoder, Encoder) and encoder.gaps:
        return
    parts = {"encoder": encoder, "source": source, "task": task, "augment": task.augment}
    kinds = {role: chosen(role, part).kind for role, part in parts.items()}
    if isinstance(source, Examples) and source.gaps:
        raise ConfigError(
            f"encoder={kinds['encoder']} cannot leave out what is missing (padding, missing values) in the examples of "
            f"source={kinds['source']}: take an encoder that can, such as vit, or fill the gaps in"
        )
    if task.gaps:
        raise ConfigError(
            f"task={kinds['task']} leaves gaps where it divides an example, and encoder={kinds['encoder']} cannot "
            "leave them out: take an encoder that can, or task=views"
        )
    if task.augment.gaps:
        raise ConfigError(
            f"augment={kinds['augment']} leaves gaps, and encoder={kinds['encoder']} cannot leave them out: take an "
            "encoder that can, or augment=noise"
        )


def _check_symbols(encoder: Any, source: Source, task: Task) -> None:
    """Raise ConfigError where tokens, which are names, would be taken for measurements, or the other way round."""
    given = source.symbols if isinstance(source, Examples) else None
    known = encoder.symbols if isinstance(encoder, Encoder) else None
    said = f"source={chosen('source', source).kind}", f"encoder={chosen('encoder', encoder).kind}"
    if given is None and known is None:
        return
    if given is None:
        raise ConfigError(f"{said[1]} takes tokens, and {said[0]} has measurements: take another encoder, such as vit")
    if known is None:
        raise ConfigError(f"{said[0]} has tokens, and {said[1]} takes measurements: take encoder=words or bag")
    if given > known:
        raise ConfigError(
            f"{said[0]} has {given} tokens, and {said[1]} vectors for {known}: set encoder.symbols={given}, or take "
            "fewer source.words and source.buckets"
        )
    if task.resizes or not task.augment.symbols:
        what, how = f"augment={chosen('augment', task.augment).kind}", "augment=none or words"
        if task.resizes:
            what, how = f"task={chosen('task', task).kind}", "task.crop=[1,1], or task=halves or masked"
        raise ConfigError(f"{what} makes new numbers of an example's, and those of {said[0]} are tokens: take {how}")


def _check_one(source: Any, task: Task) -> None:
    """Raise ConfigError for examples of several arrays where a task asks about one."""
    if isinstance(source.shape, Mapping) and not task.several:
        names, kind = ", ".join(source.shape), chosen("task", task).kind
        others = ", ".join(kind for kind in ROLES["task"] if load("task", kind).several)
        raise ConfigError(
            f"source has examples of several arrays ({names}), and task={kind} asks about one: take one of them, or "
            f"task={others}"
        )


def _check_several(kind: str, encoder: Any, shape: Any) -> None:
    """Raise ConfigError for examples of several arrays where an encoder takes one, and the other way round."""
    takes = issubclass(encoder, Encoder) and encoder.several
    if takes == isinstance(shape, Mapping):
        return
    others = ", ".join(kind for kind in ROLES["encoder"] if load("encoder", kind).several != takes)
    if takes:
        raise ConfigError(
            f"encoder={kind} takes examples of several arrays, and the source's are one of {by_x(shape)}: take "
            f"source=pair, or encoder={others}"
        )
    raise ConfigError(
        f"encoder={kind} takes one array, and the source's examples are several ({', '.join(shape)}): take "
        f"encoder={others}, or one of the source's arrays"
    )


def described(model: JEPA | None = None, task: Any = None, source: Any = None) -> dict[str, Choice]:
    """Return the choices that would make these parts again, by role.

    A part of one's own without settings has None for them: its weights can be saved, but it cannot be made again.
    """
    parts: dict[str, Any] = {}
    if model is not None:
        branch = model.context
        given = (branch.encoder, branch.projector, model.predictor, model.target, model.objective)
        parts |= zip(LEARNER, given, strict=True)
    parts |= {} if task is None else {"task": task, "augment": task.augment}
    parts |= {} if source is None else {"source": source}
    return {role: chosen(role, part) for role, part in parts.items()}
