"""Every setting of a run, as frozen dataclasses; the text below a field is its help (`jepa config` prints it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jepa.config.masked import HierarchyConfig, MaskConfig, Range, ViTConfig


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from and how they are read."""

    root: str = ""
    """folder of images, ROOT/CLASS/*.png or flat; empty: the default data that `make` names"""
    make: Literal["", "shapes", "digits", "digits-clutter"] = "shapes"
    """default data, written under data/ and used when `root` is empty"""
    count: int = 5000
    """images that `make` writes; 0: the generator's own number"""
    validation: float = 0.1
    """share of the images held out, where the folder has no train/ and val/ of its own"""
    channels: int = 3
    """3: colour; 1: grey; every file is converted"""
    on_error: Literal["raise", "skip"] = "raise"
    """what an unreadable file does: stop, or be skipped and listed"""
    sizes: Literal["resize", "pad"] = "resize"
    """images of other sizes are resized to a square, or scaled to fit and padded with white, which counts as image"""
    range: Literal["0..1", "-1..1", "standard"] = "standard"
    """what the network sees: [0, 1], [-1, 1], or (x - mean) / std"""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """of each channel, for range=standard; one number for all"""
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    """of each channel, for range=standard; one number for all"""
    limit: int = 0
    """read at most so many images of each split; 0: all"""
    prefetch: int = 2
    """batches prepared ahead; 0: none"""
    threads: int = 1
    """threads that prepare them; the batches do not depend on it"""
    eval_root: str = ""
    """labelled folder for the evaluation; empty: the training data's own"""


@dataclass(frozen=True)
class AugmentConfig:
    """Changes of colour and side, drawn anew for every image and epoch."""

    flip: float = 0.5
    """probability of a left-right flip of the whole image, before the regions are cut"""
    vertical_flip: float = 0.0
    """probability of an upside-down flip of the whole image"""
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    """strength of the change of brightness, contrast, saturation, hue; hue at most 0.5"""
    jitter_p: float = 0.8
    """probability of that change, for the context and for each target apart"""
    grayscale: float = 0.1
    """probability of losing all colour, for the context and for each target apart"""
    invert: float = 0.0
    """probability of becoming a negative, for the context and for each target apart"""
    crop: Range = (0.3, 1.0)
    """area of the part that is cut out of an image, as a share of it, smallest and largest (ijepa, hjepa)"""


@dataclass(frozen=True)
class RegionConfig:
    """Which part of the image is the context, and which parts are predicted from it."""

    kind: Literal["crops", "blocks"] = "crops"
    """crops: context and targets are crops; blocks: the context is the image with the targets hidden"""
    context_scale: Range = (0.3, 1.0)
    """area of the context as a share of the image, smallest and largest (crops)"""
    target_scale: Range = (0.3, 1.0)
    """area of a target as a share of the image, smallest and largest"""
    aspect: Range = (0.75, 1.3333333)
    """width / height of a region, smallest and largest"""
    targets: int = 1
    """targets for each context"""
    overlap: Range = (0.0, 1.0)
    """share of a target's area that lies inside the context, smallest and largest (crops)"""
    fill: float = 0.5
    """value in [0, 1] that hides the targets in the context (blocks)"""
    context_scale_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""
    target_scale_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""
    overlap_end: Range | None = None
    """value at the end of training, reached linearly; null: constant"""


@dataclass(frozen=True)
class JEPAConfig:
    """The model: context encoder, target encoder, predictor."""

    image_size: int = 32
    """side of the square context image, in pixels"""
    channels: int = 3
    """channels of an image; the same as data.channels"""
    target_size: int = 32
    """side of the square target images, in pixels"""
    encoder: Literal["auto", "cnn", "resnet18", "convnext", "mlp", "vit"] = "auto"
    """what encodes images; auto: cnn for crops, vit for ijepa and hjepa"""
    widths: tuple[int, ...] = (32, 64, 128)
    """channels of each convolution stage; each stage halves the image (encoder=cnn)"""
    norm: Literal["batch", "none"] = "batch"
    """normalisation after each convolution or hidden layer (encoder=cnn, mlp)"""
    embedding_dim: int = 128
    """size of the embedding (crops)"""
    predictor_width: int = 256
    """hidden units of the predictor"""
    predictor_depth: int = 2
    """hidden layers of the predictor"""
    geometry: bool = True
    """tell the predictor where the target lies; without it, it can only predict a mean"""
    target: Literal["ema", "stopgrad", "shared"] = "ema"
    """target encoder: a moving average of the context encoder; the same weights without gradient; the same with it"""
    ema_start: float = 0.99
    """momentum m of target = m * target + (1 - m) * context, at the first step"""
    ema_end: float = 1.0
    """the same where training ends: what a step after the last would have"""
    ema_schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """way from ema_start to ema_end"""


@dataclass(frozen=True)
class LossConfig:
    """What compares the predicted with the true embedding of a target."""

    name: Literal["l2", "smooth_l1", "cosine", "infonce", "vicreg"] = "l2"
    """the loss"""
    normalize_targets: bool = True
    """layer norm without parameters on the true embeddings first (l2, smooth_l1; hjepa: with every loss)"""
    temperature: float = 0.1
    """divides the similarities (infonce)"""
    invariance: float = 25.0
    """weight of the distance (vicreg)"""
    variance: float = 25.0
    """weight of the hinge that keeps each dimension's standard deviation up (vicreg)"""
    covariance: float = 1.0
    """weight of the squared covariances between dimensions (vicreg)"""
    force: bool = False
    """run even a configuration whose embeddings must collapse to a constant"""


@dataclass(frozen=True)
class OptimConfig:
    """The optimizer and its learning rate."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """the optimizer"""
    lr: float = 1e-3
    """learning rate after the warm-up"""
    betas: Range = (0.9, 0.999)
    """decay of the first and the second moment (adam, adamw)"""
    weight_decay: float = 0.05
    """of the weights; biases and normalisation have none"""
    start_lr: float = 0.0
    """learning rate that the warm-up rises from; its first step is the first above it"""
    warmup_steps: int = 100
    """steps in which the learning rate rises linearly from start_lr to lr"""
    final_lr: float = 1e-5
    """learning rate at the last step"""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """way from lr to final_lr"""
    clip: float = 1.0
    """largest norm of the gradient of all weights together; 0: no clipping"""
    momentum: float = 0.9
    """of sgd"""
    weight_decay_end: float | None = None
    """weight decay at the last step, reached along a cosine; null: constant"""
    ipe_scale: float = 1.0
    """length of all schedules (lr, weight decay, moving average) in trainings; above 1 the training cuts them off"""


@dataclass(frozen=True)
class TrainConfig:
    """How long, how much at once, and what is written."""

    epochs: int = 20
    """passes over the training images"""
    max_steps: int = 0
    """at most so many optimizer steps; 0: no such limit"""
    batch_size: int = 128
    """images in a batch"""
    accumulate: int = 1
    """batches whose gradients make one optimizer step"""
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    """of matrix products on a GPU; float16 with a scaled loss (the CPU computes in float32)"""
    log_every: int = 10
    """steps between two lines of metrics.jsonl"""
    checkpoint_every: int = 0
    """steps between two checkpoints; 0: one at the end of each epoch"""
    keep: int = 3
    """checkpoints kept beside the last and the best"""


@dataclass(frozen=True)
class EvaluationConfig:
    """The protocol of linear probe and kNN, the same for the trained encoder and its baselines."""

    k: int = 20
    """neighbours of the kNN classifier"""
    C: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0)
    """inverse strengths of regularisation that the linear probe chooses from"""
    random_seeds: int = 3
    """untrained encoders whose median is the baseline"""
    encoder: Literal["target", "context"] = "target"
    """which encoder is evaluated"""
    max_images: int = 0
    """use at most so many images of each split; 0: all"""
    pool: Literal["mean", "cls", "attentive", "last4"] = "mean"
    """one vector of an image's tokens: their mean, the class token, by attention, the last four blocks' means"""
    every: int = 0
    """epochs between two probes during training, beside the untrained encoder's; 0: none"""
    online_images: int = 2000
    """images of each split that these probes use"""


@dataclass(frozen=True)
class Config:
    """Everything that decides a run; with the same device and threads, the same bits come out."""

    name: str = "run"
    """name of the run; its folder is runs/NAME unless --out says otherwise"""
    method: Literal["crops", "ijepa", "hjepa"] = "crops"
    """what is predicted: crops of an image; masked patches of it; these and groups of them, a hierarchy"""
    seed: int = 0
    """seed of the weights, the order of the images and their regions"""
    device: str = "auto"
    """auto: a CUDA device if there is one; cpu; cuda; cuda:1"""
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    regions: RegionConfig = field(default_factory=RegionConfig)
    model: JEPAConfig = field(default_factory=JEPAConfig)
    vit: ViTConfig = field(default_factory=ViTConfig)
    masks: MaskConfig = field(default_factory=MaskConfig)
    hierarchy: HierarchyConfig = field(default_factory=HierarchyConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
