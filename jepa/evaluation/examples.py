"""What a model makes of held-out images, as arrays: regions, embeddings, predictions, decoded pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.evaluation.decoder import fit_decoder
from jepa.runs import pipeline
from jepa.runs.run import Run

__all__ = ["examples"]

DECODER_IMAGES = 4096  # target regions of training images that the decoder is trained on
EMBEDDED = 1000  # held-out images in the picture of the embedding space


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what `jepa.visualisation.report.draw` draws, for `count` held-out images; its docstring names the keys."""
    images, held_out = run.dataset("train"), run.dataset("val")
    run.model.eval()
    batches = pipeline.loader(run.config, images, seed=run.config.seed + 2).batches(0, progress=1.0)
    pairs = [
        _true(run, batch)
        for batch, _ in zip(batches, range(-(-DECODER_IMAGES // run.config.train.batch_size)), strict=False)
    ]
    d = pairs[0][0].shape[-1]
    z = np.concatenate([p[0].reshape(-1, d) for p in pairs])  # (m, d)
    x = np.concatenate([p[1].reshape(-1, *p[1].shape[2:]) for p in pairs])  # (m, c, h, w)
    decode = fit_decoder(_direction(z[:DECODER_IMAGES]), x[:DECODER_IMAGES], device=run.device)

    loader = pipeline.loader(run.config, held_out, seed=run.config.seed + 1, drop_last=False)
    shuffled = np.random.default_rng(0).permutation(len(held_out))
    drawn = loader.draw(shuffled[:count], epoch=0, progress=1.0)
    with mt.no_grad():
        e = run.method.embed(drawn.batch)
    n, t = drawn.batch.target.shape[:2]
    prediction, true = e.prediction.numpy(), e.target.numpy()
    chosen = shuffled[:EMBEDDED]
    return {
        "images": drawn.images,
        "regions": drawn.regions,
        "context": _shown(run, drawn.batch.context),
        "target": _shown(run, drawn.batch.target),
        "geometry": drawn.batch.geometry,
        "prediction": prediction,
        "target_embedding": true,
        "decoded_target": decode(_direction(true.reshape(n * t, d))).reshape(n, t, *x.shape[1:]),
        "decoded_prediction": decode(_direction(prediction.reshape(n * t, d))).reshape(n, t, *x.shape[1:]),
        "embeddings": run.model.features(
            run.normalized(held_out.images(chosen)), encoder=run.config.evaluation.encoder
        ),
        "labels": None if held_out.labels is None else held_out.labels[chosen],
        "classes": held_out.classes,
    }


def _true(run: Run, batch: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a batch's true target embeddings (n, t, d) and target images (n, t, c, h, w) in [0, 1]."""
    with mt.no_grad():
        return run.method.embed(batch).target.numpy(), _shown(run, batch.target)


def _direction(z: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return embeddings of length √d: a cosine or InfoNCE loss leaves the length of a prediction free."""
    scaled: NDArray[np.float32] = z * (z.shape[1] ** 0.5 / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6))
    return scaled


def _shown(run: Run, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images as they were before normalisation: (..., c, h, w) in [0, 1]."""
    normalize = pipeline.normalize(run.config)
    mean, std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (normalize.mean, normalize.std))
    shown: NDArray[np.float32] = np.clip(x * std + mean, 0, 1)
    return shown
