"""A small made-up run: metrics, evaluation, and what a model would show."""

from types import SimpleNamespace

import numpy as np

EVALUATION = {
    "linear": {"jepa": 0.83, "random": 0.55, "pixels": 0.62, "chance": 0.17},
    "knn": {"jepa": 0.78, "random": 0.51, "pixels": 0.44, "chance": 0.17},
    "random_seeds": {"linear": [0.54, 0.55, 0.57], "knn": [0.49, 0.51, 0.52]},
    "images": 1000,
    "train_images": 4000,
    "feature_std": 0.63,
    "effective_rank": 61.2,
    "feature_dim": 128,
    "seconds": 31.2,
    "geometry": {"loss": 0.4, "shuffled": 0.9, "ratio": 2.25},
}


def metrics(steps=60):
    records = []
    for step in range(1, steps + 1):
        loss = 2 * np.exp(-step / 20) + 0.1
        records.append(
            {"kind": "step", "step": step, "epoch": step // 20, "loss": loss, "loss/invariance": loss * 0.7}
            | {
                "loss/variance": loss * 0.3,
                "lr": 1e-3,
                "ema": 0.996,
                "grad_norm/encoder": 1.0,
                "grad_norm/predictor": 2.0,
            }
            | {"feature_std": 0.5, "effective_rank": 20.0 + step, "prediction_cosine": 0.8, "images_per_second": 900.0}
            | {"curriculum/context_scale": 1 - step / 200}
        )
        if step % 20 == 0:
            epoch = {"kind": "epoch", "step": step, "epoch": step // 20, "validation_loss": loss}
            records.append(epoch | {"validation_loss_shuffled": 2 * loss})
    return records


def box(top, left, height, width):
    return SimpleNamespace(top=top, left=left, height=height, width=width)


def examples(count=6, targets=1, *, hidden=False, channels=3):
    generator = np.random.default_rng(0)
    boxes = [box(2 * t, 3, 8, 6) for t in range(targets)]
    region = SimpleNamespace(context=box(0, 0, 16, 16) if hidden else box(1, 2, 12, 12), targets=boxes, hidden=hidden)
    embeddings = generator.normal(size=(40, 5))
    return {
        "images": generator.uniform(size=(count, channels, 16, 16)),
        "regions": [region] * count,
        "context": generator.uniform(size=(count, channels, 16, 16)),
        "target": generator.uniform(size=(count, targets, channels, 12, 12)),
        "geometry": np.zeros((count, targets, 4)),
        "prediction": generator.normal(size=(count, targets, 8)),
        "target_embedding": generator.normal(size=(count, targets, 8)),
        "grid": (4, 4),
        "seen": np.arange(16) < np.full((count, 1), 6),
        "hidden": np.arange(16) > np.full((count, 1), 9),
        "patches_true": generator.uniform(size=(count, channels, 16, 16)),
        "patches_predicted": generator.uniform(size=(count, channels, 16, 16)),
        "tokens": generator.normal(size=(count, 16, 8)),
        "masks": SimpleNamespace(
            context=[np.tile(np.arange(6), (count, 1))],
            target=[np.tile(np.arange(10, 13), (count, 1)), np.tile(np.arange(12, 16), (count, 1))],
            context_valid=None,
            target_valid=None,
        ),
        "levels": [
            {
                "hidden": np.ones((count, 16, 16), bool),
                "true": generator.uniform(size=(count, channels, 16, 16)),
                "predicted": generator.uniform(size=(count, channels, 16, 16)),
            }
        ],
        "attention": generator.dirichlet(np.ones(16), size=(count, 2, 2, 16)),
        "rollout": generator.dirichlet(np.ones(16), size=(count, 16)),
        "class_token": False,
        "neighbours": generator.uniform(size=(count, 3, channels, 16, 16)),
        "neighbour_cosines": generator.uniform(size=(count, 3)),
        "decoded_target": generator.uniform(size=(count, targets, channels, 12, 12)),
        "decoded_prediction": generator.uniform(size=(count, targets, channels, 12, 12)),
        "embeddings": embeddings,
        "labels": np.arange(40) % 3,
        "classes": ["circle", "square", "ring"],
    }
