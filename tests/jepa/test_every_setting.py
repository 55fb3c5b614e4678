"""Every setting of every kind, one by one: something reads it, and no number is too much for us."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from jepa.config import Config, changed, every_key, load, value_of
from jepa.config.config import schema_of
from jepa.config.keys import GROUPS, fields_at
from jepa.config.layers import _declared
from jepa.config.settings import Field, Settings, fields_of
from jepa.errors import ConfigError, JEPAError
from jepa.evaluation.embed import embed
from jepa.evaluation.evaluate import evaluate_run
from jepa.finetuning.finetune import finetune
from jepa.parts import ROLES
from jepa.pictures.report import draw
from jepa.planning.plan import plan_run
from jepa.training.run import train
from tests.jepa.composition import WRITTEN
from tests.jepa.tiny import ROOMS, config

FORECAST = ["task=forecast", "source=moving-digits", "source.count=50", "source.frames=5", "encoder=frames",
            "encoder.widths=4,8", "projector=linear", "projector.dim=8", "predictor=conv", "predictor.width=8",
            "predictor.depth=1", "augment=none", "objective=vicreg"]  # fmt: skip
RUNS = {
    "forecast": FORECAST,
    "crops": ["objective=vicreg", "optimizer.weight_decay_end=0.1", "evaluation.every=1", "evaluation.online_images=20",
              "projector=mlp", "projector.width=8"],
    "blocks": ["task.regions=blocks", "task.target_scale=[0.1,0.3]", "optimizer=sgd",
               "encoder=mlp", "encoder.width=8", "predictor=mlp", "predictor.width=8", "augment=noise"],
    "masked": ["task=masked", "objective=infonce"],
    "random": ["task=masked", "task.masks=random", "encoder=energy", "encoder.dim=8", "encoder.heads=2",
               "encoder.depth=1", "optimizer=adam", "predictor=cross", "predictor.dim=8", "predictor.heads=2"],
    "levels": ["task=levels", "predictor.levels=2", "encoder=convnext", "encoder.depths=1,1", "encoder.dims=4,8"],
    "series": ["source=mnist1d", "source.count=60", "augment=series", "task=multiview", "objective=ntxent",
               "encoder=cnn1d", "encoder.widths=8,8", "encoder.kernels=3", "projector.width=8"],
    "future": ["source=series", "source.root=SERIES", "augment=series", "task=future", "encoder=rnn", "encoder.dim=8",
               "encoder.patch=4", "predictor.width=8", "predictor.depth=1"],
    "suffix": ["source=mnist1d", "source.count=60", "augment=none", "task=masked", "task.masks=suffix",
               "encoder=multiscale", "encoder.dim=8", "encoder.heads=2", "encoder.depth=1", "encoder.width=8",
               "predictor=recurrent", "predictor.width=8"],
    "many": ["task=multiview", "task.small=2", "objective=sigreg", "encoder=resnet9", "encoder.width=2",
             "optimizer=lars", "projector.width=8"],
    "mean": ["task=multiview", "task.question=mean", "objective=tcr", "projector.width=8"],
    "twins": ["task=multiview", "objective=barlow", "projector.width=8"],
    "swav": ["task=multiview", "objective=swav", "projector=prototypes", "projector.width=8"],
    "views": ["task=views", "encoder=resnet", "encoder.width=4", "encoder.layers=1,1",
              "predictor=mlp", "predictor.width=8"],
    "saccade": ["task=saccade", "objective=saccade", "predictor.width=8"],
    "words": ["source=text", "augment=words", "task=masked", "encoder=words", "encoder.dim=8", "encoder.heads=2",
              "encoder.depth=1", "encoder.symbols=300"],
    "halves": ["source=text", "augment=none", "task=halves", "encoder=bag", "encoder.dim=8", "encoder.symbols=300",
               "objective=ntxent", "projector.width=8"],
    "unrolled": ["source=two-rooms", "augment=none", "task=rollout", "task.steps=2", "encoder=impala",
                 "encoder.widths=4,4", "encoder.dim=8", "predictor=residual", "predictor.inverse=8", "target=shared",
                 "objective=dynamics", "objective.sigreg=0.1", "projector=none"],
    "mapped": ["source=two-rooms", "augment=none", "task=rollout", "task.steps=2", "encoder=maps", "encoder.widths=4,4",
               "predictor=maps", "predictor.width=8", "predictor.layers=1", "target=shared", "objective=dynamics",
               "projector=none"],
    "acted": ["source=trajectories", "augment=none", "task=rollout", "task.steps=2", "encoder=states", "encoder.dim=8",
              "predictor=causal", "predictor.width=8", "predictor.depth=1", "predictor.heads=2", "target=shared",
              "objective=dynamics", "projector=none"],
    "clips": ["source=sound", "augment=spectrogram", "task=multiview", "task.crop=[1,1]", "objective=ntxent",
              "encoder.widths=4,8", "projector.width=8"],
}  # fmt: skip
ELSEWHERE = {
    "name",  # by the command line
    "source.count", "source.key", "source.labels", "source.path",  # of other sources than a folder
    "source.dataset", "source.label", "source.leave_out", "source.categorical", "source.categories",  # of tables
    "source.split_column", "source.val",
    "source.first", "source.second", "source.named",  # of pairs
    "source.stride", "source.windows", "source.order",  # of clips in files
    "source.images",  # of shards
    "source.validation",  # where there is no val folder
    "encoder.first", "encoder.second", "encoder.attention",  # of pairs (test_pairs.py)
}  # fmt: skip


def test_every_setting_is_read_by_something(
    shapes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that nothing outside `config` reads promises what is not so."""
    read: set[str] = set()

    def watch(kind: type, prefix: str) -> None:
        def seen(self: Any, name: str) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("jepa.") and not caller.startswith("jepa.config"):
                read.update(prefixes[base] + name for base in type(self).__mro__ if base in prefixes)
            return object.__getattribute__(self, name)

        prefixes[kind] = prefix
        monkeypatch.setattr(kind, "__getattribute__", seen)

    prefixes: dict[type, str] = {}
    watch(Config, "")
    for group, schema in GROUPS.items():
        watch(schema, f"{group}.")
    for role, kinds in ROLES.items():
        for kind in kinds:
            for base in schema_of(role, kind).__mro__:
                if dataclasses.is_dataclass(base) and base is not Settings and base not in prefixes:
                    watch(base, f"{role}.")
    series = tmp_path / "series.tsv"
    series.write_text(
        "".join(f"{k % 2}\t{' '.join(map(str, range(k, k + 32)))}\n" for k in range(60)).replace(" ", "\t")
    )
    for name, words in RUNS.items():
        run, words = tmp_path / name, [word.replace("SERIES", str(series)) for word in words]
        written = WRITTEN.get(words[0].partition("=")[2], lambda folder: {})(tmp_path)
        words = [words[0], *(f"source.{key}={value}" for key, value in written.items()), *words[1:]]
        train(config(shapes_folder, *words, "train.epochs=1"), out=run)
        if name in ("crops", "blocks"):
            evaluate_run(run, device="cpu", settings=["evaluation.crops=2"])
    train(load(overrides=ROOMS), out=tmp_path / "rooms")
    causal = ["predictor=causal", "predictor.width=8", "predictor.heads=2"]
    train(load(overrides=[*ROOMS, *causal]), out=tmp_path / "causal")
    for planner in ROLES["planner"]:
        words = [
            f"planner={planner}",
            "planner.samples=4",
            "plan.tasks=2",
            "plan.steps=6",
            "plan.horizon=4",
            "plan.act=2",
        ]
        plan_run(tmp_path / "rooms", device="cpu", settings=words)
    finetune(tmp_path / "crops", labels=(1.0,), epochs=1, epoch_steps=1, device="cpu")
    embed(run, None, tmp_path / "e.npz", device="cpu")
    draw(run, device="cpu")
    assert sorted(set(every_key()) - read - ELSEWHERE - set(ROLES)) == []


KEYS = [(key, kind) for key, kinds in every_key().items() for kind in (kinds or [""])]


def field(key: str, kind: str) -> Field:
    """Return the field of a setting of a kind."""
    group, _, name = key.rpartition(".")
    if not group:
        return fields_of(Config)[name]
    return fields_at(group, {group: kind})[name]


def is_number(kind: Any) -> bool:
    words = str(kind)
    return "Literal" not in words and ("int" in words or "float" in words)


def declared(key: str, kind: str) -> Any:
    """Return what says that the settings of two kinds are one: where it is declared."""
    group, _, name = key.rpartition(".")
    return key, (_declared(schema_of(group, kind), name) if kind else None)


NUMBERS = list({declared(*item): item for item in KEYS if is_number(field(*item).type)}.values())
ODD = ["-1", "0", "1", str(10**12), "nan", "inf", "-inf", "1e400", "1e-300", "???", "true", "[]", "a", "9" * 400]
FOLDER = {f"source.{name}" for name in fields_of(schema_of("source", "folder"))}
FULL = {"augment.jitter": 4}  # numbers of a list


def test_every_number_and_every_free_text_has_a_rule() -> None:
    """But for those whose rule is of several fields, and names that a user is free to choose."""
    texts = [(key, kind) for key, kind in KEYS if field(key, kind).type is str]
    without = {key for key, kind in [*texts, *NUMBERS] if field(key, kind).rule is None}
    assert without - {"augment.jitter"} == set()


def tried(key: str, kind: str, odd: str, root: Path) -> Config | None:
    """Return a tiny configuration with this value, or None if it is refused, in one sentence that names the setting."""
    role = key.partition(".")[0]
    said = str(field(key, kind).type)
    count = FULL.get(key, 2 if "tuple[float, float]" in said else 1)
    text = f"[{', '.join([odd] * count)}]" if count > 1 and odd != "[]" else odd
    base = base_of(role, kind, root)
    random = ["task.masks=random"] if key.startswith("task.ratio") else []
    try:
        return changed(base, [*random, f"{key}={text}"])
    except ConfigError as error:
        assert key in str(error) and "\n" not in str(error) and len(str(error)) < 900
        return None


TINY = {
    ("encoder", "energy"): ["task=masked", "encoder=energy", "encoder.dim=8", "encoder.heads=2", "encoder.depth=1"],
    ("encoder", "vit"): ["task=masked"],
    ("encoder", "convnext"): ["encoder=convnext", "encoder.dims=4,8", "encoder.depths=1,1"],
    ("encoder", "resnet"): ["encoder=resnet", "encoder.width=4", "encoder.layers=1,1"],
    ("predictor", "places"): ["task=masked"],
    ("predictor", "levels"): ["task=levels", "predictor.levels=2"],
    ("predictor", "cross"): ["task=masked", "predictor=cross", "predictor.dim=8", "predictor.heads=2"],
    ("task", "masked"): ["task=masked"],
    ("task", "levels"): ["task=levels", "predictor.levels=2"],
    ("task", "multiview"): ["task=multiview", "task.small=1", "objective=vicreg", "projector.width=8"],
    ("encoder", "resnet9"): ["encoder=resnet9", "encoder.width=2"],
    ("task", "saccade"): ["task=saccade", "predictor.width=8"],
    ("predictor", "pose"): ["task=saccade", "predictor=pose"],
    ("predictor", "conv"): FORECAST,
    ("encoder", "frames"): FORECAST,
    ("task", "forecast"): FORECAST,
    ("objective", "saccade"): ["task=saccade", "objective=saccade"],
    ("task", "views"): ["task=views", "projector=mlp", "projector.width=8", "predictor=mlp", "predictor.width=8"],
}


def base_of(role: str, kind: str, root: Path) -> Config:
    """Return a tiny configuration with this kind of a role; of a source a folder of images."""
    own = [f"{role}={kind}"] if kind and role != "source" else []
    return config(root, *TINY.get((role, kind), own))


@pytest.mark.parametrize(("key", "kind"), [n for n in NUMBERS if not n[0].startswith("source.") or n[0] in FOLDER])
def test_an_odd_number_is_refused_or_trains(key: str, kind: str, shapes_folder: Path, tmp_path: Path) -> None:
    accepted = [(odd, c) for odd in ODD if (c := tried(key, kind, odd, shapes_folder)) is not None]
    assert not [odd for odd, c in accepted if odd in ("nan", "inf", "-inf", "1e400", "???", "a")]
    for number, (odd, c) in enumerate(accepted):
        assert value_of(c, key) is not None
        try:
            train(c, out=tmp_path / str(number), stop_after=1)
        except KeyboardInterrupt:
            continue
        except JEPAError as error:
            assert len(str(error)) < 600, odd
