"""A JEPA of any encoder and any predictor: pairs of inputs, or images of which parts are hidden."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import minitensor as mt
from jepa.masks import Masks
from jepa.models.encoder import TargetEncoder
from jepa.models.hiding import context_tokens
from jepa.models.ijepa import repeated
from jepa.models.jepa import Embeddings
from jepa.models.mask_predictor import MaskPredictor
from jepa.models.vit import gather_tokens

__all__ = ["JEPA"]

F = mt.nn.functional
LOSSES: dict[str, Callable[[mt.Tensor, mt.Tensor], mt.Tensor]] = {
    "mse": F.mse_loss,
    "smooth_l1": F.smooth_l1_loss,
    "cosine": lambda prediction, target: 1 - F.cosine_similarity(prediction, target, dim=-1).mean(),
}
DISTANCES = {  # names of losses that say how far apart two embeddings are, and nothing else
    *("mse", "l2", "l1", "smooth_l1", "huber", "cosine"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"),
}


class JEPA(mt.nn.Layer):
    """Context encoder, target encoder and predictor (LeCun 2022), each of any kind.

        ŝ = predictor(encoder(x), ...)     s* = target_encoder(y)     loss(ŝ, s*)

    encoder, predictor: any layers. target: what keeps s* from following: "ema", a moving average of the encoder, moved
    by `update_target`; "stopgrad", the encoder itself without gradient; "shared", itself with gradient. loss: "mse",
    "smooth_l1", "cosine", or a function: of (prediction, target); of (prediction, target, context), as
    `jepa.losses.vicreg`; or of one `Embeddings`, as `jepa.losses.build` makes them. It returns a Tensor, or a dict
    with "loss". force: allow "shared" with a mere distance, which one constant for every input makes 0.

    Two ways to call it:

    - `model(x, y, *told)`, the predictor as `predictor(encoder(x), *told)`. An x or y that is a tuple is several inputs
      of an encoder.
    - `model(images, masks)`, with `jepa.masks.Masks`, the predictor as `MaskPredictor` is called: the tokens of the
      target patches are predicted from those of the context. A `VisionTransformer` leaves the other patches out; an
      encoder with `tokens(images)` and `grid` (`ResNet`, `ConvNeXt`, `ContextEncoder`) sees them blanked. Returns
      (M · E · n, Kt, dim) twice, as `IJEPA`; where targets are padded, only the true ones, (kept, dim).

    Raises ValueError if dims or grids of encoder and predictor differ, at once where both tell them, else at the first
    call; for "shared" with a distance; and for another target or loss.

    >>> model = JEPA(mt.nn.Linear(3, 4), mt.nn.Linear(4, 4))
    >>> prediction, target = model(mt.ones((2, 3)), mt.zeros((2, 3)))
    >>> model.loss(prediction, target).backward()
    >>> model.update_target(0.99)
    """

    def __init__(
        self,
        encoder: mt.nn.Layer,
        predictor: mt.nn.Layer,
        target: str = "ema",
        loss: str | Callable[..., Any] = "mse",
        momentum: float = 0.996,
        force: bool = False,
    ) -> None:
        if target not in ("ema", "stopgrad", "shared"):
            raise ValueError(f"target is 'ema', 'stopgrad' or 'shared'; got {target!r}")
        if not callable(loss) and loss not in LOSSES:
            raise ValueError(f"loss is a function, or one of {', '.join(LOSSES)}; got {loss!r}")
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        if target == "shared" and name in DISTANCES and not force:
            raise ValueError(
                f"target=shared with loss={name} must collapse: one constant for every input has loss 0. Use "
                "target=ema or stopgrad, or a loss that spreads embeddings, as vicreg or infonce; force=True runs it "
                "all the same"
            )
        _check(encoder, predictor)
        self.context_encoder: Any = encoder
        self.predictor = predictor
        self.target, self.momentum = target, momentum
        self.target_encoder = TargetEncoder(encoder) if target == "ema" else None
        self.objective: Callable[..., Any] = LOSSES[loss] if isinstance(loss, str) else loss
        self.loss_name = name

    def forward(self, x: Any, y: Any, *told: Any) -> tuple[mt.Tensor, mt.Tensor]:
        """Return predicted and true embeddings: of y from x, or, where y is `Masks`, of the targets in images x."""
        z = self.embeddings(x, y, *told)
        return z.prediction, z.target

    def embeddings(self, x: Any, y: Any, *told: Any) -> Embeddings:
        """Return the context's embeddings too, which some losses need: see `forward`."""
        z = self._masked(x, y) if isinstance(y, Masks) else self._pair(x, y, *told)
        self._same(z.prediction, z.target)
        return z

    def loss(self, prediction: mt.Tensor, target: mt.Tensor, context: mt.Tensor | None = None) -> mt.Tensor:
        """Return the loss, a number.

        context: the embeddings that a loss such as VICReg spreads, `embeddings(...).context`; None: the predictions.
        """
        self._same(prediction, target)
        context = prediction if context is None else context
        context = context.reshape(-1, context.shape[-1])
        count, objective = _arguments(self.objective), self.objective
        parts: Any = (
            objective(Embeddings(context, prediction, target))
            if count == 1
            else objective(prediction, target, *([context] if count > 2 else []))
        )
        return parts["loss"] if isinstance(parts, dict) else parts  # type: ignore[no-any-return]

    def update_target(self, momentum: float | None = None) -> None:
        """Move the target encoder towards the context encoder by 1 - momentum; without one of its own, do nothing."""
        if self.target_encoder is not None:
            self.target_encoder.update(self.momentum if momentum is None else momentum)

    def encoder(self, which: str = "target") -> Any:
        """Return one of the two encoders; where the target has none of its own, they are the same."""
        if which not in ("target", "context"):
            raise ValueError(f"encoder is 'target' or 'context'; got {which!r}")
        own = which == "context" or self.target_encoder is None
        return self.context_encoder if own else self.target_encoder.encoder  # type: ignore[union-attr]

    def _true(self, f: Callable[[Any], mt.Tensor]) -> mt.Tensor:
        """Return what f gets from the target encoder."""
        encoder = self.encoder("target")
        if self.target == "shared":
            return f(encoder)
        with mt.no_grad(), mt.nn.frozen_statistics(encoder):
            return f(encoder)

    def _pair(self, x: Any, y: Any, *told: Any) -> Embeddings:
        def of(given: Any) -> Callable[[Any], mt.Tensor]:
            return lambda encoder: encoder(*given) if isinstance(given, tuple) else encoder(given)

        target, s = self._true(of(y)), of(x)(self.context_encoder)
        return Embeddings(s, self._predicted(s, *told), target)

    def _masked(self, images: mt.Tensor, masks: Masks) -> Embeddings:
        leaves_out = _leaves_out(self.context_encoder, self.predictor)
        first = 0 if getattr(self.context_encoder, "cls_token", None) is None else 1  # the class token is no patch
        whole = self._true(lambda e: e(images)[:, first:] if leaves_out else e.tokens(images))  # (n, N, d)
        rows, columns = self.context_encoder.grid
        if whole.shape[1] != rows * columns:
            raise ValueError(
                f"images of {images.shape[2]} x {images.shape[3]} pixels have {whole.shape[1]} tokens, and the encoder "
                f"was made for a grid of {rows} x {columns}: set its image_size"
            )
        valid = None if masks.context_valid is None else np.concatenate(masks.context_valid)
        if leaves_out:
            s = self.context_encoder(images, masks.context, valid)[:, first:]
        else:
            s = context_tokens(self.context_encoder, images, masks.context, masks.context_valid)
        prediction = self._predicted(s, masks.context, masks.target, valid, masks.target_valid)
        contexts, n = len(masks.context), len(images)
        target = gather_tokens(whole, masks.target)  # (M n, Kt, d)
        wanted = target.shape[1:]
        target = target.reshape(len(masks.target), 1, n, *wanted)
        target = mt.broadcast_to(target, (len(masks.target), contexts, n, *wanted)).reshape(-1, *wanted)
        if masks.target_valid is not None:
            kept = np.flatnonzero(repeated(np.stack(masks.target_valid), contexts))
            index = mt.Tensor(kept, device=target.device)
            self._same(prediction, target)
            prediction, target = (mt.index_select(z.reshape(-1, wanted[1]), 0, index) for z in (prediction, target))
        return Embeddings(s, prediction, target)

    def _predicted(self, s: mt.Tensor, *told: Any) -> mt.Tensor:
        try:
            return self.predictor(s, *told)  # type: ignore[no-any-return]
        except ValueError as error:
            raise ValueError(f"the predictor refuses the encoder's output of shape {s.shape}: {error}") from error

    @staticmethod
    def _same(prediction: mt.Tensor, target: mt.Tensor) -> None:
        if prediction.shape != target.shape:
            raise ValueError(
                f"the predictor returns {prediction.shape} and the target encoder {target.shape}: the shapes must be "
                "the same"
            )

    def extra_repr(self) -> str:
        """Return target and loss."""
        return f"target={self.target}, loss={self.loss_name}"


def _arguments(loss: Callable[..., Any]) -> int:
    """Return how many arguments a loss must be given."""
    given = inspect.signature(loss.forward if isinstance(loss, mt.nn.Layer) else loss).parameters.values()
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in given)


def _check(encoder: Any, predictor: Any) -> None:
    """Raise ValueError if encoder and predictor tell that they do not fit."""
    taken: Any = getattr(predictor, "dim", None)
    made = taken
    if isinstance(predictor, MaskPredictor):
        taken, made = predictor.predictor_embed.weight.shape[1], predictor.predictor_proj.weight.shape[0]
    dim, names = getattr(encoder, "dim", None), (type(encoder).__name__, type(predictor).__name__)
    if isinstance(dim, int) and isinstance(taken, int) and not dim == taken == made:
        raise ValueError(
            f"{names[0]} makes embeddings (..., {dim}), but {names[1]} takes (..., {taken}) and returns (..., {made}): "
            "the dims must be the same"
        )
    theirs, ours = getattr(encoder, "grid", None), getattr(predictor, "grid", None)
    if theirs is not None and ours is not None and tuple(theirs) != tuple(ours):
        raise ValueError(
            f"{names[0]} has a grid of {' x '.join(map(str, theirs))} patches, but {names[1]} one of "
            f"{' x '.join(map(str, ours))}"
        )


def _leaves_out(encoder: Any, predictor: Any) -> bool:
    """Return whether the encoder leaves masked patches out by itself; raise ValueError if one of the two knows none."""
    if "target_masks" not in inspect.signature(predictor.forward).parameters:
        raise ValueError(
            "a masked objective needs a predictor that is told where the targets lie, as MaskPredictor: "
            f"forward(tokens, context_masks, target_masks, context_valid); got {type(predictor).__name__}"
        )
    leaves_out = "masks" in inspect.signature(encoder.forward).parameters
    if not leaves_out and not (hasattr(encoder, "tokens") and hasattr(encoder, "grid")):
        raise ValueError(
            "a masked objective needs an encoder of patches: forward(images, masks, valid) as VisionTransformer, or "
            f"tokens(images) and grid as ResNet; got {type(encoder).__name__}"
        )
    return leaves_out
