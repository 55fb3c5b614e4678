"""The weights that I-JEPA's authors have published, from the files of their code."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.encoders.vit import SIZES, ViT, ViTSettings
from jepa.errors import ConfigError, RunError
from jepa.pretrained.torch_file import TorchFile
from jepa.pretrained.torch_pickle import StoredTensor
from jepa.text import shortened

State = dict[str, NDArray[Any]]
LARGEST_SIDE, MOST_PATCHES = 2048, 8192  # of an image that weights can ask for; the published have 448 and 784
PARTS = ("encoder", "predictor", "target_encoder")


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
                wanted = f"what was looked for is a dict {part!r}, found was {_found(content)}"
                raise RunError(f"{path} is no checkpoint of I-JEPA: {wanted}")
            states[part] = {
                str(name).removeprefix("module."): file.array(tensor)
                for name, tensor in content[part].items()
                if isinstance(tensor, StoredTensor)
            }
    return states


def ijepa_encoder(path: str | Path, which: str = "target_encoder", heads: int | None = None) -> ViT:
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
        shape, settings = _settings(state)
    except (LookupError, ValueError, TypeError, ConfigError) as error:
        why = f"{listed([str(error)])} is missing or odd"
        raise RunError(f"{what} is no vision transformer of I-JEPA: {why}") from error
    if heads is None:
        heads = next((size["heads"] for size in SIZES.values() if size["dim"] == settings.dim), None)
    if heads is None:
        raise RunError(
            f"{what} has dim {settings.dim}, which no published size has, and weights do not tell the number of "
            "heads. Who knows it writes a folder that is taken instead: from jepa.pretrained import "
            f"ijepa_encoder, save_pretrained; save_pretrained(ijepa_encoder({str(path)!r}, heads=...), 'folder')"
        )
    finite(state, path)
    try:
        encoder = ViT(shape, settings, heads=heads)
        encoder.load_state_dict(state)
    except (mt.errors.StateDictError, ValueError, ConfigError) as error:
        raise RunError(f"{what} is no I-JEPA encoder: {shortened(str(error), 600)}") from error
    return encoder.eval()


def _settings(state: State) -> tuple[tuple[int, int, int], ViTSettings]:
    """Return the shape of an image and the settings (all but the heads) of a vision transformer, off its weights.

    Each weight has to be there, and every size is the length of an axis of numbers that are in the file, so none is
    larger than the file allows.
    """
    if empty := [name for name, x in state.items() if not x.size]:
        raise ValueError(f"{empty[0]} {state[empty[0]].shape}")
    dim, channels, patch, width = shape_of(state, "patch_embed.proj.weight", 4)
    count = shape_of(state, "pos_embed", 3)[1]
    hidden = shape_of(state, "blocks.0.mlp.fc1.weight", 2)[0]
    depth = depth_of(state, dim, hidden)
    side = math.isqrt(count)
    if side * side != count or patch != width or too_large(side * patch, count):
        raise ValueError(f"a grid of {count} patches of {patch} x {width} pixels")
    settings = ViTSettings(patch=patch, dim=dim, depth=depth, heads=1, mlp_ratio=(hidden + 0.5) / dim)
    return (channels, side * patch, side * patch), settings


def too_large(side: int, patches: int) -> bool:
    """Whether an image that weights ask for has a longer side, or more patches, than any that is meant."""
    return side > LARGEST_SIDE or patches > MOST_PATCHES


def depth_of(state: State, dim: int, hidden: int) -> int:
    """Return the number of blocks, each of whose large weights has to be there."""
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    for k in range(depth):
        for name, shape in (("attn.qkv", (3 * dim, dim)), ("mlp.fc1", (hidden, dim)), ("mlp.fc2", (dim, hidden))):
            if (found := shape_of(state, f"blocks.{k}.{name}.weight", 2)) != shape:
                raise ValueError(f"blocks.{k}.{name}.weight {found}, not {shape},")
    return depth


def shape_of(state: State, name: str, axes: int) -> tuple[int, ...]:
    """Return the shape of a weight that has to be there, with so many axes."""
    if name not in state:
        raise LookupError(name)
    if state[name].ndim != axes:
        raise ValueError(f"{name} {state[name].shape}")
    return state[name].shape


def finite(weights: State, where: str | Path) -> None:
    """Raise RunError if a number among the weights is none: every embedding would be NaN."""
    odd = [name for name, x in weights.items() if x.dtype.kind == "f" and not np.isfinite(x).all()]
    if odd:
        raise RunError(f"the weights in {where} are damaged: {listed(odd)} hold NaN or infinity")


def _found(content: dict[Any, Any]) -> str:
    """Say what a file of PyTorch holds, in a line."""
    if not content:
        return "nothing by name"
    tensors = [str(name) for name, value in content.items() if isinstance(value, StoredTensor)]
    if len(tensors) < len(content):
        return listed([str(name) for name in content])
    names = {name.removeprefix("module.").removeprefix("backbone.") for name in tensors}
    marks = {
        "DINOv2's ": "blocks.0.ls1.gamma",
        "timm's or MAE's ": "blocks.0.attn.qkv.weight",
        "Hugging Face's ": "embeddings.patch_embeddings.projection.weight",
        "torchvision's ": "layer1.0.conv1.weight",
    }
    whose = next((who for who, mark in marks.items() if any(name.endswith(mark) for name in names)), "")
    return f"one flat state of {whose}weights, {len(tensors)} tensors: {listed(tensors)}"


def listed(names: Sequence[str]) -> str:
    """List the first names, each cut to a readable length."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shortened(name, 100) for name in names[:5]) + more
