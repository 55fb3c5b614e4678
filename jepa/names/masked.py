"""I-JEPA and H-JEPA: hidden patches, and groups of them, are predicted from what is visible."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import minitensor as mt
from jepa import learner, predictors, targets
from jepa.contracts import Batch, Embeddings, Flags, Keep
from jepa.encoders.vit import vit
from jepa.errors import ConfigError
from jepa.masks import Masks, from_binary
from jepa.masks.groups import groups
from jepa.tasks.levels import Groups
from jepa.tasks.masked import Places


class IJEPA(learner.JEPA):
    """I-JEPA (Assran et al. 2023): the tokens of hidden blocks are predicted from those of a visible block.

    encoder: of patches; predictor: settings of `jepa.predictors.Places`.

    >>> import jepa.encoders
    >>> from jepa.masks import multiblock_masks
    >>> from jepa.tasks.masked import MaskedSettings
    >>> encoder = jepa.encoders.ViT((3, 32, 32), patch=4, dim=16, depth=1, heads=2)
    >>> model = IJEPA(encoder, dim=8, depth=1, heads=2)
    >>> masks = multiblock_masks(MaskedSettings(), (8, 8), 5, np.random.default_rng(0))
    >>> z = model(mt.ones((5, 3, 32, 32)), masks)
    >>> len(z.predictions), z.predictions[0].shape == z.targets[0].shape
    (4, True)
    """

    def __init__(self, encoder: Any, *, target: Any = "ema", objective: Any = None, **predictor: Any) -> None:
        places = predictors.Places(encoder.dim, encoder.grid, **predictor)
        super().__init__(encoder, places, objective=objective, target=target)

    def forward(self, images: Any, masks: Masks, target_images: Any = None) -> Embeddings:
        """Return the embeddings of images (n, c, h, w); target_images: what the target sees, if it is not the same."""
        images = _array(images)
        true = images if target_images is None else _array(target_images)
        keep = Keep(np.stack(masks.context, axis=1), _stacked(masks.context_valid))
        asked = Places(np.stack(masks.target, axis=1), _stacked(masks.target_valid))
        return self.embed(Batch(images, keep, true[:, None], asked))


class HJEPA(learner.JEPA):
    """H-JEPA: level l predicts the mean embedding of groups of 2^l x 2^l hidden patches.

        s*_g = LN(mean over the hidden patches of g of target(image));  ŝ_g = predictor(context, center of g)

    A group is a target if at least half of its patches are hidden. encoder: of patches; levels: 2 to 4; momentum: of
    the moving average, at the start and at the end of `momentum_steps`; predictor: settings of
    `jepa.predictors.Levels`. Raises ConfigError for levels that there are not, or more than the grid has.

    >>> model = create_hjepa("vit_tiny_patch4_32", depth=1, predictor_depth=1, num_hierarchies=2)
    >>> mask = np.zeros((2, 64), bool); mask[:, :32] = True
    >>> outputs = model(mt.ones((2, 3, 32, 32)), mask, return_all_levels=True)
    >>> [p.shape for p in outputs["predictions"]]
    [(2, 32, 192), (2, 8, 192)]
    """

    def __init__(
        self,
        encoder: Any,
        levels: int = 3,
        *,
        target: Any = None,
        objective: Any = None,
        momentum: tuple[float, float] = (0.996, 1.0),
        momentum_steps: int = 30_000,
        **predictor: Any,
    ) -> None:
        made = predictors.Levels(encoder.dim, encoder.grid, levels=levels, **predictor)
        follows = targets.EMA(start=momentum[0], end=momentum[1]) if target is None else target
        super().__init__(encoder, made, objective=objective, target=follows)
        self.momentum_steps = momentum_steps

    def forward(self, images: Any, mask: Any, return_all_levels: bool = True) -> dict[str, Any]:
        """Return what is predicted of the hidden patches of images (n, c, h, w), and what is true.

        mask: (n, N), 1 or True where a patch is hidden. "predictions", "targets": one Tensor (n, K_l, dim) for each
        level, or for the finest alone; "valid": for each level which rows are no padding (bool (n, K_l)); "context":
        the tokens (n, K, dim), and "context_valid".
        """
        grid, hidden = self.context.encoder.grid, np.asarray(_array(mask)).astype(bool)
        if hidden.shape != (len(images), int(np.prod(grid))):
            shape = len(images), int(np.prod(grid))
            raise ValueError(f"mask is {shape}, 1 where a patch is hidden; got {hidden.shape}")
        if not hidden.any(axis=1).all() or hidden.all(axis=1).any():
            raise ValueError("a mask that hides nothing, or everything, leaves nothing to predict, or to predict from")
        levels = self.predictor.settings.levels if return_all_levels else 1
        wanted = [from_binary(groups(grid, level).hidden(hidden)) for level in range(levels)]
        asked = Groups(grid, hidden, [index for index, _ in wanted], [flags for _, flags in wanted], (1.0,) * levels)
        visible, kept = from_binary(~hidden)
        keep = Keep(visible[:, None], None if kept.all() else kept[:, None])
        images = images if isinstance(images, mt.Tensor) else mt.Tensor(images)
        context, valid = self.context.context(images, keep, asked)
        true = self.target(self.context, images[:, None], asked)
        return {
            "predictions": self.predictor(context, valid, keep, asked),
            "targets": [self.objective.targets(t) for t in true],
            "valid": asked.valid,
            "context": context,
            "context_valid": valid,
        }

    def extract_features(self, images: Any, level: int = 0, use_target_encoder: bool = True) -> mt.Tensor:
        """Return the tokens of a level: see `extract_features`."""
        return extract_features(self, images, level, use_target_encoder)

    def update_target_encoder(self, current_step: int) -> float:
        """Move the target after a step; return the momentum: see `update_target_encoder`."""
        return update_target_encoder(self, current_step, self.momentum_steps)


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
    """Return an `HJEPA` on a vision transformer that is named (`jepa.encoders.vit`), with further settings of it.

    Raises ConfigError if embed_dim is not the named transformer's. See `HJEPA` for an example.
    """
    built = vit(encoder_type if img_size is None else f"{encoder_type.rsplit('_', 1)[0]}_{img_size}", **encoder)
    if embed_dim is not None and embed_dim != built.dim:
        raise ConfigError(f"embed_dim={embed_dim}, but {encoder_type} has {built.dim}: leave embed_dim away")
    predictor: dict[str, Any] = {"dim": predictor_dim, "depth": predictor_depth, "heads": predictor_heads}
    rest: dict[str, Any] = {"momentum": momentum, "momentum_steps": momentum_steps, "mlp_ratio": mlp_ratio}
    return HJEPA(built, num_hierarchies, **rest, **predictor, fusion=fusion)


def create_hjepa_from_config(config: Mapping[str, Any], steps_per_epoch: int = 1000) -> HJEPA:
    """Return an `HJEPA` from a mapping with a group "model", as read from YAML.

    model: encoder_type, embed_dim, num_hierarchies, img_size; model.predictor: depth, num_heads, mlp_ratio;
    model.ema: momentum, momentum_end, momentum_warmup_epochs, in epochs of `steps_per_epoch`. What is left out has its
    default; another key raises ConfigError.

    >>> model = create_hjepa_from_config({"model": {"encoder_type": "vit_tiny_patch8_32", "num_hierarchies": 2}})
    >>> model.predictor.settings.levels
    2
    """
    settings = dict(config.get("model", config))
    predictor, ema = dict(settings.pop("predictor", {})), dict(settings.pop("ema", {}))
    known = {"encoder_type", "embed_dim", "num_hierarchies", "img_size"}
    rest = [key for key in settings if key not in known]
    rest += [f"predictor.{key}" for key in predictor if key not in ("depth", "num_heads", "mlp_ratio")]
    rest += [f"ema.{key}" for key in ema if key not in ("momentum", "momentum_end", "momentum_warmup_epochs")]
    if rest:
        raise ConfigError(f"H-JEPA's model has no setting {', '.join(rest)}; it has {', '.join(sorted(known))}, ...")
    return create_hjepa(
        **settings,
        predictor_depth=predictor.get("depth", 6),
        predictor_heads=predictor.get("num_heads", 12),
        mlp_ratio=predictor.get("mlp_ratio", 4.0),
        momentum=(ema.get("momentum", 0.996), ema.get("momentum_end", 1.0)),
        momentum_steps=ema.get("momentum_warmup_epochs", 30) * steps_per_epoch,
    )


def extract_features(model: learner.JEPA, x: Any, level: int = 0, use_target_encoder: bool = True) -> mt.Tensor:
    """Return the tokens of a level: (n, *shape) -> (n, G, dim), the means over each group.

    >>> import jepa.encoders
    >>> model = IJEPA(jepa.encoders.ViT((3, 32, 32), patch=4, dim=16, depth=1, heads=2), dim=8, depth=1, heads=2)
    >>> extract_features(model, mt.ones((2, 3, 32, 32)), level=1).shape
    (2, 16, 16)
    """
    if not 0 <= level <= 3:
        raise ValueError(f"level is one of 0 to 3; got {level}")
    encoder: Any = model.encoders["target" if use_target_encoder else "context"]
    tokens = encoder.tokens(x if isinstance(x, mt.Tensor) else mt.Tensor(x))
    pool = groups(encoder.grid, level).pool().astype(tokens.dtype)
    y: mt.Tensor = mt.Tensor(pool, device=tokens.device) @ tokens
    return y


def update_target_encoder(model: learner.JEPA, current_step: int, steps: int) -> float:
    """Move the target after step `current_step`, counted from 0, of `steps`; return the momentum (1 if none moves).

    From start to end along a cosine: end - (end - start) (1 + cos(π t / T)) / 2; after T steps it stays there.

    >>> import jepa.encoders
    >>> model = IJEPA(jepa.encoders.ViT((3, 32, 32), patch=4, dim=16, depth=1, heads=2), dim=8, depth=1, heads=2)
    >>> update_target_encoder(model, 0, 100)
    0.99
    """
    return model.after_step(current_step, steps).get("ema", 1.0)


def _stacked(flags: list[Flags] | None) -> Flags | None:
    return None if flags is None else np.stack(flags, axis=1)


def _array(x: Any) -> Any:
    return x.numpy() if isinstance(x, mt.Tensor) else np.asarray(x)
