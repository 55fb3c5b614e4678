"""A vision transformer off its weights alone, once they have our names."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.encoders.positions import sincos_positions
from jepa.encoders.vit import SIZES, ViT, ViTSettings
from jepa.errors import ConfigError, RunError
from jepa.pretrained.layouts import JOINED, listed
from jepa.text import by_x, shortened

State = dict[str, NDArray[Any]]
LARGEST_SIDE, MOST_PATCHES = 2048, 8192  # of an image that weights can ask for; the published have 518 and 1369
HEADS = {**{size["dim"]: size["heads"] for size in SIZES.values()}, 1152: 16, 1536: 24, 1664: 16}
"""dim -> attention heads, of all published sizes"""


def transformer(state: State, what: str, heads: int | None = None, advice: str = "") -> ViT:
    """Return the vision transformer of square images with these weights, in evaluation mode.

    state: weights by our names, with query, key and value apart, layer scale, or positions of class token and registers
    where a layout has them: all of them are put into other weights here, which changes no output. Patch size, dim,
    depth, MLP and image size are read off the weights; heads, which they do not tell, off the dim, unless given.
    what: what has the weights, for errors; advice: what to do where nothing tells the heads.

    Raises RunError if the weights are no vision transformer's, or hold NaN.
    """
    finite(state, what)
    try:
        if whole := [name for name, x in state.items() if x.dtype.kind != "f"]:
            raise ValueError(f"{whole[0]} of {state[whole[0]].dtype}")
        state = _folded({name: x.astype(np.float32, copy=False) for name, x in state.items()})
        shape, settings = _settings(state)
    except (LookupError, ValueError, TypeError, ConfigError) as error:
        raise RunError(f"{what} is no vision transformer: {listed([str(error)])} is missing or odd") from error
    heads = HEADS.get(settings.dim) if heads is None else heads
    if heads is None:
        raise RunError(
            f"{what} has dim {settings.dim}, which no published size has, and weights do not tell the number of "
            f"heads{advice}"
        )
    try:
        encoder = ViT(shape, replace(settings, heads=heads))
        encoder.load_state_dict(state)
    except (mt.errors.StateDictError, ValueError, ConfigError) as error:
        raise RunError(f"{what} is no vision transformer of ours: {shortened(str(error), 600)}") from error
    return encoder.eval()


def _folded(state: State) -> State:
    """Return weights that compute the same without layer scale, and without positions of what has no place.

    Matrices that stand apart become one; a bias that is not there, zeros; x + γ ⊙ (W y + b) = x + (γ ⊙ W) y + γ ⊙ b
    """
    state = dict(state)
    blocks = sorted({found[1] for name in state if (found := re.match(r"(blocks\.\d+\.)", name))})
    for block in blocks:
        for whole, names in JOINED.items():
            for end in ("weight", "bias"):
                parts = {name: state.pop(f"{block}{name}.{end}") for name in names if f"{block}{name}.{end}" in state}
                if len(parts) == len(names):
                    state[f"{block}{whole}.{end}"] = np.concatenate([*parts.values()])
                elif parts:
                    lacking = next(name for name in names if name not in parts)
                    raise LookupError(f"{block}{lacking}.{end}")
        rows = shape_of(state, f"{block}attn.qkv.weight", 2)[0]
        state.setdefault(f"{block}attn.qkv.bias", np.zeros(rows, np.float32))
        for number, branch in ((1, "attn.proj"), (2, "mlp.fc2")):
            if (scale := state.pop(f"{block}ls{number}", None)) is None:
                continue
            weight, bias = f"{block}{branch}.weight", f"{block}{branch}.bias"
            if scale.shape != shape_of(state, weight, 2)[:1]:
                raise ValueError(f"{block}ls{number} {scale.shape}")
            state[weight], state[bias] = scale[:, None] * state[weight], scale * state[bias]
    return _without_prefix(state)


def _without_prefix(state: State) -> State:
    """Return weights whose positions are those of the patches; those of what stands before are added to it."""
    dim = shape_of(state, "pos_embed", 3)[2]
    before = [name for name in ("cls_token", "register_tokens") if name in state]
    counts = [shape_of(state, name, 3)[1] if state[name].ndim == 3 else 0 for name in before]
    positions = state["pos_embed"]
    for take in range(len(before) + 1):  # the class token has a position in most layouts, registers in some
        left = positions.shape[1] - sum(counts[:take])
        if left > 0 and math.isqrt(left) ** 2 == left:
            break
    else:
        raise ValueError(f"pos_embed {positions.shape}, with no square grid,")
    at = 0
    for name, count in zip(before[:take], counts[:take], strict=True):
        if state[name].shape != (1, count, dim):
            raise ValueError(f"{name} {state[name].shape}")
        state[name] = state[name] + positions[:, at : at + count]
        at += count
    return state | {"pos_embed": positions[:, at:]}


def _settings(state: State) -> tuple[tuple[int, int, int], ViTSettings]:
    """Return the shape of an image and the settings (all but the heads) of a vision transformer, off its weights.

    Each weight has to be there, and every size is the length of an axis of numbers that are in the file, so none is
    larger than the file allows.
    """
    if empty := [name for name, x in state.items() if not x.size]:
        raise ValueError(f"{empty[0]} {state[empty[0]].shape}")
    dim, channels, patch, width = shape_of(state, "patch_embed.proj.weight", 4)
    count = state["pos_embed"].shape[1]
    hidden = shape_of(state, "blocks.0.mlp.fc2.weight", 2)[1]
    gated = shape_of(state, "blocks.0.mlp.fc1.weight", 2)[0] == 2 * hidden
    depth = depth_of(state, dim, hidden, gated=gated)
    side = math.isqrt(count)
    if patch != width or too_large(side * patch, count):
        raise ValueError(f"a grid of {count} patches of {patch} x {width} pixels")
    positions = state["pos_embed"][0]
    fixed = dim % 2 == 0 and dim >= 4 and np.allclose(positions, sincos_positions((side, side), dim), atol=1e-5)
    settings = ViTSettings(
        patch=patch,
        dim=dim,
        depth=depth,
        heads=1,
        mlp_ratio=(hidden + 0.5) / dim,
        positions="sincos" if fixed else "learned",
        class_token="cls_token" in state,
        registers=state["register_tokens"].shape[1] if "register_tokens" in state else 0,
        mlp="swiglu" if gated else "gelu",
    )
    return (channels, side * patch, side * patch), settings


def too_large(side: int, patches: int) -> bool:
    """Whether an image that weights ask for has a longer side, or more patches, than any that is meant."""
    return side > LARGEST_SIDE or patches > MOST_PATCHES


def depth_of(state: State, dim: int, hidden: int, *, gated: bool = False) -> int:
    """Return the number of blocks, each of whose large weights has to be there."""
    depth, rows = len({name.split(".")[1] for name in state if name.startswith("blocks.")}), hidden * (1 + gated)
    for k in range(depth):
        for name, shape in (("attn.qkv", (3 * dim, dim)), ("mlp.fc1", (rows, dim)), ("mlp.fc2", (dim, hidden))):
            if (found := shape_of(state, f"blocks.{k}.{name}.weight", 2)) != shape:
                raise ValueError(f"blocks.{k}.{name}.weight {by_x(found)}, not {by_x(shape)},")
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
