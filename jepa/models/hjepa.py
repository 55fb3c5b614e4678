"""H-JEPA: hidden patches, and groups of them at coarser and coarser levels, are predicted from what is visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.masks import from_binary
from jepa.models.block import EPS, STD, Block, initialize
from jepa.models.encoder import TargetEncoder
from jepa.models.hiding import TokenEncoder
from jepa.models.hierarchy import Groups, groups
from jepa.models.ijepa import TokenModel
from jepa.models.positions import position_parameter, sincos
from jepa.models.vit import VisionTransformer, gather_tokens, vit

__all__ = ["HJEPA", "HierarchicalPredictor", "create_hjepa", "create_hjepa_from_config"]

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Images = NDArray[np.float32]
LEVELS = (2, 4)  # fewest and most


class HierarchicalPredictor(mt.nn.Layer):
    """Predicts the hidden groups of each level from the visible patches' tokens.

        c = tokens W + b + positions;  q = mask_token_l + position of the centre;  ŝ = head_l(norm(blocks([c; q])))

    The blocks are shared by all levels; the mask token and the head are each level's own. With `fusion`, top-down: the
    coarsest level goes first, and what it made of a group is added to the queries of the groups inside it.

    >>> levels = [groups((4, 4), 0), groups((4, 4), 1)]
    >>> predictor = HierarchicalPredictor(levels, dim=16, width=8, depth=1, heads=2)
    >>> context = mt.ones((1, 3, 16)), np.array([[0, 1, 2]]), None
    >>> [y.shape for y in predictor(*context, [(np.array([[5, 6]]), None), (np.array([[3]]), None)])]
    [(1, 2, 16), (1, 1, 16)]
    """

    def __init__(
        self,
        levels: Sequence[Groups],
        dim: int,
        width: int = 384,
        depth: int = 6,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        positions: str = "sincos",
        fusion: bool = False,
    ) -> None:
        self.groups, self.fixed, self.fusion = tuple(levels), positions == "sincos", fusion
        self.embed = mt.nn.Linear(dim, width)
        self.mask_tokens = mt.nn.Parameter(np.zeros((len(levels), 1, 1, width), np.float32))
        self.pos_embed = position_parameter(positions, self.groups[0].grid, width)
        self.blocks = mt.nn.LayerList([Block(width, heads, mlp_ratio) for _ in range(depth)])
        self.norm = mt.nn.LayerNorm(width, EPS)
        self.heads = mt.nn.LayerList([mt.nn.Linear(width, dim) for _ in levels])
        initialize(self, self.blocks)
        mt.nn.init.trunc_normal_(self.mask_tokens, std=STD)

    def positions(self, level: int) -> mt.Tensor:
        """Return the positions of a level's groups, (1, G, width): of their centres, or the mean of learned ones."""
        width = self.pos_embed.shape[2]
        if self.fixed:
            centres = sincos(self.groups[level].centres, width)[None].astype(self.pos_embed.dtype)
            return mt.Tensor(centres, device=self.pos_embed.device)
        return mt.Tensor(self.groups[level].pool(), device=self.pos_embed.device) @ self.pos_embed  # type: ignore[no-any-return]

    def forward(
        self, tokens: mt.Tensor, context: Indices, valid: Mask | None, wanted: Sequence[tuple[Indices, Mask | None]]
    ) -> list[mt.Tensor]:
        """Return the predicted tokens of the groups that are wanted of each level, finest first: (n, K_l, dim) each.

        tokens (n, Kc, dim) of the patches `context` (n, Kc), of which `valid` are no padding; wanted: for each level
        the indices of groups (n, K_l), and which of them are no padding (None: all).
        """
        n, kept, _ = tokens.shape
        c = self.embed(tokens) + self._at(0, n, context)  # (n, Kc, width)
        valid = np.ones((n, kept), bool) if valid is None else valid
        above: mt.Tensor | None = None  # (n, G, width): what the level above made of each of its groups
        predictions = []
        for level in reversed(range(len(wanted))):
            index, true = wanted[level]
            q = self.mask_tokens[level] + self._at(level, n, index)  # (n, K, width)
            if above is not None:
                q = q + gather_tokens(above, [self._parents(level)[index]])
            seen = np.concatenate([valid, np.ones(index.shape, bool) if true is None else true], axis=1)
            x = mt.concatenate([c, q], axis=1)
            mask = None if seen.all() else mt.Tensor(seen, device=x.device)
            for block in self.blocks:
                x = block(x, mask)
            y = self.norm(x[:, kept:])  # (n, K, width)
            predictions.append(self.heads[level](y))
            above = self._spread(y, level, index, true) if self.fusion else None
        return predictions[::-1]

    def _at(self, level: int, n: int, index: Indices) -> mt.Tensor:
        positions = self.positions(level)
        return gather_tokens(mt.broadcast_to(positions, (n, *positions.shape[1:])), [index])

    def _parents(self, level: int) -> Indices:
        """Return the group of the next level that each group of a level lies in, (G,)."""
        rows, columns = (axis.reshape(-1) for axis in np.indices(self.groups[level].grid))
        return rows // 2 * self.groups[level + 1].grid[1] + columns // 2

    def _spread(self, y: mt.Tensor, level: int, index: Indices, true: Mask | None) -> mt.Tensor:
        """Return tokens (n, K, width) at the places of their groups, 0 elsewhere: (n, G, width)."""
        count = len(self.groups[level].members)
        places = index[:, None, :] == np.arange(count)[:, None]  # (n, G, K)
        places = places if true is None else places & true[:, None, :]
        return mt.Tensor(places.astype(y.dtype), device=y.device) @ y  # type: ignore[no-any-return]


class HJEPA(TokenModel):
    """A hierarchical JEPA: level l predicts the mean embedding of groups of 2^l x 2^l hidden patches.

        s*_g = LN(mean over the hidden patches of g of target_encoder(image));  ŝ_g = predictor(context, centre of g)

    A group is a target if at least half of its patches are hidden; at the border groups may be partial. LN has no
    parameters (normalize_targets=False: no LN). The target encoder sees the whole image and is a moving average.

    encoder: a vision transformer, or another in a `TokenEncoder`; levels: 2 to 4; predictor_dim, predictor_depth,
    predictor_heads, mlp_ratio, positions, fusion: see `HierarchicalPredictor`; target: "ema", "stopgrad" or "shared";
    momentum: at the start and at the end of `momentum_steps`, rising along a cosine. Raises ValueError for levels
    outside 2 to 4, or more than the grid has.

    >>> model = create_hjepa("vit_tiny_patch4_32", depth=1, predictor_depth=1, num_hierarchies=2)
    >>> mask = np.zeros((2, 64), bool); mask[:, :32] = True
    >>> outputs = model(mt.ones((2, 3, 32, 32)), mask, return_all_levels=True)
    >>> [p.shape for p in outputs["predictions"]]
    [(2, 32, 192), (2, 8, 192)]
    """

    def __init__(
        self,
        encoder: VisionTransformer | TokenEncoder,
        levels: int = 3,
        predictor_dim: int = 384,
        predictor_depth: int = 6,
        predictor_heads: int = 12,
        mlp_ratio: float = 4.0,
        positions: str = "sincos",
        fusion: bool = False,
        target: str = "ema",
        momentum: tuple[float, float] = (0.996, 1.0),
        momentum_steps: int = 30_000,
        normalize_targets: bool = True,
    ) -> None:
        if not LEVELS[0] <= levels <= LEVELS[1]:
            raise ValueError(f"a hierarchy has 2 to 4 levels (patches, then groups of 2x2, 4x4, 8x8); got {levels}")
        if 2 ** (levels - 1) > max(encoder.grid):
            grid = " x ".join(map(str, encoder.grid))
            raise ValueError(f"{levels} levels group {2 ** (levels - 1)} x {2 ** (levels - 1)} of only {grid} patches")
        self.context_encoder = encoder
        self.groups = tuple(groups(encoder.grid, level) for level in range(levels))
        self.predictor = HierarchicalPredictor(
            self.groups, encoder.dim, predictor_dim, predictor_depth, predictor_heads, mlp_ratio, positions, fusion
        )
        self.target_encoder = TargetEncoder(encoder) if target == "ema" else None
        self.shared = target == "shared"
        self.momentum, self.momentum_steps = momentum, momentum_steps
        self.normalize_targets = normalize_targets

    def forward(
        self,
        images: mt.Tensor,
        mask: Any,
        return_all_levels: bool = True,
        context: tuple[Indices, Mask | None] | None = None,
        target_images: mt.Tensor | None = None,
        misplaced: bool = False,
    ) -> dict[str, Any]:
        """Return what is predicted of the hidden patches, and what is true.

        images (n, c, h, w); mask (n, N), 1 or True where a patch is hidden and to be predicted; context: the patches
        that are seen, as indices (n, K) and which of them are no padding; by default all that are not hidden.
        target_images: what the target encoder sees, if it is not the same. misplaced: tell the predictor of each target
        the place of another one, to see what it makes of a wrong question.

        "predictions", "targets": one Tensor (n, K_l, dim) for each level, or for the finest alone; "valid": for each
        level which rows are no padding (bool (n, K_l)); "context": the tokens (n, K, dim).
        """
        hidden = np.asarray(mask.numpy() if isinstance(mask, mt.Tensor) else mask).astype(bool)
        count = len(self.groups[0].members)
        if hidden.shape != (len(images), count):
            raise ValueError(f"mask is {(len(images), count)}, 1 where a patch is hidden; got {hidden.shape}")
        if not hidden.any(axis=1).all() or (context is None and hidden.all(axis=1).any()):
            raise ValueError("a mask that hides nothing, or everything, leaves nothing to predict, or to predict from")
        visible, valid = from_binary(~hidden) if context is None else context
        valid = None if valid is None or valid.all() else valid
        levels = self.groups if return_all_levels else self.groups[:1]
        wanted = [from_binary(level.hidden(hidden)) for level in levels]
        s = self.context_encoder(images, [visible], valid)
        if self.context_encoder.cls_token is not None:
            s = s[:, 1:]
        told = [(_turned(*w), w[1]) for w in wanted] if misplaced else wanted
        predictions = self.predictor(s, visible, valid, told)
        truth = self.encode_target(images if target_images is None else target_images)  # (n, N, dim)
        targets = [self._target(truth, level, hidden, index) for level, (index, _) in zip(levels, wanted, strict=True)]
        return {
            "predictions": predictions,
            "targets": targets,
            "valid": [true for _, true in wanted],
            "context": s,
            "context_valid": valid,
        }

    def _target(self, truth: mt.Tensor, level: Groups, hidden: Mask, index: Indices) -> mt.Tensor:
        weights = np.take_along_axis(level.hidden_mean(hidden), index[:, :, None], axis=1)  # (n, K, N)
        means = mt.Tensor(weights.astype(truth.dtype), device=truth.device) @ truth
        return mt.nn.functional.layer_norm(means, (truth.shape[-1],)) if self.normalize_targets else means

    def extract_features(self, images: mt.Tensor, level: int = 0, use_target_encoder: bool = True) -> mt.Tensor:
        """Return the tokens of a level: (n, c, h, w) -> (n, G, dim), the means over each group's patches."""
        if not 0 <= level < len(self.groups):
            raise ValueError(f"level is one of 0 to {len(self.groups) - 1}; got {level}")
        encoder = self.encoder("target" if use_target_encoder else "context")
        tokens = encoder(images)[:, 0 if encoder.cls_token is None else 1 :]
        pool = mt.Tensor(self.groups[level].pool().astype(tokens.dtype), device=tokens.device)
        return pool @ tokens  # type: ignore[no-any-return]

    def features(
        self, images: Images, encoder: str = "target", pool: str = "mean", batch_size: int = 256, level: int = 0
    ) -> Images:
        """Return features as `TokenModel.features`; those of a coarser level are the mean over its groups."""
        if level == 0:
            return super().features(images, encoder, pool, batch_size)
        if not 0 < level < len(self.groups) or pool != "mean":
            raise ValueError(f"level is one of 0 to {len(self.groups) - 1}, with pool='mean'; got {level} and {pool!r}")
        pooling = self.groups[level].pool().mean(axis=0)  # (N,): border groups count as much as whole ones
        mean: Images = np.einsum("n,bnd->bd", pooling, self.tokens(images, encoder, batch_size))
        return mean

    def update_target_encoder(self, current_step: int) -> float:
        """Move the target encoder after a step; return the momentum, end - (end - start) (1 + cos(π t / T)) / 2.

        It rises from `momentum[0]` at step 0 to `momentum[1]` at step T = momentum_steps, and stays there.
        """
        start, end = self.momentum
        momentum = float(mt.optim.schedule.cosine(current_step, start=start, end=end, steps=self.momentum_steps))
        if self.target_encoder is not None:
            self.target_encoder.update(momentum)
        return momentum


def _turned(index: Indices, valid: Mask) -> Indices:
    """Return indices (n, K) with each row's valid ones moved on by half their number."""
    count = valid.sum(axis=1, keepdims=True)  # (n, 1); padding comes last
    place = np.arange(index.shape[1])
    moved = np.where(place < count, (place + (count + 1) // 2) % np.maximum(count, 1), place)
    return np.take_along_axis(index, moved, axis=1)


def create_hjepa(
    encoder_type: str = "vit_base_patch16_224",
    img_size: int | None = None,
    embed_dim: int | None = None,
    predictor_depth: int = 6,
    num_hierarchies: int = 3,
    predictor_heads: int = 12,
    predictor_dim: int = 384,
    mlp_ratio: float = 4.0,
    fusion: bool = False,
    momentum: tuple[float, float] = (0.996, 1.0),
    momentum_steps: int = 30_000,
    **encoder: Any,
) -> HJEPA:
    """Return an `HJEPA` on a vision transformer that is named (`vit`), with further settings of the encoder.

    Raises ValueError if embed_dim is not the named transformer's. See `HJEPA` for an example.
    """
    built = vit(encoder_type, **({} if img_size is None else {"image_size": img_size}), **encoder)
    if embed_dim is not None and embed_dim != built.dim:
        raise ValueError(f"embed_dim={embed_dim}, but {encoder_type} has {built.dim}: leave embed_dim away")
    return HJEPA(
        built,
        num_hierarchies,
        predictor_dim,
        predictor_depth,
        predictor_heads,
        mlp_ratio,
        fusion=fusion,
        momentum=momentum,
        momentum_steps=momentum_steps,
    )


def create_hjepa_from_config(config: Mapping[str, Any], steps_per_epoch: int = 1000) -> HJEPA:
    """Return an `HJEPA` from a mapping with a group "model", as read from YAML.

    model: encoder_type, embed_dim, num_hierarchies, img_size; model.predictor: depth, num_heads, mlp_ratio;
    model.ema: momentum, momentum_end, momentum_warmup_epochs, in epochs of `steps_per_epoch`. What is left out has its
    default; another key raises ValueError.

    >>> model = create_hjepa_from_config({"model": {"encoder_type": "vit_tiny_patch8_32", "num_hierarchies": 2}})
    >>> len(model.groups)
    2
    """
    settings = dict(config.get("model", config))
    predictor, ema = dict(settings.pop("predictor", {})), dict(settings.pop("ema", {}))
    known = {"encoder_type", "embed_dim", "num_hierarchies", "img_size"}
    rest = {
        **{key: None for key in settings if key not in known},
        **{f"predictor.{key}": None for key in predictor if key not in ("depth", "num_heads", "mlp_ratio")},
        **{f"ema.{key}": None for key in ema if key not in ("momentum", "momentum_end", "momentum_warmup_epochs")},
    }
    if rest:
        raise ValueError(f"H-JEPA's model has no setting {', '.join(rest)}; it has {', '.join(sorted(known))}, ...")
    return create_hjepa(
        **settings,
        predictor_depth=predictor.get("depth", 6),
        predictor_heads=predictor.get("num_heads", 12),
        mlp_ratio=predictor.get("mlp_ratio", 4.0),
        momentum=(ema.get("momentum", 0.996), ema.get("momentum_end", 1.0)),
        momentum_steps=ema.get("momentum_warmup_epochs", 30) * steps_per_epoch,
    )
