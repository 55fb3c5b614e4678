"""Models in folders, and the weights that I-JEPA's authors have published."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.errors import RunError
from jepa.files.atomic import write_text
from jepa.files.mark import read_object
from jepa.models.settings import build, describe
from jepa.models.torch_file import StoredTensor, TorchFile
from jepa.models.vit import SIZES, VisionTransformer
from jepa.text import shortened

__all__ = [
    "from_pretrained",
    "ijepa_encoder",
    "load_ijepa_checkpoint",
    "pretrained_transformer",
    "save_pretrained",
]

State = dict[str, NDArray[Any]]
LARGEST_SIDE, MOST_PATCHES = 2048, 8192  # of an image that weights can ask for; the published have 448 and 784
PARTS = ("encoder", "predictor", "target_encoder")


def save_pretrained(model: mt.nn.Layer, folder: str | Path) -> Path:
    """Write a model to a folder: config.json, its class and settings, and model.safetensors, its weights.

    For every encoder, predictor and JEPA of `jepa.models`. One of your own, or with a part or a loss of your own, is
    written too; it comes back by `from_pretrained(folder, into=YourClass(...))`.

    >>> import tempfile
    >>> folder = save_pretrained(VisionTransformer(8, 4, dim=8, depth=1, heads=2), tempfile.mkdtemp())
    >>> from_pretrained(folder).extra_repr()
    '8 x 8, patch 4, dim 8, depth 1, heads 2'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = describe(model)
    mt.save(folder / "model.safetensors", model.state_dict(), description)
    write_text(folder / "config.json", json.dumps(description, indent=2) + "\n")
    return folder


def pretrained_transformer(folder: str | Path) -> VisionTransformer:
    """Return the vision transformer of a folder that `save_pretrained` wrote; one that nobody vouches for will do.

    Raises RunError as `from_pretrained`, and for another model, before anything of its size is made.
    """
    check_transformer(*_read(Path(folder)), Path(folder))
    return from_pretrained(folder)  # type: ignore[no-any-return]


def _read(folder: Path) -> tuple[dict[str, Any], State]:
    """Return the description and the weights in a folder of `save_pretrained`."""
    try:
        return read_object(folder / "config.json"), mt.load(folder / "model.safetensors")[0]
    except FileNotFoundError as error:
        raise RunError(f"{folder} has no pretrained model: it needs config.json and model.safetensors") from error
    except (mt.errors.DamagedFileError, ValueError, OSError) as error:
        raise RunError(f"the model in {folder} cannot be read: {error}") from error


def from_pretrained(folder: str | Path, into: mt.nn.Layer | None = None, device: str | None = None) -> Any:
    """Return the model of a folder that `save_pretrained` wrote, in evaluation mode.

    into: the model to put the weights into, of the same structure; needed for classes that are not in `jepa.models`.
    Raises RunError if the folder has no such model, a file of it is damaged, or weights and settings do not fit.
    """
    folder = Path(folder)
    description, weights = _read(folder)
    if into is None:
        if "settings" not in description:
            name = shortened(str(description.get("class", "?")), 60)
            raise RunError(
                f"the model in {folder} is a {name}, which is none of jepa.models or has parts that are none: make one "
                "and call from_pretrained(folder, into=it)"
            )
        try:
            into = build(description)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise RunError(f"{folder / 'config.json'} describes no model of jepa.models: {error}") from error
    floats = {w.dtype for w in weights.values() if w.dtype.kind == "f"}
    try:
        into.to(dtype=floats.pop() if len(floats) == 1 else None).load_state_dict(weights)
    except mt.errors.StateDictError as error:
        raise RunError(f"the weights in {folder} do not fit: {error}") from error
    check_finite(weights, folder)
    return into.eval().to(device)


def load_ijepa_checkpoint(path: str | Path, parts: Sequence[str] = PARTS) -> dict[str, State]:
    """Return the weights in a checkpoint of I-JEPA's code (`.pth.tar`): "encoder", "predictor", "target_encoder".

    Names are those of our layers (the prefix `module.` of distributed training is taken off); arrays have the dtype of
    the file, bfloat16 comes as float32. Nothing in the file is executed, PyTorch is not needed, and what is not asked
    for, such as the optimizer's state, is not read. Raises FileNotFoundError, and RunError if it is no such file or a
    part is missing. Source: facebookresearch/ijepa, src/train.py, `save_checkpoint`.
    """
    with TorchFile(path) as file:
        content: dict[Any, Any] = file.content if isinstance(file.content, dict) else {}
        states: dict[str, State] = {}
        for part in parts:
            if not isinstance(content.get(part), dict):
                raise RunError(
                    f"{path} is no checkpoint of I-JEPA: what was looked for is a dict {part!r}, "
                    f"found was {_found(content)}"
                )
            states[part] = {
                str(name).removeprefix("module."): file.array(tensor)
                for name, tensor in content[part].items()
                if isinstance(tensor, StoredTensor)
            }
    return states


def ijepa_encoder(path: str | Path, which: str = "target_encoder", heads: int | None = None) -> VisionTransformer:
    """Return a vision transformer with the weights of an I-JEPA checkpoint, in evaluation mode.

    which: "target_encoder", what the authors evaluate, or "encoder". Patch size, dim, depth, MLP ratio and image size
    are read off the weights (a square grid); heads, which they do not tell, off the dim, as in `SIZES`, unless given.
    Raises FileNotFoundError, and RunError if the file is no such checkpoint or its shapes are no vision transformer's.
    """
    if which not in ("target_encoder", "encoder"):
        raise ValueError(f"which is 'target_encoder' or 'encoder'; got {which!r}")
    state = load_ijepa_checkpoint(path, [which])[which]
    what = f"{which} in {path}"
    try:
        settings = _shape(state)
    except (LookupError, ValueError, TypeError) as error:
        raise RunError(
            f"{what} is no vision transformer of I-JEPA: {_listed([str(error)])} is missing or odd"
        ) from error
    if heads is None:
        heads = next((size["heads"] for size in SIZES.values() if size["dim"] == settings["dim"]), None)
    if heads is None:
        raise RunError(
            f"{what} has dim {settings['dim']}, which no published size has, and weights do not tell the number of "
            "heads. Who knows it writes a folder that is taken instead: from jepa.models.pretrained import "
            f"ijepa_encoder, save_pretrained; save_pretrained(ijepa_encoder({str(path)!r}, heads=...), 'folder')"
        )
    check_finite(state, path)
    try:
        encoder = VisionTransformer(**settings, heads=heads)
        encoder.load_state_dict(state)
    except (mt.errors.StateDictError, ValueError) as error:
        raise RunError(f"{what} is no I-JEPA encoder: {shortened(str(error), 600)}") from error
    return encoder.eval()


def _shape(state: State) -> dict[str, Any]:
    """Return the settings of a vision transformer, read off its weights, each of which has to be there.

    Every size is the length of an axis of numbers that are in the file, so none is larger than the file allows.
    """
    if empty := [name for name, x in state.items() if not x.size]:
        raise ValueError(f"{empty[0]} {state[empty[0]].shape}")
    dim, channels, patch_size, width = _of(state, "patch_embed.proj.weight", 4)
    count = _of(state, "pos_embed", 3)[1]
    hidden = _of(state, "blocks.0.mlp.fc1.weight", 2)[0]
    depth = _depth(state, dim, hidden)
    side = math.isqrt(count)
    if side * side != count or patch_size != width or _too_large(side * patch_size, count):
        raise ValueError(f"a grid of {count} patches of {patch_size} x {width} pixels")
    return {
        "image_size": side * patch_size,
        "patch_size": patch_size,
        "channels": channels,
        "dim": dim,
        "depth": depth,
        "mlp_ratio": (hidden + 0.5) / dim,
    }


def _too_large(side: int, patches: int) -> bool:
    return side > LARGEST_SIDE or patches > MOST_PATCHES


def _depth(state: State, dim: int, hidden: int) -> int:
    """Return the number of blocks, each of whose large weights has to be there."""
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    for k in range(depth):
        for name, shape in (("attn.qkv", (3 * dim, dim)), ("mlp.fc1", (hidden, dim)), ("mlp.fc2", (dim, hidden))):
            if (found := _of(state, f"blocks.{k}.{name}.weight", 2)) != shape:
                raise ValueError(f"blocks.{k}.{name}.weight {found}, not {shape},")
    return depth


def check_transformer(description: dict[str, Any], weights: State, folder: Path) -> None:
    """Raise RunError unless weights are those of the vision transformer that a config.json describes.

    Before it is made: settings in a file may ask for any amount of memory, numbers that are in it may not.
    """
    if description.get("class") != "VisionTransformer":
        kind = shortened(str(description.get("class")), 60)
        raise RunError(f"{folder} holds a {kind}, not a vision transformer: `jepa embed RUN` is for runs")
    try:
        s = description["settings"]
        dim, patch, sides = s["dim"], s["patch_size"], s["image_size"]
        sides = (sides, sides) if isinstance(sides, int) else sides
        count = math.prod(side // patch for side in sides)
        depth = _depth(weights, dim, int(dim * s["mlp_ratio"]))
        same = (depth, *_of(weights, "patch_embed.proj.weight", 4)) == (s["depth"], dim, s["channels"], patch, patch)
        same = same and _of(weights, "pos_embed", 3)[1:] == (count, dim) and not _too_large(max(sides), count)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise RunError(f"the weights in {folder} do not fit its config.json: {_listed([str(error)])}") from error
    if not same:
        raise RunError(f"the weights in {folder} do not fit its config.json: other sizes")


def _of(state: State, name: str, axes: int) -> tuple[int, ...]:
    """Return the shape of a weight that has to be there, with so many axes."""
    if name not in state:
        raise LookupError(name)
    if state[name].ndim != axes:
        raise ValueError(f"{name} {state[name].shape}")
    return state[name].shape


def check_finite(weights: State, where: str | Path) -> None:
    """Raise RunError if a number among the weights is none: every embedding would be NaN."""
    odd = [name for name, x in weights.items() if x.dtype.kind == "f" and not np.isfinite(x).all()]
    if odd:
        raise RunError(f"the weights in {where} are damaged: {_listed(odd)} hold NaN or infinity")


def _found(content: dict[Any, Any]) -> str:
    """Say what a file of PyTorch holds, in a line."""
    if not content:
        return "nothing by name"
    tensors = [str(name) for name, value in content.items() if isinstance(value, StoredTensor)]
    if len(tensors) < len(content):
        return _listed([str(name) for name in content])
    names = {name.removeprefix("module.").removeprefix("backbone.") for name in tensors}
    marks = {
        "DINOv2's ": "blocks.0.ls1.gamma",
        "timm's or MAE's ": "blocks.0.attn.qkv.weight",
        "Hugging Face's ": "embeddings.patch_embeddings.projection.weight",
        "torchvision's ": "layer1.0.conv1.weight",
    }
    whose = next((who for who, mark in marks.items() if any(name.endswith(mark) for name in names)), "")
    return f"one flat state of {whose}weights, {len(tensors)} tensors: {_listed(tensors)}"


def _listed(names: Sequence[str]) -> str:
    """List the first names, each cut to a readable length."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shortened(name, 100) for name in names[:5]) + more
