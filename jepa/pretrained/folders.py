"""Models in folders: config.json, the kinds and settings of their parts, and model.safetensors, their weights."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import minitensor as mt
from jepa import assembly
from jepa.encoders.base import Encoder
from jepa.encoders.vit import ViT, ViTSettings
from jepa.errors import ConfigError, RunError
from jepa.files.atomic import write_text
from jepa.files.mark import read_object
from jepa.learner import JEPA
from jepa.parts import ROLES, Choice, chosen, load, made, settings_of
from jepa.pretrained.layouts import listed
from jepa.pretrained.transformer import State, depth_of, finite, shape_of, too_large
from jepa.text import by_x, printable, shortened

ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, ConfigError)  # what an odd config.json does


def save_pretrained(model: mt.nn.Layer, folder: str | Path) -> Path:
    """Write an encoder or a whole JEPA to a folder: config.json and model.safetensors.

    One of your own, or with parts of your own, is written too; it comes back by
    `load_pretrained(folder, into=YourClass(...))`.

    >>> import tempfile
    >>> folder = save_pretrained(ViT((3, 8, 8), patch=4, dim=8, depth=1, heads=2), tempfile.mkdtemp())
    >>> load_pretrained(folder).extra_repr()
    '8 x 8, patch 4 x 4, dim 8, depth 1, heads 2'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = described(model)
    mt.save(folder / "model.safetensors", model.state_dict(), description)
    write_text(folder / "config.json", json.dumps(description, indent=2) + "\n")
    return folder


def described(model: Any) -> dict[str, Any]:
    """Return what makes a model again, with fresh weights: {"shape": ..., role: {"kind": ..., setting: ...}, ...}.

    Only {"class": its name} for what is neither an `Encoder` nor a JEPA of one.

    >>> described(ViT((3, 8, 8), patch=4, dim=12))["encoder"]["patch"]
    4
    """
    encoder = model.context.encoder if isinstance(model, JEPA) else model
    if not isinstance(encoder, Encoder):
        return {"class": type(model).__name__}
    whole = assembly.described(model) if isinstance(model, JEPA) else {"encoder": chosen("encoder", model)}
    parts = {role: {"kind": choice.kind, **asdict(choice.settings)} for role, choice in whole.items()}
    return {"shape": encoder.shape, **parts}


def load_pretrained(folder: str | Path, into: mt.nn.Layer | None = None, device: str | None = None) -> Any:
    """Return the model of a folder that `save_pretrained` wrote, in evaluation mode.

    into: the model to put the weights into, of the same structure; needed for classes of your own, which no file may
    name. Raises RunError if the folder has no such model, a file of it is damaged, or weights and settings do not fit.
    """
    folder = Path(folder)
    description, weights = _read(folder)
    if into is None:
        into = _built(description, folder)
    floats = {w.dtype for w in weights.values() if w.dtype.kind == "f"}
    try:
        into.to(dtype=floats.pop() if len(floats) == 1 else None).load_state_dict(weights)
    except mt.errors.StateDictError as error:
        raise RunError(f"the weights in {folder} do not fit: {error}") from error
    finite(weights, folder)
    return into.eval().to(device)


def pretrained_transformer(folder: str | Path) -> ViT:
    """Return the vision transformer of images of a folder of `save_pretrained`; one that nobody vouches for will do.

    Raises RunError as `load_pretrained`, and for another model, before anything of its size is made.
    """
    check_transformer(*_read(Path(folder)), Path(folder))
    found: ViT = load_pretrained(folder)
    return found


def _read(folder: Path) -> tuple[dict[str, Any], State]:
    """Return the description and the weights in a folder of `save_pretrained`."""
    try:
        return read_object(folder / "config.json"), mt.load(folder / "model.safetensors")[0]
    except FileNotFoundError as error:
        raise RunError(f"{folder} has no pretrained model: it needs config.json and model.safetensors") from error
    except (mt.errors.DamagedFileError, ValueError, OSError) as error:
        raise RunError(f"the model in {folder} cannot be read: {error}") from error


def _built(description: dict[str, Any], folder: Path) -> Any:
    """Return the described model with fresh weights; a class that is not one of ours is never looked for."""
    try:
        kinds = {role: str(description[role]["kind"]) for role in ROLES if role in description}
        foreign = [kind for kind in kinds.values() if ":" in kind] or ([] if kinds else [str(description["class"])])
        if foreign:
            raise RunError(
                f"the model in {folder} is a {shortened(printable(foreign[0]), 60)}, or has one: a class of its "
                "writer's own, which no file may name. Make a model and call load_pretrained(folder, into=it)"
            )
        shape = tuple(description["shape"])
        if not 1 <= len(shape) <= 8 or any(type(n) is not int or n < 1 for n in shape):
            raise ValueError(f"a shape of {shape}")
        choices = {role: _choice(role, description[role]) for role in kinds}
        return (
            made(choices["encoder"], "encoder", shape) if len(choices) == 1 else assembly.learner(choices, None, shape)
        )
    except ODD as error:
        raise RunError(f"{folder / 'config.json'} describes no model of jepa: {shortened(str(error), 600)}") from error


def _choice(role: str, given: dict[str, Any]) -> Choice:
    settings = {name: value for name, value in given.items() if name != "kind"}
    return Choice(given["kind"], settings_of(load(role, given["kind"]))(**settings))


def check_transformer(description: dict[str, Any], weights: State, folder: Path) -> None:
    """Raise RunError unless weights are those of the vision transformer that a config.json describes.

    Before it is made: settings in a file may ask for any amount of memory, numbers that are in it may not.
    """
    found = {role: part.get("kind") for role, part in description.items() if isinstance(part, dict)}
    if found != {"encoder": "vit"}:
        what = ", ".join(f"{role}={kind}" for role, kind in found.items()) or str(description.get("class"))
        what = f"a model of {shortened(printable(what), 120)}, not a vision transformer (encoder=vit) alone"
        raise RunError(f"{folder} holds {what}: `jepa embed RUN` is for runs")
    try:
        s = _choice("encoder", description["encoder"]).settings
        assert isinstance(s, ViTSettings)
        channels, *sides = description["shape"]
        patch = s.patch if isinstance(s.patch, tuple) else (s.patch,) * 2
        if len(sides) != 2:
            raise ValueError(f"it is for examples of {by_x(tuple(description['shape']))}, not for images")
        count = math.prod(side // p for side, p in zip(sides, patch, strict=True))
        depth = depth_of(weights, s.dim, int(s.dim * s.mlp_ratio), gated=s.mlp == "swiglu")
        same = (depth, *shape_of(weights, "patch_embed.proj.weight", 4)) == (s.depth, s.dim, channels, *patch)
        same = same and shape_of(weights, "pos_embed", 3)[1:] == (count, s.dim) and not too_large(max(sides), count)
    except ODD as error:
        raise RunError(f"the weights in {folder} do not fit its config.json: {listed([str(error)])}") from error
    if not same:
        raise RunError(f"the weights in {folder} do not fit its config.json: other sizes")
