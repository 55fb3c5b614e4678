"""Encoders that others have published, from their files: which layout it is, and the encoder with its weights."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from jepa.encoders.positions import interpolate_positions
from jepa.errors import RunError
from jepa.files.mark import read_object
from jepa.parts import chosen
from jepa.pretrained.folders import pretrained_transformer
from jepa.pretrained.layouts import LAYOUTS, Encoded, described, listed, looked_for, recognized
from jepa.pretrained.residual import residual
from jepa.pretrained.torch_file import TorchFile
from jepa.pretrained.torch_pickle import StoredTensor
from jepa.pretrained.transformer import transformer
from jepa.text import printable, shown

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of the channels
BEHIND = ("target_encoder", "teacher", "model_ema", "state_dict_ema", "state_dict", "model", "encoder", "student")
"""the names under which a checkpoint keeps weights, those that are evaluated first"""
NEAR = ("model.safetensors", "pytorch_model.bin")  # files that have their description beside them
HEADS = (
    ": name a folder with Hugging Face's config.json beside the weights; or who knows it writes a folder that is taken "
    "instead: from jepa.pretrained import published, save_pretrained; "
    "save_pretrained(published({!r}, heads=...).encoder, 'folder')"
)

Numbers = tuple[float, ...]
Read = Callable[[str], NDArray[Any]]


class Published(NamedTuple):
    """An encoder that others have trained, in evaluation mode, and what it was shown."""

    encoder: Any
    """a `ViT` or a `ResNet`; its shape is that of the images that it was trained with"""
    mean: Numbers
    """of the channels of its images, which are normalized by (x - mean) / std"""
    std: Numbers
    title: str
    """whose layout the file has, and what the encoder is"""

    @property
    def words(self) -> list[str]:
        """The settings that make its encoder, as the command line has them: encoder=vit, encoder.patch=14, ..."""
        kind, settings = chosen("encoder", self.encoder)
        own = {field.name: getattr(settings, field.name) for field in fields(settings)}
        usual = {field.name: field.default for field in fields(settings)}
        told = [f"encoder.{name}={json.dumps(value)}" for name, value in own.items() if value != usual[name]]
        return [f"encoder={kind}", *(word.replace('"', "") for word in told)]

    def at(self, shape: tuple[int, ...]) -> Any:
        """Return the encoder for images of another size: positions of a transformer are interpolated."""
        if tuple(shape) == self.encoder.shape:
            return self.encoder
        again = type(self.encoder)(tuple(shape), self.encoder.settings)
        state = self.encoder.state_dict()
        if "pos_embed" in state:
            state["pos_embed"] = interpolate_positions(self.encoder.pos_embed, self.encoder.grid, again.grid).numpy()
        again.load_state_dict(state)
        return again.eval()


def published(path: str | Path, heads: int | None = None) -> Published:
    """Return the encoder in a file, or in a folder of Hugging Face, that somebody has published.

    path: a `.safetensors` file, one of `torch.save` (.pth, .pt, .bin, .tar), a folder with model.safetensors (in one
    piece or several) or pytorch_model.bin, or a transformer's folder of `save_pretrained`. Nothing in it is executed,
    and PyTorch is not needed. Understood are the vision transformers of I-JEPA (official and Hugging Face), timm, DINO,
    DINOv2 (registers and SwiGLU, too) and MAE, and torchvision's ViTs and ResNets of basic blocks and bottlenecks
    (`jepa.pretrained.layouts`); heads and decoders are left out.

    Outputs are those of the original, with images normalized as the original's: by `mean` and `std` of the
    preprocessor_config.json or timm's config.json beside the weights, or by ImageNet's. heads: of attention; by
    default those of a config.json beside the weights, or of the published size of this dim. Layer scale and the
    positions of class token and registers are multiplied and added into other weights, so that they no longer learn by
    themselves. Of other sizes of images the positions are interpolated, as `ViT` does it.

    Raises FileNotFoundError, and RunError that says what was found and what was looked for.

    >>> import tempfile
    >>> from jepa.encoders import ViT
    >>> from jepa.pretrained import save_pretrained
    >>> folder = save_pretrained(ViT((3, 32, 32), patch=8, dim=16, depth=1, heads=2), tempfile.mkdtemp())
    >>> print(published(folder).title)
    a model of jepa: ViT 32 x 32, patch 8 x 8, dim 16, depth 1, heads 2
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if _is_ours(folder := path.parent if path.name in NEAR else path):
        encoder = pretrained_transformer(folder)
        return Published(encoder, *IMAGENET, f"a model of jepa: ViT {encoder.extra_repr()}")
    beside = _beside(path)
    heads = beside.heads if heads is None else heads
    files = _files(path)
    if _is_safetensors(files[0]):
        where = {name: file for file in files for name in _names(file)}
        if (found := _recognized(where, path)) is None:
            raise _unknown(path, described(list(where)))
        return _made(found, lambda name: _tensor(where[name], name), path, heads, beside)
    with TorchFile(files[0]) as file:
        tensors, found = _state(file.content, path)
        return _made(found, lambda name: file.array(tensors[name]), path, heads, beside)


def _made(found: Encoded, read: Read, path: Path, heads: int | None, beside: "_Beside") -> Published:
    """Return the encoder of weights that were recognized."""
    state = {own: read(name) for own, name in found.names.items()}
    what = shown(path)
    if found.layout is LAYOUTS["resnet"]:
        encoder: Any = residual(state, what)
    else:
        small = state["patch_embed.proj.weight"].shape[0] == 384
        if small and heads is None and any(".base_encoder." in name for name in found.names.values()):
            heads = 12  # MoCo v3's, where all others of this dim have 6
        encoder = transformer(state, what, heads, HEADS.format(str(path)))
    layout = found.layout.title
    return Published(encoder, beside.mean, beside.std, f"{layout}: {type(encoder).__name__} {encoder.extra_repr()}")


# -- what is in a file -----------------------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    """Return the file, or those of a folder."""
    if path.is_file():
        return [path]
    files = [path / name for name in NEAR if (path / name).is_file()][:1] or sorted(path.glob("model-*.safetensors"))
    if not files:
        there = listed(sorted(entry.name for entry in path.iterdir())) or "nothing"
        raise RunError(f"{shown(path)} holds {there}; what was looked for is {' or '.join(NEAR)}")
    return files


def _is_ours(path: Path) -> bool:
    """Whether a folder is one of `save_pretrained`."""
    try:
        return path.is_dir() and bool(read_object(path / "config.json").keys() & {"shape", "class"})
    except (OSError, ValueError):
        return False


def is_published(path: str | Path) -> bool:
    """Whether a path is a file of weights, or a folder with such, and no run of ours or checkpoint of one."""
    path = Path(path)
    if path.is_file():  # PyTorch keeps what it downloads in a folder of this name, too
        return path.parent.name != "checkpoints" or not (path.parent.parent / "config.yaml").is_file()
    return path.is_dir() and any(path.glob("*.safetensors")) or (path / NEAR[1]).is_file()


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON object, and the object."""
    with open(path, "rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def _recognized(names: Iterable[str], path: Path) -> Encoded | None:
    """Return what the names of weights mean; None if nothing. Raises RunError if not all of it is known."""
    names = list(names)
    if any(name.startswith("model.context.") for name in names):
        raise RunError(f"{shown(path)} is a checkpoint of a run of jepa: name the run in place of --pretrained")
    try:
        return recognized(names)
    except RunError as error:
        raise RunError(f"{shown(path)} {error}") from error


def _unknown(path: Path, found: str) -> RunError:
    """Return the error about a file that has weights in no layout, or none at all."""
    return RunError(f"{shown(path)} holds no encoder that is known here: found was {found}; {looked_for()}")


def _state(content: Any, path: Path) -> tuple[dict[str, StoredTensor], Encoded]:
    """Return the tensors of the first state in a checkpoint that has a layout, and what they mean."""
    states = list(_states(content))
    for state in states:
        if found := _recognized(state, path):
            return state, found
    keys = [printable(str(key)) for key in content] if isinstance(content, Mapping) else []
    if states and len(states[0]) == len(keys):
        raise _unknown(path, described(keys))
    raise _unknown(path, f"a dict of {listed(keys)}" if keys else "no dict of weights")


def _states(content: Any, depth: int = 2) -> Iterator[dict[str, StoredTensor]]:
    """Yield dicts of tensors in a checkpoint, the likeliest first."""
    if not isinstance(content, Mapping):
        return
    own = {printable(str(name)): value for name, value in content.items() if isinstance(value, StoredTensor)}
    if own:
        yield own
    for name in BEHIND if depth else ():
        yield from _states(content.get(name), depth - 1)


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="numpy") as file:
            return list(file.keys())
    except (SafetensorError, ValueError, OSError, TypeError, OverflowError) as error:
        raise RunError(f"{shown(path)} is damaged, or no safetensors file: {error}") from error


def _tensor(path: Path, name: str) -> NDArray[Any]:
    """Return an array of a safetensors file; bfloat16, which NumPy does not have, as float32."""
    with safe_open(path, framework="numpy") as file:
        kind = file.get_slice(name).get_dtype()
        if kind != "BF16":
            try:
                array: NDArray[Any] = file.get_tensor(name)
            except (TypeError, AttributeError) as error:
                raise RunError(f"{shown(path)} has {name} as {kind}, which is not read: convert it to F32") from error
            return array
    with open(path, "rb") as raw:  # whose head the reader has checked
        start = int.from_bytes(raw.read(8), "little")
        entry = json.loads(raw.read(start))[name]
        first, last = entry["data_offsets"]
        raw.seek(8 + start + first)
        upper = np.frombuffer(raw.read(last - first), "<u2").reshape(entry["shape"])
    return (upper.astype(np.uint32) << 16).view(np.float32)


# -- what stands beside it -------------------------------------------------------------------------------------------


class _Beside(NamedTuple):
    """What the files beside weights say of them."""

    heads: int | None = None
    mean: Numbers = IMAGENET[0]
    std: Numbers = IMAGENET[1]


def _beside(path: Path) -> _Beside:
    """Read the descriptions of Hugging Face and timm beside weights."""
    folder = path if path.is_dir() else path.parent if path.name in NEAR else None
    if folder is None:
        return _Beside()
    try:
        config, images = (
            read_object(folder / name) if (folder / name).is_file() else {}
            for name in ("config.json", "preprocessor_config.json")
        )
        act = config.get("hidden_act", "gelu")
        if act not in ("gelu", "silu"):
            raise RunError(
                f"{shown(folder / 'config.json')} says hidden_act={act!r}: only gelu and SwiGLU are known here"
            )
        heads = config.get("num_attention_heads")
        timm = config.get("pretrained_cfg") or {}
        mean, std = (
            tuple(map(float, images.get(f"image_{name}") or timm.get(name) or usual))
            for name, usual in zip(("mean", "std"), IMAGENET, strict=True)
        )
        if len(mean) not in (1, 3) or len(std) not in (1, 3) or min(std) <= 0:
            raise ValueError(f"mean {mean}, std {std}")
        return _Beside(None if heads is None else int(heads), mean, std)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise RunError(f"the description beside the weights in {shown(folder)} cannot be read: {error}") from error
