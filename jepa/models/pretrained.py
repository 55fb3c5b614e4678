"""Models in folders, and the weights that I-JEPA's authors have published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.errors import RunError
from jepa.models.settings import build, describe
from jepa.models.torch_file import StoredTensor, TorchFile
from jepa.models.vit import SIZES, VisionTransformer

__all__ = ["from_pretrained", "ijepa_encoder", "load_ijepa_checkpoint", "save_pretrained"]

State = dict[str, NDArray[Any]]
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
    (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return folder


def from_pretrained(folder: str | Path, into: mt.nn.Layer | None = None, device: str | None = None) -> Any:
    """Return the model of a folder that `save_pretrained` wrote, in evaluation mode.

    into: the model to put the weights into, of the same structure; needed for classes that are not in `jepa.models`.
    Raises RunError if the folder has no such model, a file of it is damaged, or weights and settings do not fit.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights, _ = mt.load(folder / "model.safetensors")
    except FileNotFoundError as error:
        raise RunError(f"{folder} has no pretrained model: it needs config.json and model.safetensors") from error
    except (mt.errors.DamagedFileError, ValueError, OSError) as error:
        raise RunError(f"the model in {folder} cannot be read: {error}") from error
    if into is None:
        if not isinstance(description, dict) or "settings" not in description:
            name = description.get("class", "?") if isinstance(description, dict) else "?"
            raise RunError(
                f"the model in {folder} is a {name}, which is none of jepa.models or has parts that are none: make one "
                "and call from_pretrained(folder, into=it)"
            )
        try:
            into = build(description)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{folder / 'config.json'} describes no model of jepa.models: {error}") from error
    floats = {w.dtype for w in weights.values() if w.dtype.kind == "f"}
    try:
        into.to(dtype=floats.pop() if len(floats) == 1 else None).load_state_dict(weights)
    except mt.errors.StateDictError as error:
        raise RunError(f"the weights in {folder} do not fit: {error}") from error
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
                has = ", ".join(sorted(map(str, content))) or "nothing by name"
                raise RunError(f"{path} is no checkpoint of I-JEPA: it has no {part!r}, but {has}")
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
    try:
        dim, channels, patch_size, _ = state["patch_embed.proj.weight"].shape
        count = state["pos_embed"].shape[1]
        hidden = len(state["blocks.0.mlp.fc1.weight"])
    except (KeyError, ValueError) as error:
        raise RunError(f"{which} in {path} is no vision transformer: its {error} is missing or odd") from error
    side, depth = int(np.sqrt(count)), len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    if side * side != count:
        raise RunError(f"{which} in {path} has {count} positions, which are no square grid of patches")
    if heads is None:
        heads = next((size["heads"] for size in SIZES.values() if size["dim"] == dim), None)
    if heads is None:
        raise RunError(f"{which} in {path} has dim {dim}, which no named size has: say how many heads, heads=...")
    encoder = VisionTransformer(side * patch_size, patch_size, channels, dim, depth, heads, (hidden + 0.5) / dim)
    try:
        encoder.load_state_dict(state)
    except mt.errors.StateDictError as error:
        raise RunError(f"{which} in {path} is no I-JEPA encoder: {error}") from error
    return encoder.eval()
