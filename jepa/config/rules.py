"""What a configuration must satisfy beyond its types: one sentence for each rule that is broken."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from jepa.config.encoder_rules import encoder_problems
from jepa.config.fields import value_of
from jepa.config.masked_rules import masked_problems
from jepa.config.schema import Config, RegionConfig
from jepa.errors import ConfigError

__all__ = ["check"]

Rule = tuple[Callable[[Any], bool], str]


def _at_least(low: int) -> Rule:
    return (lambda v: v >= low), f"must be at least {low}"


def _pattern(regex: str, text: str) -> Rule:
    return (lambda v: re.fullmatch(regex, v) is not None), text


def _each(rule: Rule) -> Rule:
    test, text = rule
    return (lambda values: len(values) > 0 and all(test(v) for v in values)), f"needs one value or more; each {text}"


_POSITIVE: Rule = (lambda v: 0 < v < math.inf), "must be a finite number larger than 0"
_NOT_NEGATIVE: Rule = (lambda v: 0 <= v < math.inf), "must be a finite number, 0 or more"
_PROBABILITY: Rule = (lambda v: 0 <= v <= 1), "must lie between 0 and 1"
_MOMENTUM: Rule = (lambda v: 0 <= v < 1), "must be at least 0 and less than 1"
_AREAS: Rule = (lambda v: 0 < v[0] <= v[1] <= 1), "must be [smallest, largest] with 0 < smallest <= largest <= 1"
_SHARES: Rule = (lambda v: 0 <= v[0] <= v[1] <= 1), "must be [smallest, largest] with 0 <= smallest <= largest <= 1"
_RATIOS: Rule = (lambda v: 0 < v[0] <= v[1] < math.inf), "must be [smallest, largest] with 0 < smallest <= largest"

_RULES: dict[str, Rule] = {
    "name": _pattern(r"\w[\w.-]*", "must be a folder name: letters, digits, - _ ."),
    "seed": _at_least(0),
    "device": _pattern(r"auto|cpu|cuda(:\d+)?", "must be auto, cpu, cuda, or cuda:0, cuda:1, ..."),
    "data.count": _at_least(0),
    "data.validation": (lambda v: 0 < v < 1, "must lie between 0 and 1, both excluded"),
    "data.channels": (lambda v: v in (1, 3), "must be 1 (grey) or 3 (colour)"),
    "data.std": _each(_POSITIVE),
    "data.limit": _at_least(0),
    "data.prefetch": _at_least(0),
    "data.threads": _at_least(1),
    "augment.flip": _PROBABILITY,
    "augment.vertical_flip": _PROBABILITY,
    "augment.jitter": (
        lambda v: all(0 <= x <= 1 for x in v) and v[3] <= 0.5,
        "must lie in [0, 1], hue in [0, 0.5]",
    ),
    "augment.jitter_p": _PROBABILITY,
    "augment.grayscale": _PROBABILITY,
    "augment.invert": _PROBABILITY,
    "regions.context_scale": _AREAS,
    "regions.target_scale": _AREAS,
    "regions.aspect": _RATIOS,
    "regions.targets": _at_least(1),
    "regions.overlap": _SHARES,
    "regions.fill": _PROBABILITY,
    "regions.context_scale_end": _AREAS,
    "regions.target_scale_end": _AREAS,
    "regions.overlap_end": _SHARES,
    "augment.crop": _AREAS,
    "vit.patch_size": _at_least(1),
    "vit.dim": _at_least(4),
    "vit.depth": _at_least(1),
    "vit.heads": _at_least(1),
    "vit.mlp_ratio": _POSITIVE,
    "vit.drop_path": _MOMENTUM,
    "vit.predictor_dim": _at_least(4),
    "vit.predictor_depth": _at_least(1),
    "vit.predictor_heads": _at_least(1),
    "masks.context_scale": _AREAS,
    "masks.target_scale": _AREAS,
    "masks.aspect": _RATIOS,
    "masks.ratio": (lambda v: 0 < v[0] <= v[1] < 1, "must be [smallest, largest] with 0 < smallest <= largest < 1"),
    "masks.contexts": _at_least(1),
    "masks.targets": _at_least(1),
    "masks.min_keep": _at_least(1),
    "masks.context_scale_end": _AREAS,
    "masks.target_scale_end": _AREAS,
    "masks.ratio_end": (lambda v: 0 < v[0] <= v[1] < 1, "must be [smallest, largest] with 0 < smallest <= largest < 1"),
    "hierarchy.levels": (lambda v: 2 <= v <= 4, "must be 2, 3 or 4: patches, then groups of 2x2, 4x4, 8x8 of them"),
    "hierarchy.weights": _each(_NOT_NEGATIVE),
    "evaluation.every": _at_least(0),
    "evaluation.online_images": _at_least(2),
    "optim.weight_decay_end": _NOT_NEGATIVE,
    "model.image_size": _at_least(4),
    "model.channels": (lambda v: v in (1, 3), "must be 1 (grey) or 3 (colour)"),
    "model.target_size": _at_least(4),
    "model.widths": _each(_at_least(1)),
    "model.embedding_dim": _at_least(2),
    "model.predictor_width": _at_least(1),
    "model.predictor_depth": _at_least(0),
    "model.ema_start": _PROBABILITY,
    "model.ema_end": _PROBABILITY,
    "loss.temperature": _POSITIVE,
    "loss.invariance": _NOT_NEGATIVE,
    "loss.variance": _NOT_NEGATIVE,
    "loss.covariance": _NOT_NEGATIVE,
    "optim.lr": _POSITIVE,
    "optim.betas": (lambda v: all(0 <= x < 1 for x in v), "must be two numbers, each at least 0 and less than 1"),
    "optim.weight_decay": _NOT_NEGATIVE,
    "optim.warmup_steps": _at_least(0),
    "optim.final_lr": _NOT_NEGATIVE,
    "optim.clip": _NOT_NEGATIVE,
    "optim.momentum": _MOMENTUM,
    "train.epochs": _at_least(1),
    "train.max_steps": _at_least(0),
    "train.batch_size": _at_least(2),
    "train.accumulate": _at_least(1),
    "train.log_every": _at_least(1),
    "train.checkpoint_every": _at_least(0),
    "train.keep": _at_least(0),
    "evaluation.k": _at_least(1),
    "evaluation.C": _each(_POSITIVE),
    "evaluation.random_seeds": _at_least(1),
    "evaluation.max_images": _at_least(0),
}


def _problems(config: Config) -> Iterator[str]:
    for key, (test, text) in _RULES.items():
        value = value_of(config, key)
        if value is not None and not test(value):
            yield f"{key}={_show(value)}: {text}"
    data, model, loss = config.data, config.model, config.loss
    if not data.root and not data.make:
        yield "data.root and data.make are both empty: set data.root=FOLDER, or data.make=shapes for the default data"
    if data.channels != model.channels:
        yield f"data.channels={data.channels} but model.channels={model.channels}: set both to 1 (grey) or 3 (colour)"
    for key in ("mean", "std") if data.range == "standard" else ():
        given = getattr(data, key)
        if len(given) not in (1, data.channels) and len(set(given)) > 1:  # one number stands for every channel
            yield f"data.{key}={_show(given)}: needs one number, or one for each of data.channels={data.channels}"
    yield from encoder_problems(config)
    if config.method != "crops":
        yield from masked_problems(config)
    yield from _region_problems(config.regions)
    spreads = loss.name == "infonce" or (loss.name == "vicreg" and loss.variance > 0)
    if model.target == "shared" and not spreads and not loss.force:
        what = f"loss.name={loss.name}" + (" loss.variance=0" if loss.name == "vicreg" else "")
        yield (
            f"model.target=shared with {what} must collapse: one constant for every image has loss 0. "
            "Use model.target=ema or stopgrad, or loss.name=vicreg or infonce; loss.force=true runs it all the same"
        )


def _region_problems(r: RegionConfig) -> Iterator[str]:
    if r.kind == "blocks":
        for key in ("target_scale", "target_scale_end"):
            scale = getattr(r, key)
            if scale is not None and scale[1] > 0.9:
                yield (
                    f"regions.{key}={_show(scale)} with regions.kind=blocks: a block hides at most 0.9 of the image; "
                    "[0.15, 0.2] is I-JEPA's"
                )
        return
    if r.overlap[1] < 1 and r.context_scale[0] >= 1:
        yield (
            f"regions.overlap={_show(r.overlap)} with regions.context_scale={_show(r.context_scale)}: a context of the "
            "whole image contains every target; lower regions.context_scale, or let the overlap reach 1"
        )
    if r.overlap[0] * r.target_scale[0] > r.context_scale[1]:
        yield (
            f"regions.overlap={_show(r.overlap)}: so much of a target of regions.target_scale={_show(r.target_scale)} "
            f"does not fit into a context of regions.context_scale={_show(r.context_scale)}"
        )


def _show(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def check(config: Config) -> None:
    """Raise ConfigError with one sentence for each rule that `config` breaks.

    >>> from jepa.config import Config, TrainConfig
    >>> check(Config())
    >>> check(Config(train=TrainConfig(epochs=0)))
    Traceback (most recent call last):
        ...
    jepa.errors.ConfigError: train.epochs=0: must be at least 1
    """
    problems = list(_problems(config))
    if problems:
        raise ConfigError("; ".join(problems))
