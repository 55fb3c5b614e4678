"""What a model makes of held-out images, as arrays: regions, embeddings, predictions, decoded pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.data.loader import Batch
from jepa.evaluation.decoder import fit_decoder
from jepa.evaluation.ridge import ridge
from jepa.evaluation.token_examples import token_examples
from jepa.progress import shown_progress
from jepa.runs import pipeline
from jepa.runs.run import Run

__all__ = ["examples"]

Vectors = NDArray[np.float32]
DECODER_IMAGES = 4096  # target regions of training images that the decoder is trained on
EMBEDDED = 1000  # held-out images in the picture of the embedding space


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what `jepa.visualisation.report.draw` draws, for `count` held-out images; its docstring names the keys.

    The decoder learns from true target embeddings. A prediction is brought among those first, by the linear map that
    estimates the true embedding best from the predicted one on training images: a contrastive loss asks a prediction
    to be *nearest* to its target, not to be equal to it.
    """
    if run.config.method != "crops":
        return token_examples(run, count)
    run.model.eval()
    images, held_out = run.dataset("train"), run.dataset("val")
    loader = pipeline.loader(run.config, images, seed=run.config.seed + 2, drop_last=False)
    wanted = -(-DECODER_IMAGES // (run.config.train.batch_size * run.config.regions.targets))
    wanted = min(wanted, len(loader))
    batches = shown_progress(loader.batches(0, progress=1.0), wanted, "embedding target regions", "batches")
    pairs = [_embedded(run, batch) for _, batch in zip(range(wanted), batches, strict=False)]
    predicted, true, x = (np.concatenate([p[k] for p in pairs]) for k in range(3))  # (m, d), (m, d), (m, c, h, w)
    decode = fit_decoder(true, x, device=run.device)
    estimate = ridge(predicted, true)

    loader = pipeline.loader(run.config, held_out, seed=run.config.seed + 1, drop_last=False)
    shuffled = np.random.default_rng(0).permutation(len(held_out))
    drawn = loader.draw(shuffled[:count], epoch=0, progress=1.0)
    prediction, target, _ = _embedded(run, drawn.batch)
    n, t = drawn.batch.target.shape[:2]
    chosen = shuffled[:EMBEDDED]
    return {
        "images": drawn.images,
        "regions": drawn.regions,
        "context": _shown(run, drawn.batch.context),
        "target": _shown(run, drawn.batch.target),
        "geometry": drawn.batch.geometry,
        "prediction": prediction.reshape(n, t, -1),
        "target_embedding": target.reshape(n, t, -1),
        "decoded_target": decode(target).reshape(n, t, *x.shape[1:]),
        "decoded_prediction": decode(estimate(prediction)).reshape(n, t, *x.shape[1:]),
        "embeddings": run.features(run.normalized(held_out.images(chosen))),
        "labels": None if held_out.labels is None else held_out.labels[chosen],
        "classes": held_out.classes,
    }


def _embedded(run: Run, batch: Batch) -> tuple[Vectors, Vectors, Vectors]:
    """Return predicted and true embeddings (n t, d), of length √d, and the target images (n t, c, h, w) in [0, 1]."""
    with mt.no_grad():
        e = run.method.embed(batch)
    d = e.target.shape[-1]
    predicted, true = (_direction(z.numpy().reshape(-1, d)) for z in (e.prediction, e.target))
    return predicted, true, _shown(run, batch.target).reshape(-1, *batch.target.shape[2:])


def _direction(z: Vectors) -> Vectors:
    """Return embeddings of length √d: a cosine or InfoNCE loss leaves the length of a prediction free."""
    scaled: Vectors = z * (z.shape[1] ** 0.5 / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6))
    return scaled


def _shown(run: Run, x: Vectors) -> Vectors:
    """Return images as they were before normalisation: (..., c, h, w) in [0, 1]."""
    normalize = pipeline.normalize(run.config)
    mean, std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (normalize.mean, normalize.std))
    shown: Vectors = np.clip(x * std + mean, 0, 1)
    return shown
