"""A small made-up run: metrics, evaluation, and what a model would show. It is a task's module of pictures, too."""

from types import SimpleNamespace

import numpy as np

from jepa.masks import Box, Regions
from jepa.pictures import crops, masked, saccade, views
from jepa.tasks import Saccade, generators

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
            | {"feature_std": 0.5, "effective_rank": 20.0 + step, "prediction_cosine": 0.8}
            | {"examples_per_second": 900.0, "curriculum/context_scale": 1 - step / 200}
        )
        if step % 20 == 0:
            epoch = {"kind": "epoch", "step": step, "epoch": step // 20, "validation_loss": loss}
            records.append(epoch | {"validation_loss_shuffled": 2 * loss})
    return records


def of_crops(count=6, targets=1, *, hidden=False, channels=3):
    generator = np.random.default_rng(0)
    boxes = [Box(2 * t, 3, 8, 6) for t in range(targets)]
    context = Box(0, 0, 16, 16) if hidden else Box(1, 2, 12, 12)
    return {
        "images": generator.uniform(size=(count, channels, 16, 16)),
        "regions": [Regions(context, boxes, hidden)] * count,
        "context": generator.uniform(size=(count, channels, 16, 16)),
        "target": generator.uniform(size=(count, targets, channels, 12, 12)),
        "geometry": np.zeros((count, targets, 4)),
        "prediction": generator.normal(size=(count, targets, 8)),
        "target_embedding": generator.normal(size=(count, targets, 8)),
        "decoded_target": generator.uniform(size=(count, targets, channels, 12, 12)),
        "decoded_prediction": generator.uniform(size=(count, targets, channels, 12, 12)),
    }


def of_masks(count=6, shape=(3, 16, 16), grid=(4, 4)):
    generator, places, few = np.random.default_rng(0), int(np.prod(grid)), min(count, 4)
    level = {
        "hidden": np.ones((count, *shape[1:]), bool),
        "true": generator.uniform(size=(count, *shape)),
        "predicted": generator.uniform(size=(count, *shape)),
    }
    seen = np.arange(places) < np.full((count, 1), places // 3)
    return {
        "images": generator.uniform(size=(count, *shape)),
        "grid": grid,
        "contexts": seen[None],
        "targets": np.stack([np.roll(seen, places // 2, axis=1), ~seen]),
        "hidden": ~seen,
        "levels": [{"name": "hidden", **level}, {"name": " x ".join("2" * len(grid)), **level}],
        "prediction": generator.normal(size=(count, 8)),
        "target_embedding": generator.normal(size=(count, 8)),
        "tokens": generator.normal(size=(count, places, 8)),
        "attention": generator.dirichlet(np.ones(places), size=(few, 2, 2, places)),
        "rollout": generator.dirichlet(np.ones(places), size=(few, places)),
        "neighbors": generator.uniform(size=(few, 3, *shape)),
        "neighbor_cosines": generator.uniform(size=(few, 3)),
    }


def of_views(count=6, shape=(3, 16, 16)):
    generator = np.random.default_rng(0)
    vectors = {name: generator.normal(size=(count, 8)) for name in ("prediction", "target_embedding")}
    return {
        "seen": generator.uniform(size=(count, *shape)),
        "true": generator.uniform(size=(count, 2, *shape)),
        **vectors,
    }


def of_saccades(count=2):
    images = np.random.default_rng(0).uniform(size=(count, 3, 32, 32)).astype(np.float32)
    vectors = {name: images.reshape(count, -1)[:, :8] for name in ("prediction", "target_embedding")}
    return {"drawn": Saccade().draw(images, generators(count)), **vectors}


class Source:
    """What pictures ask of a source."""

    labels, classes = np.arange(40) % 3, ["circle", "square", "ring"]

    def __init__(self, shape=(3, 16, 16), pictures="jepa.pictures.image"):
        self.shape, self.pictures = shape, pictures

    def __len__(self):
        return 40

    def read(self, indices):
        return np.random.default_rng(0).uniform(size=(len(indices), *self.shape))

    def normalize(self, x):
        return x


class Run:
    """What the report asks of a run."""

    task = SimpleNamespace(pictures=__name__)

    def __init__(self, source=None):
        self.source = lambda split: source or Source()

    def features(self, x):
        return x.reshape(len(x), -1)[:, :5]


def examples(run, count):
    return {crops: of_crops(), masked: of_masks(), saccade: of_saccades(), views: of_views()}


def figures(run, examples):
    return {name: figure for module, e in examples.items() for name, figure in module.figures(run, e).items()}
