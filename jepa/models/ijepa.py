"""I-JEPA: the tokens of hidden blocks are predicted from those of a visible block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig
from jepa.masks import Masks
from jepa.models.configured import token_encoder
from jepa.models.encoder import TargetEncoder
from jepa.models.hiding import TokenEncoder
from jepa.models.mask_predictor import MaskPredictor
from jepa.models.vit import VisionTransformer, gather_tokens

__all__ = ["IJEPA", "TokenModel", "Tokens"]

Images = NDArray[np.float32]


class Tokens(NamedTuple):
    """What one batch of n images becomes, with E contexts and M targets; tokens of size d."""

    context: mt.Tensor
    """(E n, Kc, d) of the context patches"""
    prediction: mt.Tensor
    """(M E n, Kt, d) predicted for the target patches"""
    target: mt.Tensor
    """(M E n, Kt, d) true ones of the target patches"""
    context_valid: NDArray[np.bool_] | None = None
    """(E n, Kc): which context tokens are not padding; None: all"""
    target_valid: NDArray[np.bool_] | None = None
    """(M E n, Kt): which target tokens are not padding; None: all"""


class TokenModel(mt.nn.Layer):
    """What the masked models share: context encoder, target encoder, and features of whole images."""

    context_encoder: VisionTransformer | TokenEncoder
    target_encoder: TargetEncoder | None
    shared: bool = False
    """the target encoder is the context encoder, gradient and all"""

    def encoder(self, which: str = "target") -> VisionTransformer | TokenEncoder:
        """Return one of the two encoders; where the target has none of its own, they are the same."""
        if which not in ("target", "context"):
            raise ValueError(f"encoder is 'target' or 'context'; got {which!r}")
        if which == "context" or self.target_encoder is None:
            return self.context_encoder
        return self.target_encoder.encoder  # type: ignore[no-any-return]

    def encode_target(self, images: mt.Tensor) -> mt.Tensor:
        """Return the true tokens of whole images: (n, c, h, w) -> (n, N, d); with a gradient only if shared."""
        if self.target_encoder is not None:
            tokens = self.target_encoder(images)
        elif self.shared:
            tokens = self.context_encoder(images)
        else:
            with mt.no_grad(), mt.nn.frozen_statistics(self.context_encoder):
                tokens = self.context_encoder(images)
        return tokens if self.context_encoder.cls_token is None else tokens[:, 1:]  # type: ignore[no-any-return]

    def tokens(self, images: Images, encoder: str = "target", batch_size: int = 256) -> Images:
        """Return the frozen encoder's tokens of whole images: (n, c, h, w) -> (n, N, d), one per patch."""
        first = 0 if self.context_encoder.cls_token is None else 1
        return self._frozen(images, encoder, batch_size, lambda e, x: e(x)[:, first:])

    def features(self, images: Images, encoder: str = "target", pool: str = "mean", batch_size: int = 256) -> Images:
        """Return the frozen encoder's features of whole images, normalised as in training: (n, c, h, w) -> (n, d).

        pool: "mean", of all patches' tokens; "cls", the class token; "last4", the means after each of the last four
        blocks, each with its own layer norm without parameters, side by side, (n, 4 d), as I-JEPA's paper probes;
        "attentive", the mean weighted by how much attention each patch gets from all others in the last block.
        """
        return self._frozen(images, encoder, batch_size, lambda e, x: pooled(e, x, pool))

    def _frozen(
        self, images: Images, encoder: str, batch_size: int, f: Callable[[mt.nn.Layer, mt.Tensor], mt.Tensor]
    ) -> Images:
        chosen = self.encoder(encoder)
        training, device = chosen.training, next(iter(chosen.parameters())).device
        chosen.eval()
        with mt.no_grad():
            parts = [
                mt.data_parallel(lambda x: f(chosen, x), mt.Tensor(images[i : i + batch_size], device=device)).numpy()
                for i in range(0, len(images), batch_size)
            ]
        chosen.train(training)
        return np.concatenate(parts)


def pooled(encoder: Any, images: mt.Tensor, pool: str) -> mt.Tensor:
    """Return one vector for each image: (n, c, h, w) -> (n, d), or (n, 4 d) with pool="last4".

    >>> encoder = VisionTransformer(image_size=8, patch_size=4, dim=8, depth=4, heads=2)
    >>> pooled(encoder, mt.ones((2, 3, 8, 8)), "last4").shape
    (2, 32)
    """
    first = 0 if encoder.cls_token is None else 1
    if pool == "mean":
        return encoder(images)[:, first:].mean(axis=1)  # type: ignore[no-any-return]
    if pool == "cls":
        if not first:
            raise ValueError("pool='cls' needs an encoder with a class token: VisionTransformer(class_token=True)")
        return encoder(images)[:, 0]  # type: ignore[no-any-return]
    if pool in ("last4", "attentive") and not isinstance(encoder, VisionTransformer):
        raise ValueError(f"pool={pool!r} needs the blocks of a vision transformer; got {type(encoder).__name__}")
    if pool == "last4":
        last = encoder.tokens(images)[-4:]
        means = [mt.nn.functional.layer_norm(x, (encoder.dim,))[:, first:].mean(axis=1) for x in last]
        return mt.concatenate(means, axis=-1)
    if pool == "attentive":
        weights = encoder.attention_maps(images)[-1].mean(axis=(1, 2))[:, first:]  # (n, N): attention received
        weights = weights / weights.sum(axis=1, keepdims=True)
        return (encoder(images)[:, first:] * weights[:, :, None]).sum(axis=1)  # type: ignore[no-any-return]
    raise ValueError(f"pool is 'mean', 'cls', 'attentive' or 'last4'; got {pool!r}")


class IJEPA(TokenModel):
    """I-JEPA (Assran et al. 2023): a context block's tokens predict those of target blocks of the same image.

        s = context_encoder(image[context]);  ŝ = predictor(s, where);  s* = target_encoder(image)[targets]

    The target encoder sees the whole image and is a moving average of the context encoder (model.target="ema"), or the
    context encoder itself, without gradient ("stopgrad") or with it ("shared": needs a loss that forbids constants).

    >>> from jepa.masks import MultiBlockMasks
    >>> vit = ViTConfig(dim=16, depth=1, heads=2, predictor_dim=8, predictor_heads=2)
    >>> model = IJEPA(JEPAConfig(image_size=32), vit)
    >>> masks = MultiBlockMasks().sample((8, 8), 5, np.random.default_rng(0))
    >>> z = model(mt.ones((5, 3, 32, 32)), masks)
    >>> z.prediction.shape == z.target.shape, len(z.prediction)
    (True, 20)
    """

    def __init__(self, model: JEPAConfig, vit: ViTConfig) -> None:
        self.model, self.vit = model, vit
        self.context_encoder = token_encoder(model, vit)
        self.predictor = MaskPredictor(
            self.context_encoder.grid,
            self.context_encoder.dim,
            vit.predictor_dim,
            vit.predictor_depth,
            vit.predictor_heads,
            vit.mlp_ratio,
            vit.positions,
        )
        self.target_encoder = TargetEncoder(self.context_encoder) if model.target == "ema" else None
        self.shared = model.target == "shared"

    def forward(
        self, images: mt.Tensor, masks: Masks, target_images: mt.Tensor | None = None, asked: Masks | None = None
    ) -> Tokens:
        """Return the tokens of a batch of images (n, c, h, w).

        target_images: what the target encoder sees, if it is not the same; asked: other target masks that the predictor
        is told, to see what it makes of a wrong question.
        """
        context_valid = None if masks.context_valid is None else np.concatenate(masks.context_valid)
        target = self.targets(images if target_images is None else target_images, masks)
        s = self.context_encoder(images, masks.context, context_valid)
        if self.context_encoder.cls_token is not None:
            s = s[:, 1:]
        told = asked or masks
        prediction = self.predictor(s, masks.context, told.target, context_valid, told.target_valid)
        valid = None if masks.target_valid is None else repeated(np.stack(masks.target_valid), len(masks.context))
        return Tokens(s, prediction, target, context_valid, valid)

    def targets(self, images: mt.Tensor, masks: Masks) -> mt.Tensor:
        """Return the true tokens of the target patches, (M E n, Kt, d)."""
        whole = self.encode_target(images)  # (n, N, d)
        contexts, n = len(masks.context), len(images)
        chosen = gather_tokens(whole, masks.target)  # (M n, Kt, d)
        shape = len(masks.target), contexts, n, *chosen.shape[1:]
        chosen = chosen.reshape(shape[0], 1, n, *chosen.shape[1:])
        return mt.broadcast_to(chosen, shape).reshape(-1, *shape[3:])


def repeated(x: NDArray[np.bool_], contexts: int) -> NDArray[np.bool_]:
    """Return arrays (M, n, K) once for each context: (M E n, K)."""
    return np.repeat(x[:, None], contexts, axis=1).reshape(-1, x.shape[-1])
