"""Everything that decides a run: a kind and settings for each part, and how training and evaluation go."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from jepa.config.settings import OR_NONE, PATH, TIMES, Rule, Settings, between, each, setting
from jepa.parts import ROLES, Choice, load, settings_of

DEFAULTS = {
    "source": "shapes",
    "augment": "image",
    "task": "crops",
    "encoder": "cnn",
    "projector": "linear",
    "predictor": "geometry",
    "target": "ema",
    "objective": "l2",
    "optimizer": "adamw",
    "planner": "cem",
}
"""the kind of each role where nothing names one"""


def _pattern(regex: str, text: str) -> Rule:
    return (lambda v: re.fullmatch(regex, v) is not None), text


@dataclass(frozen=True)
class TrainSettings(Settings):
    """How long, how much at once, and what is written."""

    epochs: int = setting(20, TIMES)
    """passes over the examples"""
    max_steps: int | None = setting(None, TIMES)
    """at most so many optimizer steps; null: no such limit"""
    batch_size: int = setting(128, between(2))
    """examples in a batch"""
    accumulate: int = setting(1, TIMES)
    """batches whose gradients make one optimizer step"""
    precision: Literal["float32", "float16", "bfloat16"] = setting("float32")
    """of matrix products on a GPU; float16 with a scaled loss (the CPU computes in float32)"""
    log_every: int = setting(10, TIMES)
    """steps between two lines of metrics.jsonl"""
    checkpoint_every: int | None = setting(None, TIMES)
    """steps between two checkpoints; null: one at the end of each epoch"""
    keep: int = setting(3, OR_NONE)
    """checkpoints kept beside the last and the best"""
    prefetch: int = setting(2, between(0, 1024))
    """batches prepared ahead of the one that is computed"""
    threads: int = setting(1, between(1, 256))
    """threads that prepare them; the batches do not depend on it"""
    init: str | None = setting(None, PATH)
    """a run, or a file of published weights, that the training starts from, where they fit; null: fresh weights"""
    track: Literal["none", "tensorboard", "wandb", "mlflow"] = setting("none")
    """who is told the figures beside the run's folder; tensorboard: files in RUN/tensorboard"""


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """The protocol of linear probe and kNN, the same for the trained encoder and its baselines."""

    data: str | None = setting(None, PATH)
    """labeled folder or file for the evaluation; null: the source's own examples"""
    k: int = setting(20, TIMES)
    """neighbors of the kNN classifier"""
    C: tuple[float, ...] = setting(
        (0.001, 0.01, 0.1, 1.0, 10.0), each(((lambda v: 1e-12 <= v <= 1e12), "must lie between 1e-12 and 1e12"))
    )
    """inverse strengths of regularization that the linear probe chooses from"""
    random_seeds: int = setting(3, between(1, 1000))
    """untrained encoders whose median is the baseline"""
    kmeans: int | None = setting(None, TIMES)
    """centroids of k-means on whitened patches, a baseline; 1600 of 60,000 images: 20 minutes, 6 GB; null: none"""
    encoder: Literal["target", "context"] = setting("target")
    """which encoder is evaluated"""
    max_images: int | None = setting(None, TIMES)
    """use at most so many examples of each split; null: all, or as many as have 1 GB of raw input"""
    pool: Literal["mean", "max", "cls", "attentive", "last4", "last", "flat", "sides"] = setting("mean")
    """one vector of the tokens: mean, max, cls, by attention, last4 blocks' means, the last, all flat, of both sides"""
    layer: int = setting(0, between(0, 256))
    """which layer is probed: 0, the encoder's pooled output; k, the k-th layer of the projector behind it"""
    crops: int | None = setting(None, between(2, 256))
    """probe features averaged over so many crops too, and those of one crop from the middle; null: neither"""
    crop: float = setting(0.5, between(0.01, 1))
    """share of an example that each of these crops shows"""
    every: int | None = setting(None, TIMES)
    """epochs between two probes during training, beside the untrained encoder's; null: none"""
    online_images: int = setting(2000, between(2))
    """examples of each split that these probes use"""


@dataclass(frozen=True)
class FinetuneSettings(Settings):
    """Of fine-tuning: a linear classifier on the encoder of `evaluation`, and after a while the encoder with it."""

    labels: tuple[float, ...] = setting((0.01, 0.1, 1.0), each(((lambda v: 0 < v <= 1), "must be above 0, at most 1")))
    """shares of the training labels, of each class alike; a model learns from each of them"""
    epochs: int = setting(20, TIMES)
    """passes over the labeled examples"""
    epoch_steps: int = setting(20, TIMES)
    """steps in an epoch at least: few examples are gone through several times"""
    batch_size: int = setting(64, between(2))
    """examples in a batch"""
    lr: float = setting(1e-3, between(1e-12, 1e6))
    """learning rate of the classifier"""
    layer_decay: float = setting(0.75, between(1e-6, 1))
    """each layer of the encoder learns at so many times the rate of the one above it; not from scratch"""
    weight_decay: float = setting(0.05, OR_NONE)
    """of the weights; biases and normalization have none"""
    freeze: float = setting(0.25, between(0, 1))
    """share of the steps in which the classifier learns alone; not from scratch"""
    validation: float = setting(0.2, ((lambda v: 0 <= v < 1), "must be at least 0 and less than 1"))
    """share of the labeled examples that choose the epoch whose weights are kept; 0: the last"""


@dataclass(frozen=True)
class PlanSettings(Settings):
    """Of acting by a model that was told actions, and of judging it (`jepa.planning`)."""

    tasks: int = setting(100, between(1, 100_000))
    """ways from a start to a goal that it is judged by, of each kind"""
    steps: int = setting(200, between(1, 100_000))
    """steps of each; a goal is reached at the last one, or at any"""
    horizon: int = setting(60, between(1, 10_000))
    """steps that are imagined ahead, at most those that are left"""
    act: int = setting(5, between(1, 10_000))
    """steps of a plan that are taken before the next one is made; at most `horizon`"""
    cost: Literal["all", "last"] = setting("last")
    """which imagined steps are to be near the goal: all, or the last one, so that plans may go around"""
    effect: float = setting(0.0, between(0, 1e6))
    """weight of what an action is imagined to be without, read by `objective.inverse`: a wall costs more than a way"""
    budgets: tuple[float, ...] = setting(
        (0.125, 0.25, 0.5), each(((lambda v: 0 < v <= 1000), "must be above 0, at most 1000"))
    )
    """shares of `planner.samples` that success is looked at with too"""

    def problems(self) -> Iterator[str]:
        if self.act > self.horizon:
            yield f"act={self.act}: must be at most horizon={self.horizon}, as a plan is no longer than that"


def schema_of(role: str, kind: str) -> Any:
    """Return the class of the settings of a kind.

    >>> schema_of("target", "ema").__name__
    'EMASettings'
    """
    return settings_of(load(role, kind))


def _usual(role: str) -> Any:
    return field(default_factory=partial(_default, role))


def _default(role: str) -> Choice:
    return Choice(DEFAULTS[role], schema_of(role, DEFAULTS[role])())


@dataclass(frozen=True)
class Config(Settings):
    """Everything that decides a run; with the same device and threads, the same bits come out.

    Each role of `jepa.parts.ROLES` has its `Choice`, a kind and the settings of it.
    """

    name: str = setting("run", _pattern(r"\w[\w.-]{0,99}", "must be a folder name: at most 100 letters, digits, - _ ."))
    """name of the run; its folder is runs/NAME unless --out says otherwise"""
    seed: int = setting(0, between(0, 2**64 - 1))
    """seed of the weights, the order of the examples and what is drawn for them"""
    device: str = setting(
        "auto", _pattern(r"auto|cpu|cuda(:\d{1,3})?", "must be auto, cpu, cuda, or cuda:0, cuda:1, ...")
    )
    """auto: a CUDA device if there is one; cpu; cuda; cuda:1"""
    source: Choice = _usual("source")
    """where the examples come from"""
    augment: Choice = _usual("augment")
    """changes of examples, drawn anew for each of them and each epoch"""
    task: Choice = _usual("task")
    """what is predicted"""
    encoder: Choice = _usual("encoder")
    """from examples to tokens"""
    projector: Choice = _usual("projector")
    """from tokens to the space of the loss"""
    predictor: Choice = _usual("predictor")
    """from the context's tokens, and what is asked, to the targets"""
    target: Choice = _usual("target")
    """what makes the true tokens"""
    objective: Choice = _usual("objective")
    """what draws predictions towards targets"""
    optimizer: Choice = _usual("optimizer")
    """what changes the weights"""
    planner: Choice = _usual("planner")
    """what chooses actions by a trained model"""
    train: TrainSettings = setting(TrainSettings())
    """how long, how much at once, and what is written"""
    evaluation: EvaluationSettings = setting(EvaluationSettings())
    """the protocol of linear probe and kNN"""
    finetune: FinetuneSettings = setting(FinetuneSettings())
    """how a classifier is trained on the encoder, and the encoder with it"""
    plan: PlanSettings = setting(PlanSettings())
    """how a trained model is acted by, and judged"""

    @property
    def choices(self) -> dict[str, Choice]:
        """The kind of each role and its settings: what `jepa.assembly.assemble` takes."""
        return {role: getattr(self, role) for role in ROLES}
