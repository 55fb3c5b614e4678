"""The arguments that would make a model like this one: read off its parts, so that they cannot differ from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig
from jepa.models.convnext import ConvNeXt
from jepa.models.encoder import ContextEncoder
from jepa.models.energy import EnergyTransformer
from jepa.models.generic import JEPA, LOSSES
from jepa.models.hiding import TokenEncoder
from jepa.models.hjepa import HJEPA
from jepa.models.ijepa import IJEPA
from jepa.models.jepa import JEPAModel
from jepa.models.mask_predictor import MaskPredictor
from jepa.models.mlp_encoder import MLPEncoder
from jepa.models.pooling import PooledEncoder
from jepa.models.predictors import AttentionPredictor, MLPPredictor
from jepa.models.resnet import ResNet
from jepa.models.sequence import SequenceEncoder
from jepa.models.vit import VisionTransformer

__all__ = ["build", "describe"]


def _ratio(hidden: int, dim: int) -> float:
    """Return a ratio with int(dim · ratio) = hidden, in spite of rounding."""
    ratio = hidden / dim
    return ratio if int(dim * ratio) == hidden else math.nextafter(ratio, math.inf)


def _positions(codes: mt.Tensor) -> str:
    """Return how positions were made; a frozen model's learned ones count as fixed: their values are saved too."""
    return "learned" if codes.requires_grad else "sincos"


def _vision_transformer(m: Any) -> dict[str, Any]:
    return {
        "image_size": m.image_size,
        "patch_size": m.patch_size,
        "channels": m.patch_embed.proj.weight.shape[1],
        "dim": m.dim,
        "depth": m.depth,
        "heads": m.heads,
        "mlp_ratio": _ratio(m.blocks[0].mlp.fc1.weight.shape[0], m.dim),
        "positions": _positions(m.pos_embed),
        "class_token": m.cls_token is not None,
        "drop_path": m.blocks[-1].drop_path.p,
    }


def _energy_transformer(m: Any) -> dict[str, Any]:
    return {
        "image_size": m.image_size,
        "patch_size": m.patch_size,
        "channels": m.patch_embed.proj.weight.shape[1],
        "dim": m.dim,
        "depth": m.depth,
        "heads": m.heads,
        "mlp_ratio": _ratio(m.block.hopfield.memories.shape[1], m.dim),
        "positions": _positions(m.pos_embed),
        "class_token": m.cls_token is not None,
        "hopfield": m.hopfield,
        "step": m.step,
    }


def _context_encoder(m: Any) -> dict[str, Any]:
    convolutions = [part for part in m.stages if isinstance(part, mt.nn.Conv2d)]
    return {
        "channels": convolutions[0].weight.shape[1],
        "widths": [part.weight.shape[0] for part in convolutions],
        "embedding_dim": m.dim,
        "norm": "batch" if convolutions[0].bias is None else "none",
        "image_size": m.image_size,
    }


def _resnet(m: Any) -> dict[str, Any]:
    return {
        "layers": [len(getattr(m, name)) for name in m.names],
        "width": m.conv1.weight.shape[0],
        "channels": m.conv1.weight.shape[1],
        "stem": m.stem,
        "image_size": m.image_size,
    }


def _convnext(m: Any) -> dict[str, Any]:
    stem, last = m.downsample_layers[0][0].weight, m.stages[-1][-1]
    return {
        "depths": [len(stage) for stage in m.stages],
        "dims": [stage[0].norm.weight.shape[0] for stage in m.stages],
        "patch_size": stem.shape[2],
        "channels": stem.shape[1],
        "scale": "layer" if last.grn is None else "grn",
        "drop_path": last.drop_path.p,
        "image_size": m.image_size,
    }


def _mlp(m: Any) -> dict[str, Any]:
    linear = [part for part in m.mlp if isinstance(part, mt.nn.Linear)]
    return {
        "input_shape": m.input_shape,
        "dim": m.dim,
        "width": linear[0].weight.shape[0] if len(linear) > 1 else 0,
        "depth": len(linear) - 1,
        "norm": "none" if len(linear) == 1 or linear[0].bias is not None else "batch",
    }


def _mask_predictor(m: Any) -> dict[str, Any]:
    first = m.predictor_blocks[0]
    width, dim = m.predictor_embed.weight.shape
    return {
        "grid": m.grid,
        "dim": dim,
        "width": width,
        "depth": len(m.predictor_blocks),
        "heads": first.attn.heads,
        "mlp_ratio": _ratio(first.mlp.fc1.weight.shape[0], width),
        "positions": _positions(m.predictor_pos_embed),
        "drop_path": m.predictor_blocks[-1].drop_path.p,
    }


def _attention_predictor(m: Any) -> dict[str, Any]:
    width, dim = m.embed.weight.shape
    return {
        "grid": m.grid,
        "dim": dim,
        "width": width,
        "depth": len(m.blocks),
        "heads": m.blocks[0].attn.heads,
        "mlp_ratio": _ratio(m.blocks[0].mlp.fc1.weight.shape[0], width),
        "positions": _positions(m.pos_embed),
    }


def _mlp_predictor(m: Any) -> dict[str, Any]:
    linear = [part for part in m.mlp if isinstance(part, mt.nn.Linear)]
    width = linear[0].weight.shape[0] if len(linear) > 1 else None
    return {"hidden_dim": m.dim, "width": width, "depth": len(linear) - 1, "told": m.told}


def _sequence_encoder(m: Any) -> dict[str, Any]:
    return {
        "hidden_dim": m.dim,
        "input_dim": m.input_dim,
        "vocab_size": None if m.table is None else m.table.weight.shape[0],
        "depth": len(m.blocks),
        "heads": m.blocks[0].attn.heads,
        "mlp_ratio": _ratio(m.blocks[0].mlp.fc1.weight.shape[0], m.dim),
        "batch_first": m.batch_first,
    }


def _pairs(m: Any) -> dict[str, Any]:
    return {
        "encoder": m.context_encoder,
        "predictor": m.predictor,
        "target": m.target,
        "loss": m.loss_name,
        "momentum": m.momentum,
        "force": True,  # whoever made it has been asked
    }


def _jepa(m: Any) -> dict[str, Any]:
    return {"config": m.config, "vit": m.vit}


def _ijepa(m: Any) -> dict[str, Any]:
    return {"model": m.model, "vit": m.vit}


def _body(m: Any) -> dict[str, Any]:
    return {"body": m.body}


def _pooled(m: Any) -> dict[str, Any]:
    return {"body": m.body, "embedding_dim": m.dim}


def _hjepa(m: Any) -> dict[str, Any]:
    p = m.predictor
    return {
        "encoder": describe(m.context_encoder),
        "levels": len(m.groups),
        "predictor_dim": p.embed.weight.shape[0],
        "predictor_depth": len(p.blocks),
        "predictor_heads": p.blocks[0].attn.heads,
        "mlp_ratio": _ratio(p.blocks[0].mlp.fc1.weight.shape[0], p.embed.weight.shape[0]),
        "positions": "sincos" if p.fixed else "learned",
        "fusion": p.fusion,
        "target": "ema" if m.target_encoder is not None else "shared" if m.shared else "stopgrad",
        "momentum": m.momentum,
        "momentum_steps": m.momentum_steps,
        "normalize_targets": m.normalize_targets,
    }


KNOWN: dict[type, Callable[[Any], dict[str, Any]]] = {
    VisionTransformer: _vision_transformer,
    EnergyTransformer: _energy_transformer,
    ContextEncoder: _context_encoder,
    ResNet: _resnet,
    ConvNeXt: _convnext,
    MLPEncoder: _mlp,
    TokenEncoder: _body,
    PooledEncoder: _pooled,
    MaskPredictor: _mask_predictor,
    AttentionPredictor: _attention_predictor,
    MLPPredictor: _mlp_predictor,
    SequenceEncoder: _sequence_encoder,
    JEPA: _pairs,
    JEPAModel: _jepa,
    IJEPA: _ijepa,
    HJEPA: _hjepa,
    JEPAConfig: dataclasses.asdict,
    ViTConfig: dataclasses.asdict,
}
GONE = ("projector",)  # an older JEPAConfig had it, and nothing read it
NAMES: dict[str, type] = {kind.__name__: kind for kind in KNOWN}


def _all_ours(model: Any) -> bool:
    """Return whether a JEPA of any parts has only parts of ours."""
    if not isinstance(model, JEPA):
        return True
    ours = type(model.context_encoder) in KNOWN and type(model.predictor) in KNOWN
    return ours and model.objective is LOSSES.get(model.loss_name)


def describe(model: Any) -> dict[str, Any]:
    """Return {"class": its name, "settings": its arguments}; only the name for a class that is not one of ours.

    >>> describe(MLPEncoder(6, dim=2, width=4, depth=1))["settings"]
    {'input_shape': (6,), 'dim': 2, 'width': 4, 'depth': 1, 'norm': 'batch'}
    """
    found = KNOWN.get(type(model))
    if found is None or not _all_ours(model):
        return {"class": type(model).__name__}
    settings = {key: describe(v) if type(v) in KNOWN else v for key, v in found(model).items()}
    return {"class": type(model).__name__, "settings": settings}


def build(description: dict[str, Any]) -> Any:
    """Return a model as `describe` describes it, with fresh weights.

    Raises KeyError for a class that is not one of ours, TypeError for settings that it does not have.

    >>> build(describe(MLPEncoder(6, dim=2, depth=1)))(mt.ones((3, 6))).shape
    (3, 2)
    """

    def value(given: Any) -> Any:
        if isinstance(given, dict) and "class" in given:
            return build(given)
        return tuple(map(value, given)) if isinstance(given, list) else given

    settings = {key: value(v) for key, v in description["settings"].items() if key not in GONE}
    return NAMES[description["class"]](**settings)
