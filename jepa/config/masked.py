"""The settings of the masked methods, as frozen dataclasses: vision transformer, masks, hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Range = tuple[float, float]


@dataclass(frozen=True)
class ViTConfig:
    """The vision transformer (encoder=vit), and the predictor of ijepa and hjepa; image_size is that of the model."""

    body: Literal["transformer", "energy"] = "transformer"
    """blocks of attention and MLP, or steps down the energy of one energy transformer block"""
    patch_size: int = 4
    """side of a patch, in pixels; divides model.image_size, and for crops model.target_size"""
    dim: int = 192
    """numbers in a token"""
    depth: int = 6
    """blocks, or steps of the energy transformer"""
    heads: int = 3
    """attention heads; divide dim"""
    mlp_ratio: float = 4.0
    """hidden units of a block's MLP, in units of dim"""
    positions: Literal["sincos", "learned"] = "sincos"
    """fixed sine-cosine positions of the patches, or learned ones"""
    class_token: bool = False
    """a learned token beside those of the patches"""
    drop_path: float = 0.0
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""
    predictor_dim: int = 96
    """numbers in a token of the predictor"""
    predictor_depth: int = 3
    """blocks of the predictor"""
    predictor_heads: int = 3
    """attention heads of the predictor; divide predictor_dim"""


@dataclass(frozen=True)
class MaskConfig:
    """Which patches are the context, and which are predicted (ijepa, hjepa)."""

    kind: Literal["multiblock", "random"] = "multiblock"
    """multiblock: target blocks, and a context block without them; random: single patches"""
    context_scale: Range = (0.85, 1.0)
    """area of the context block as a share of the image, smallest and largest (multiblock)"""
    target_scale: Range = (0.15, 0.2)
    """area of a target block as a share of the image, smallest and largest (multiblock)"""
    aspect: Range = (0.75, 1.5)
    """height / width of a target block, smallest and largest (multiblock)"""
    ratio: Range = (0.4, 0.6)
    """share of the patches that are targets, smallest and largest (random)"""
    contexts: int = 1
    """context blocks of an image (multiblock)"""
    targets: int = 4
    """target blocks of an image (multiblock)"""
    min_keep: int = 4
    """patches that a context keeps at least"""
    overlap: bool = False
    """whether a context may contain patches of the targets (multiblock)"""
    sizes: Literal["batch", "sample"] = "batch"
    """block sizes are drawn for a whole batch, or for each image (multiblock)"""
    collate: Literal["subset", "raster", "pad"] = "subset"
    """how contexts of one batch come to one length: a random subset, the first in raster order, or padding"""
    compat: Literal["", "ijepa"] = ""
    """ijepa: draw as the official code does, with its defects (no last row and column; raster)"""
    target_scale_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""
    context_scale_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""
    ratio_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""


@dataclass(frozen=True)
class HierarchyConfig:
    """The levels of H-JEPA: patches, then groups of 2 x 2, 4 x 4, 8 x 8 of them (hjepa)."""

    levels: int = 3
    """levels, 2 to 4"""
    weights: tuple[float, ...] = (1.0, 0.5, 0.25)
    """weight of each level's loss, finest first"""
    fusion: bool = False
    """add what a coarser level predicts to the queries of the finer one (top-down)"""
