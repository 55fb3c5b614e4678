"""What a masked model makes of held-out images, as arrays: masks, tokens, attention, predictions, decoded patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import patch_size
from jepa.evaluation.attention import rollout
from jepa.evaluation.level_examples import decoded_groups, placed
from jepa.evaluation.patches import cut, paste
from jepa.evaluation.retrieval import nearest
from jepa.evaluation.ridge import ridge
from jepa.masks import to_binary
from jepa.models import VisionTransformer
from jepa.runs import pipeline
from jepa.runs.run import Run

__all__ = ["token_examples"]

Floats = NDArray[np.float32]
BANK = 2000  # training images that predictions are looked up in, and that the decoder learns from
EMBEDDED = 1000  # held-out images in the picture of the embedding space
NEAREST = 5
ATTENDED = 4  # held-out images whose attention is drawn


def token_examples(run: Run, count: int) -> dict[str, Any]:
    """Return what `jepa.visualisation.report.draw` draws of a masked run, for `count` held-out images.

    A patch decoder, the linear map from a target token to the patch's pixels that is best on training images, shows
    what is in a token. Predictions are first brought among the true tokens by the best affine map on training images: a
    contrastive loss asks a prediction to be nearest to its target, not to be equal to it.
    """
    run.model.eval()
    method: Any = run.method
    encoder = run.model.encoder(run.config.evaluation.encoder)
    grid, side = encoder.grid, patch_size(run.config)
    train, held_out = run.dataset("train"), run.dataset("val")
    order = np.random.default_rng(0).permutation(len(train))[:BANK]
    loader = pipeline.loader(run.config, train, seed=run.config.seed + 2, drop_last=False)
    with mt.no_grad():
        batch, bank_images = loader.draw(order, progress=1.0)
        batch = batch._replace(images=batch.target_images)  # without a change of colour in between
        learnt, *learnt_above = method.patches(batch)
        tokens = run.model.encode_target(mt.Tensor(batch.target_images, device=run.device))
        tokens = run.method.normalized(tokens).numpy()
    shown = _shown(run, batch.target_images)
    decode = ridge(tokens.reshape(-1, tokens.shape[2]), cut(shown, side).reshape(len(shown) * grid[0] * grid[1], -1))
    estimate = ridge(learnt.prediction[learnt.valid], learnt.target[learnt.valid])

    loader = pipeline.loader(run.config, held_out, seed=run.config.seed + 1, drop_last=False)
    shuffled = np.random.default_rng(0).permutation(len(held_out))
    with mt.no_grad():
        batch, _ = loader.draw(shuffled[:count], progress=1.0)
        batch = batch._replace(images=batch.target_images)
        found, *found_above = method.patches(batch)
        images = mt.Tensor(batch.target_images, device=run.device)
        own = encoder(images).numpy()[:, 0 if encoder.cls_token is None else 1 :]
        looks = isinstance(encoder, VisionTransformer)
        maps = [m.numpy() for m in encoder.attention_maps(images[:ATTENDED])] if looks else []
    n, k, d = found.prediction.shape
    aligned = estimate(found.prediction.reshape(n * k, d)).reshape(n, k, d)
    patches = grid[0] * grid[1]
    hidden = to_binary(found.indices, patches, found.valid)
    seen = to_binary(batch.masks.context[0], patches, batch.masks.context_valid and batch.masks.context_valid[0])
    predicted, true = placed(aligned, found, patches), placed(found.target, found, patches)  # (n, N, d)
    pictures = _shown(run, batch.target_images)
    levels = [
        decoded_groups(a, b, shown, pictures, method.model.groups[level].grid, side * 2**level)
        for level, (a, b) in enumerate(zip(learnt_above, found_above, strict=True), start=1)
    ]
    chosen = shuffled[:EMBEDDED]
    return {
        "images": pictures,
        "grid": grid,
        "masks": batch.masks,
        "seen": seen,
        "hidden": hidden,
        "patches_predicted": paste(decode(predicted.reshape(n * patches, d)).reshape(n, patches, -1), grid, side),
        "patches_true": paste(decode(true.reshape(n * patches, d)).reshape(n, patches, -1), grid, side),
        "prediction": found.prediction[:, :1],
        "target_embedding": found.target[:, :1],
        "tokens": own,
        "levels": levels or None,
        **({"attention": np.stack(maps, axis=1), "rollout": rollout(maps)} if maps else {}),
        "class_token": encoder.cls_token is not None,
        **_looked_up(predicted[:4], hidden[:4], tokens, shown),
        "embeddings": run.features(run.normalized(held_out.images(chosen))),
        "labels": None if held_out.labels is None else held_out.labels[chosen],
        "classes": held_out.classes,
    }


def _looked_up(predicted: Floats, hidden: NDArray[np.bool_], tokens: Floats, images: Floats) -> dict[str, Any]:
    """Return the training images whose true tokens, at the hidden places, are nearest to what is predicted there."""
    indices, cosines = [], []
    count = min(NEAREST, len(images))
    for prediction, places in zip(predicted, hidden, strict=True):
        query = (prediction[places] - tokens[:, places].mean(axis=0)).reshape(1, -1)  # what is special about this image
        bank = (tokens[:, places] - tokens[:, places].mean(axis=0)).reshape(len(tokens), -1)
        index, cosine = nearest(query, bank, count)
        indices.append(index[0])
        cosines.append(cosine[0])
    return {"neighbours": images[np.array(indices)], "neighbour_cosines": np.array(cosines)}


def _shown(run: Run, x: Floats) -> Floats:
    """Return images as they were before normalisation: (..., c, h, w) in [0, 1]."""
    normalize = pipeline.normalize(run.config)
    mean, std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (normalize.mean, normalize.std))
    shown: Floats = np.clip(x * std + mean, 0, 1)
    return shown
