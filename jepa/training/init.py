"""Starting a training from the weights of another run: what of them fits, and what is fresh."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from jepa.errors import RunError
from jepa.learner import JEPA
from jepa.parts import chosen
from jepa.runs.checkpoint import find_checkpoint, read_checkpoint
from jepa.runs.folder import find_run
from jepa.text import by_x, listed

PARTS = {
    "encoder": "context.encoder.",
    "projector": "context.projector.",
    "predictor": "predictor.",
    "target": "target.",
}
"""by role, how the names of its weights begin"""


def taken_from(run: Path, model: JEPA) -> str:
    """Put the weights of a run's last checkpoint into a model; return a sentence on what was taken and what was not.

    The encoder has to fit. Projector, predictor and target are taken where every weight of theirs has the name and the
    shape that it has there; a target that does not fit starts anew from the context's branch. The optimizer's state is
    not taken.

    run may also be the file of published weights (`jepa.pretrained.published`): of them there is an encoder alone, and
    the positions of a transformer are brought to the size of the images.

    Raises RunError if there is no such run, or its encoder is another one.
    """
    from jepa.pretrained.published import is_published, published  # few trainings begin like that

    if is_published(run):
        return _taken_from_weights(published(run), run, model)
    folder, checkpoint = find_run(run)
    path = checkpoint or find_checkpoint(folder)
    arrays = {k.removeprefix("model."): v for k, v in read_checkpoint(path)[0].items() if k.startswith("model.")}
    state = model.state_dict()
    odd = {role: _difference(_part(arrays, prefix), _part(state, prefix)) for role, prefix in PARTS.items()}
    if odd["encoder"]:
        raise RunError(
            f"a training cannot start from {run}: its encoder is another one ({odd['encoder']}); take the kind and "
            f"settings of its encoder, and its source.size, from {folder / 'config.yaml'}"
        )
    fits = [prefix for role, prefix in PARTS.items() if not odd[role]]
    model.load_state_dict(state | {k: v for k, v in arrays.items() if k in state and k.startswith(tuple(fits))})
    if odd["target"]:
        model.target.follow(model.context)
    there = [role for role, prefix in PARTS.items() if _part(state, prefix)]
    fresh = [f"{role} ({odd[role]})" for role in there if odd[role]]
    return f"started from {path}: its {_listed([r for r in there if not odd[r]])}" + (
        f"; fresh: {_listed(fresh)}" if fresh else ""
    )


def _taken_from_weights(found: Any, path: Path, model: JEPA) -> str:
    """Put published weights, those at `path`, into the encoder of a model; return a sentence on them."""
    mine = model.context.encoder
    kinds = [chosen("encoder", encoder) for encoder in (found.encoder, mine)]
    same = kinds[0].kind == kinds[1].kind
    free = {"drop_path", "positions", "mlp_ratio"}  # the last shows in the shapes of the weights
    names = [field.name for field in fields(kinds[0].settings) if field.name not in free] if same else []
    odd = [f"{name}={getattr(kinds[0].settings, name)}" for name in names
           if getattr(kinds[0].settings, name) != getattr(kinds[1].settings, name)]  # fmt: skip
    state = found.at(mine.shape).state_dict() if same and not odd else {}
    why = listed(odd) or ("" if same else f"encoder={kinds[0].kind}") or _difference(state, mine.state_dict())
    if why:
        raise RunError(
            f"a training cannot start from {path}: its encoder is another one ({why}); take {' '.join(found.words)}"
        )
    mine.load_state_dict(state)
    model.target.follow(model.context)
    return f"started from {path}, {found.title}; projector, predictor and target are fresh"


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    """Say in which weight two states of a part differ first; nothing if all have the same names and shapes."""
    for name in sorted(there.keys() | here.keys()):
        shapes = [by_x(s[name].shape) or "one number" if name in s else "not there" for s in (there, here)]
        if shapes[0] != shapes[1]:
            return f"{name} is {shapes[0]} in the run, {shapes[1]} here"
    return ""


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
