"""The weights that I-JEPA's authors have published, from the files of their code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jepa.encoders.vit import ViT
from jepa.errors import RunError
from jepa.pretrained.layouts import LAYOUTS, listed
from jepa.pretrained.torch_file import TorchFile
from jepa.pretrained.torch_pickle import StoredTensor
from jepa.pretrained.transformer import State, transformer

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
    advice = (
        ". Who knows it writes a folder that is taken instead: from jepa.pretrained import ijepa_encoder, "
        f"save_pretrained; save_pretrained(ijepa_encoder({str(path)!r}, heads=...), 'folder')"
    )
    return transformer(state, f"{which} in {path}", heads, advice)


def _found(content: dict[Any, Any]) -> str:
    """Say what a file of PyTorch holds, in a line."""
    if not content:
        return "nothing by name"
    tensors = [str(name) for name, value in content.items() if isinstance(value, StoredTensor)]
    if len(tensors) < len(content):
        return listed([str(name) for name in content])
    known = next((x.title for x in LAYOUTS.values() if any(name.endswith(x.mark) for name in tensors)), "")
    whose = f" (that of {known}: jepa.pretrained.published reads it)" if known else ""
    return f"one flat state{whose}, {len(tensors)} tensors: {listed(tensors)}"
