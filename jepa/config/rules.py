"""What a configuration must satisfy beyond its types: one sentence for each rule that is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from jepa.config.encoder_rules import encoder_problems
from jepa.config.fields import fields, value_of
from jepa.config.masked_rules import masked_problems
from jepa.config.reading import shown
from jepa.config.schema import Config, RegionConfig
from jepa.config.values import matches
from jepa.errors import ConfigError

__all__ = ["check"]

Rule = tuple[Callable[[Any], bool], str]


def _between(low: float, high: float) -> Rule:
    return (lambda v: low <= v <= high), f"must be at least {_said(low)} and at most {_said(high)}"


def _said(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) and limit < 2**31 else f"{limit:g}"


def _pattern(regex: str, text: str) -> Rule:
    return (lambda v: re.fullmatch(regex, v) is not None), text


def _each(rule: Rule, most: int = 64) -> Rule:
    test, text = rule
    return (lambda v: 0 < len(v) <= most and all(test(x) for x in v)), f"needs 1 to {most} values; each {text}"


def _range(low: float, high: float, *, above: bool = False) -> Rule:
    """Return the rule of [smallest, largest]; above: `low` itself is too small."""
    sign = "<" if above else "<="
    text = f"must be [smallest, largest] with {low:g} {sign} smallest <= largest <= {high:g}"
    return (lambda v: (low < v[0] if above else low <= v[0]) and v[0] <= v[1] <= high), text


COUNT = 10**9  # of what is gone through one by one: more is no number that was meant
_TIMES, _OR_NONE = _between(1, COUNT), _between(0, COUNT)
_WIDTH, _DEPTH = _between(1, 16_384), _between(1, 256)
_SIDE = _between(4, 2048)
_WEIGHT = _between(0, 1_000_000)
_PROBABILITY: Rule = (lambda v: 0 <= v <= 1), "must lie between 0 and 1"
_MOMENTUM: Rule = (lambda v: 0 <= v < 1), "must be at least 0 and less than 1"
_RATE: Rule = (lambda v: 0 < v <= 1e30), "must be larger than 0 and at most 1e30"
_DECAY = _between(0, 1_000_000)
_FINITE: Rule = (lambda v: abs(v) <= 1000), "must lie between -1000 and 1000"
_DEVIATION: Rule = (lambda v: 1e-4 <= v <= 1000), "must lie between 0.0001 and 1000"
_AREAS, _SHARES = _range(0, 1, above=True), _range(0, 1)
_ASPECTS = _range(0.01, 100)
_PARTS: Rule = (lambda v: 0 < v[0] <= v[1] < 1), "must be [smallest, largest] with 0 < smallest <= largest < 1"

_RULES: dict[str, Rule] = {
    "name": _pattern(r"\w[\w.-]{0,99}", "must be a folder name: at most 100 letters, digits, - _ ."),
    "seed": _between(0, 2**64 - 1),
    "device": _pattern(r"auto|cpu|cuda(:\d{1,3})?", "must be auto, cpu, cuda, or cuda:0, cuda:1, ..."),
    "data.root": _pattern(r"[^\0]*", "must be the name of a folder"),
    "data.eval_root": _pattern(r"[^\0]*", "must be the name of a folder"),
    "data.count": _between(0, 1_000_000),
    "data.validation": (lambda v: 0 < v < 1, "must lie between 0 and 1, both excluded"),
    "data.channels": (lambda v: v in (1, 3), "must be 1 (grey) or 3 (colour)"),
    "data.mean": _each(_FINITE, 3),
    "data.std": _each(_DEVIATION, 3),
    "data.limit": _OR_NONE,
    "data.prefetch": _between(0, 1024),
    "data.threads": _between(1, 256),
    "augment.flip": _PROBABILITY,
    "augment.vertical_flip": _PROBABILITY,
    "augment.jitter": (
        lambda v: all(0 <= x <= 1 for x in v) and v[3] <= 0.5,
        "must lie in [0, 1], hue in [0, 0.5]",
    ),
    "augment.jitter_p": _PROBABILITY,
    "augment.grayscale": _PROBABILITY,
    "augment.invert": _PROBABILITY,
    "augment.crop": _AREAS,
    "regions.context_scale": _AREAS,
    "regions.target_scale": _AREAS,
    "regions.aspect": _ASPECTS,
    "regions.targets": _between(1, 64),
    "regions.overlap": _SHARES,
    "regions.fill": _PROBABILITY,
    "regions.context_scale_end": _AREAS,
    "regions.target_scale_end": _AREAS,
    "regions.overlap_end": _SHARES,
    "vit.patch_size": _between(1, 2048),
    "vit.dim": _between(4, 16_384),
    "vit.depth": _DEPTH,
    "vit.heads": _WIDTH,
    "vit.mlp_ratio": (lambda v: 0.01 <= v <= 64, "must lie between 0.01 and 64"),
    "vit.drop_path": _MOMENTUM,
    "vit.predictor_dim": _between(4, 16_384),
    "vit.predictor_depth": _DEPTH,
    "vit.predictor_heads": _WIDTH,
    "masks.context_scale": _AREAS,
    "masks.target_scale": _AREAS,
    "masks.aspect": _ASPECTS,
    "masks.ratio": _PARTS,
    "masks.contexts": _between(1, 64),
    "masks.targets": _between(1, 64),
    "masks.min_keep": _between(1, 1_000_000),
    "masks.context_scale_end": _AREAS,
    "masks.target_scale_end": _AREAS,
    "masks.ratio_end": _PARTS,
    "hierarchy.levels": (lambda v: 2 <= v <= 4, "must be 2, 3 or 4: patches, then groups of 2x2, 4x4, 8x8 of them"),
    "hierarchy.weights": _each(_WEIGHT),
    "model.image_size": _SIDE,
    "model.channels": (lambda v: v in (1, 3), "must be 1 (grey) or 3 (colour)"),
    "model.target_size": _SIDE,
    "model.widths": _each(_WIDTH),
    "model.embedding_dim": _between(2, 16_384),
    "model.predictor_width": _WIDTH,
    "model.predictor_depth": _between(0, 256),
    "model.ema_start": _PROBABILITY,
    "model.ema_end": _PROBABILITY,
    "loss.temperature": (lambda v: 1e-4 <= v <= 1e4, "must lie between 0.0001 and 10000"),
    "loss.invariance": _WEIGHT,
    "loss.variance": _WEIGHT,
    "loss.covariance": _WEIGHT,
    "optim.lr": _RATE,
    "optim.betas": (lambda v: all(0 <= x < 1 for x in v), "must be two numbers, each at least 0 and less than 1"),
    "optim.weight_decay": _DECAY,
    "optim.weight_decay_end": _DECAY,
    "optim.start_lr": _between(0, COUNT),
    "optim.ipe_scale": (lambda v: 1e-3 <= v <= 1e6, "must lie between 0.001 and 1000000"),
    "optim.warmup_steps": _OR_NONE,
    "optim.final_lr": _between(0, COUNT),
    "optim.clip": _between(0, COUNT),
    "optim.momentum": _MOMENTUM,
    "train.epochs": _TIMES,
    "train.max_steps": _OR_NONE,
    "train.batch_size": _between(2, COUNT),
    "train.accumulate": _TIMES,
    "train.log_every": _TIMES,
    "train.checkpoint_every": _OR_NONE,
    "train.keep": _OR_NONE,
    "evaluation.k": _TIMES,
    "evaluation.C": _each((lambda v: 1e-12 <= v <= 1e12, "must lie between 1e-12 and 1e12")),
    "evaluation.random_seeds": _between(1, 1000),
    "evaluation.max_images": _OR_NONE,
    "evaluation.every": _OR_NONE,
    "evaluation.online_images": _between(2, COUNT),
}
"""What each number and each free text must be by itself; every one has a rule, so that no value is too much for us."""


def _mistyped(config: Config) -> Iterator[str]:
    for key, field in fields().items():
        value = value_of(config, key)
        if not matches(field.type, value):
            yield f"{key}={shown(repr(value))}: expected {field.expected()}"


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
    return shown(list(value) if isinstance(value, tuple) else value)


def check(config: Config) -> None:
    """Raise ConfigError with one sentence for each rule that `config` breaks.

    >>> from jepa.config import Config, TrainConfig
    >>> check(Config())
    >>> check(Config(train=TrainConfig(epochs=0)))
    Traceback (most recent call last):
        ...
    jepa.errors.ConfigError: train.epochs=0: must be at least 1 and at most 1,000,000,000
    """
    problems = list(_mistyped(config)) or list(_problems(config))
    if problems:
        raise ConfigError("; ".join(problems))
