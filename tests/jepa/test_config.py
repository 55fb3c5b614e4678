"""The configuration: layers, kinds, how a mistake is answered, and that a file and back loses nothing."""

import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa.config import (
    Choice,
    Config,
    TrainSettings,
    changed,
    differences,
    every_key,
    from_yaml,
    keys,
    kinds,
    load,
    presets,
    to_yaml,
    value_of,
)
from jepa.config.config import schema_of
from jepa.config.keys import GROUPS
from jepa.config.old import GONE, RENAMED, VALUES
from jepa.config.settings import SettingError, fields_of
from jepa.errors import ConfigError
from jepa.objectives import InfoNCE
from jepa.parts import ROLES

KINDS = [(role, kind) for role, known in ROLES.items() for kind in known]
BLOCKS = ["task.regions=blocks", "task.target_scale=[0.1,0.3]"]


def test_layers_lie_over_each_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("optimizer: {lr: 3e-4}\ntrain:\n  epochs: 7\n")  # YAML 1.1 reads 3e-4 as text
    config = load("quick", file, ["train.epochs=9", "train.epochs=8", "name=mine"])
    assert value_of(config, "source.count") == 600 != value_of(Config(), "source.count")  # from the preset
    assert config.optimizer.settings.lr == 3e-4  # from the file
    assert (config.train.epochs, config.name) == (8, "mine")  # from the words, the last one wins
    assert config.evaluation.k == Config().evaluation.k  # default


def test_nothing_said_gives_the_defaults() -> None:
    assert load() == Config() and set(Config().choices) == set(ROLES)


def test_the_result_is_plain_and_frozen() -> None:
    config = load(overrides=["optimizer.betas=[0.8, 0.9]"])
    assert type(config.optimizer.settings.betas) is tuple
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]
    values = {type(value_of(config, key)) for key in keys(config)}
    assert values <= {str, int, float, bool, tuple, type(None)}


# -- kinds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "role", "kind"),
    [
        (["encoder=vit"], "encoder", "vit"),
        (["encoder.kind=vit"], "encoder", "vit"),
        (["encoder=vit", "encoder=mlp"], "encoder", "mlp"),
        (["encoder.kind=vit", "encoder=mlp"], "encoder", "mlp"),
        (["encoder= vit "], "encoder", "vit"),
        (["projector=null"], "projector", "none"),
        (["augment=none"], "augment", "none"),
        (["task=masked"], "predictor", "places"),
        (["task=masked"], "projector", "none"),
        (["task=masked"], "encoder", "vit"),
        (["task=masked", "encoder=cnn"], "encoder", "cnn"),
        (["encoder=cnn", "task=masked"], "predictor", "places"),
        (["task=levels"], "predictor", "levels"),
        (["task=masked", "predictor=geometry"], "predictor", "geometry"),  # refused where the parts are made
    ],
)
def test_the_last_named_kind_counts_and_the_others_go_with_the_task(words: list[str], role: str, kind: str) -> None:
    assert value_of(load(overrides=words), role) == kind


@pytest.mark.parametrize("text", ["encoder: vit", "encoder: {kind: vit}", "encoder.kind: vit", "encoder:\n  kind: vit"])
def test_a_file_names_a_kind(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    assert load(file=tmp_path / "c.yaml").encoder.kind == "vit"


def test_settings_of_an_earlier_layer_go_with_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("encoder: {kind: vit, patch: 2, dim: 8, heads: 2}\noptimizer: {lr: 0.5}\nprojector: ~")
    config = load("quick", file)
    assert (config.encoder.kind, config.encoder.settings.dim, config.projector.kind) == ("vit", 8, "none")
    assert load("quick", file, ["encoder=cnn"]).encoder == load("quick").encoder  # what was said of this kind
    assert load(None, file, ["encoder=mlp"]).encoder == load(overrides=["encoder=mlp"]).encoder
    assert load("quick", file, ["encoder=vit"]).encoder == config.encoder
    sgd = load("quick", file, ["optimizer=sgd"]).optimizer  # declared once for all optimizers: the same setting
    assert (sgd.kind, sgd.settings.lr, sgd.settings.warmup_steps) == ("sgd", 0.5, 5)
    file.write_text("encoder: {patch: 2}")  # for whichever kind that has it
    assert value_of(load(file=file, overrides=["encoder=vit"]), "encoder.patch") == 2
    with pytest.raises(ConfigError, match="c.yaml: encoder=cnn has no setting patch; encoder=vit"):
        load(file=file)


def test_a_setting_that_counts_for_nothing_is_dropped_or_refused() -> None:
    task = load("demo", overrides=BLOCKS).task.settings  # the preset's context_scale is one of crops
    assert task == schema_of("task", "crops")(regions="blocks", target_scale=(0.1, 0.3), targets=4, target_size=16)
    with pytest.raises(ConfigError, match=r"task.overlap=\[0.0, 0.5\]: counts with task.regions=crops alone"):
        load("demo", overrides=[*BLOCKS, "task.overlap=0,0.5"])
    with pytest.raises(ConfigError, match="task.ratio=.*: counts with task.masks=random or suffix alone; got"):
        load("ijepa-shapes", overrides=["task.ratio=0.1,0.2"])


@pytest.mark.parametrize(("role", "kind"), KINDS, ids=lambda x: x)
def test_no_silent_setting(role: str, kind: str) -> None:
    """Each key that another kind has and this one has not is refused, with a kind that has it."""
    own = fields_of(schema_of(role, kind))
    others = {key: having for key, having in every_key().items() if key.startswith(f"{role}.") and kind not in having}
    assert not {key.partition(".")[2] for key in others} & own.keys()
    for key, having in others.items():
        with pytest.raises(ConfigError) as caught:
            load(overrides=[f"{role}={kind}", f"{key}=1"])
        assert f"{role}={kind} has no setting {key.partition('.')[2]}; {role}={having[0]}" in str(caught.value)


@pytest.mark.parametrize(("role", "kind"), KINDS, ids=lambda x: x)
def test_every_kind_to_yaml_and_back(tmp_path: Path, role: str, kind: str) -> None:
    config = load(overrides=[f"{role}={kind}"])
    assert getattr(config, role) == Choice(kind, schema_of(role, kind)())
    for comments in (False, True):
        (tmp_path / "c.yaml").write_text(to_yaml(config, comments=comments), "utf-8")
        assert from_yaml(tmp_path / "c.yaml") == config
    assert changed(config, ["seed=7"]) == dataclasses.replace(config, seed=7)


def test_every_kind_and_setting_is_listed_with_its_help() -> None:
    printed = kinds()
    for role, kind in KINDS:
        assert re.search(rf"^  {role}={kind} +\S.*$", printed, re.M)
        for name, field in fields_of(schema_of(role, kind)).items():
            assert field.help and " ".join(field.help.split()) in printed and f"    {role}.{name}=" in printed


def test_an_existing_path_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    (tmp_path / "a=b" / "photos").mkdir(parents=True)
    (tmp_path / "x.npy").write_bytes(b"")
    for word, kind, place in (
        ("~/a=b/photos", "folder", f"{tmp_path}/a=b/photos"),
        ("a=b/photos", "folder", "a=b/photos"),
        ("./shapes", "folder", "./shapes"),
        ("x.npy", "array", "x.npy"),
    ):
        source = load("digits" if kind == "folder" else None, overrides=[f"source={word}"]).source
        assert source.kind == kind and place in (source.settings.root if kind == "folder" else source.settings.path)
        (tmp_path / "c.yaml").write_text(f"source: {word}")
        assert load(file="c.yaml").source.kind == kind
    assert load(overrides=["source=shapes"]).source.kind == "shapes"  # a kind's name is the kind
    assert value_of(load("digits", overrides=["source=a=b/photos"]), "source.channels") == 1
    for word in ("none/there", "photos.npz"):
        with pytest.raises(ConfigError, match=re.escape(f"source={word}: there is no such folder or file")):
            load(overrides=[f"source={word}"])


OWN = """
import dataclasses
from jepa.config.settings import Settings, setting, between

@dataclasses.dataclass(frozen=True)
class MySettings(Settings):
    width: int = setting(8, between(1, 99))
    \"\"\"its width\"\"\"

class MyEncoder:
    Settings = MySettings"""


def test_a_part_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    (tmp_path / "own_part_here.py").write_text(OWN)
    config = load(overrides=["encoder=own_part_here:MyEncoder", "encoder.width=64"])
    assert config.encoder.kind == "own_part_here:MyEncoder" and config.encoder.settings.width == 64
    (tmp_path / "c.yaml").write_text(to_yaml(config, comments=True))
    assert from_yaml("c.yaml") == config and "# its width" in (tmp_path / "c.yaml").read_text()
    for word, part in (
        ("encoder=own_part_here:Nobody", "has no attribute 'Nobody'"),
        ("encoder=own_part_here:dataclasses", "dataclasses is no class"),
        ("encoder=nowhere_to_be_found:X", "No module named 'nowhere_to_be_found'; the module must lie in the folder"),
        ("encoder=:", "encoder=:: "),
        ("encoder=own_part_here:MyEncoder encoder.width=0", "encoder.width=0: must be at least 1"),
        ("encoder=own_part_here:MyEncoder encoder.patch=0", "encoder=own_part_here:MyEncoder has no setting patch"),
    ):
        with pytest.raises(ConfigError, match=re.escape(part)):
            load(overrides=word.split())


# -- keys of older versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [*RENAMED, *GONE])
def test_an_old_key_is_answered_with_the_new_one(key: str, tmp_path: Path) -> None:
    said = f"{key} is called {RENAMED[key]} now" if key in RENAMED else f"{key} is gone"
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(overrides=[f"{key}=1"])
    group, _, name = key.rpartition(".")
    (tmp_path / "c.yaml").write_text(f"{group}: {{{name}: 1}}" if group else f"{key}: 1")
    with pytest.raises(ConfigError, match=re.escape(f"c.yaml: {said}")):
        load(file=tmp_path / "c.yaml")


def test_new_keys_and_kinds_are_there() -> None:
    assert set(RENAMED.values()) <= every_key().keys()
    for key, values in VALUES.items():
        known = ROLES.get(RENAMED[key])
        assert known is None or set(values.values()) <= set(known)
    for word, new in (
        ("method=hjepa", "task=levels"),
        ("model.geometry=false", "predictor=mlp"),
        ("optim.clip=0", "optimizer.clip=null"),
        ("model.widths=[1, 2]", "encoder.widths=[1, 2]"),
    ):
        with pytest.raises(ConfigError, match=re.escape(f"write {new}")):
            load(overrides=[word])


# -- words and texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("optimizer.lr=3e-4", "optimizer.lr", 3e-4),
        ("optimizer.lr=1", "optimizer.lr", 1.0),
        ("optimizer.betas=[0.8, 0.9]", "optimizer.betas", (0.8, 0.9)),
        ("optimizer.betas=0.8,0.9", "optimizer.betas", (0.8, 0.9)),
        ("optimizer.betas=(0.8,0.9)", "optimizer.betas", (0.8, 0.9)),
        ("encoder.widths=16,32,", "encoder.widths", (16, 32)),
        ("objective.normalize=false", "objective.normalize", False),
        ("task.overlap_end=0,0.5", "task.overlap_end", (0.0, 0.5)),
        ("task.overlap_end=null", "task.overlap_end", None),
        ("optimizer.clip=null", "optimizer.clip", None),
        ("optimizer.clip=", "optimizer.clip", None),
        ("evaluation.data=images/my=own", "evaluation.data", "images/my=own"),
        ("evaluation.data=", "evaluation.data", None),
        ("evaluation.data=2024", "evaluation.data", "2024"),
        ("source.mean=0.5", "source.mean", (0.5,)),
        ("objective.normalize=No", "objective.normalize", False),
        ("train.precision= float16 ", "train.precision", "float16"),
    ],
)
def test_words(word: str, key: str, value: object) -> None:
    assert value_of(load(overrides=[word]), key) == value


TEXTS = [
    "/x/Photos #1", "a: b", "'quoted'", '"quoted"', "{a: 1}", "[a]", "null", "yes", "1e3", "0x10", "12:30",
    "2024-01-01", " spaces ", "${oc.env:HOME}", "${nothing}", "a=b", "- a", "&a *a", "!!binary x", "|", "%", "@", "\t",
    "\\", "é 😀", "\udcff.png", "",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_text(tmp_path: Path, text: str) -> None:
    """Of a setting that may be off, null and nothing are off."""
    config = load(overrides=[f"evaluation.data={text}"])
    assert config.evaluation.data == (None if text.strip() in ("null", "") else text)
    (tmp_path / "config.yaml").write_text(to_yaml(config, comments=True), "utf-8")
    assert from_yaml(tmp_path / "config.yaml") == config
    if text.isprintable() and not set(text) & set("\"'\\") and text.strip():
        (tmp_path / "config.yaml").write_text(f"evaluation:\n  data: '{text}'\n", "utf-8")
        assert from_yaml(tmp_path / "config.yaml") == config


@pytest.mark.parametrize("text", ["yes", "1e3", "0x10", "12:30", "2024-01-01", "${oc.env:HOME}", "1_000", "010"])
def test_a_text_in_a_file_needs_no_quotes(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(
        f"evaluation: {{data: {text}}}\n" if "$" not in text else f"evaluation:\n  data: {text}"
    )
    assert from_yaml(tmp_path / "config.yaml").evaluation.data == text


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["source=folder", "source.root=~/photos", "evaluation.data=~/a"]
    config = load(overrides=words)
    assert (config.source.settings.root, config.evaluation.data) == (f"{tmp_path}/photos", f"{tmp_path}/a")
    assert load(overrides=["evaluation.data=a/~"]).evaluation.data == "a/~"
    (tmp_path / "c.yaml").write_text("source: {kind: folder, root: ~/photos}\nevaluation: {data: ~}")
    assert value_of(from_yaml(tmp_path / "c.yaml"), "source.root") == f"{tmp_path}/photos"
    assert from_yaml(tmp_path / "c.yaml").evaluation.data is None  # alone it is YAML's null


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("optimizer.lrr=1", ["'optimizer.lrr'", "Did you mean 'optimizer.lr'?"]),
        ("lr=1", ["Did you mean 'optimizer.lr'?"]),
        ("epoch=1", ["Did you mean 'train.epochs'?"]),
        ("encodr.widths=[8]", ["Did you mean 'encoder.widths'?"]),
        ("temperature=1", ["Did you mean 'objective.temperature'? It is a setting of objective=infonce"]),
        ("xyzzy=1", ["'xyzzy'", "jepa config"]),
        ("optimizer.lr.x=1", ["Did you mean 'optimizer.lr'?"]),
        ("train=1", ["a group", "train.epochs"]),
        ("encoder=vti", ["there is no such kind. Did you mean 'vit'?", "encoder=mymodule:MyClass"]),
        ("encoder=", ["encoder=: there is no such kind"]),
        ("encoder=null", ["encoder=null: there is no such kind"]),
        ("seed", ["key=value"]),
        ("optimizer.lr=fast", ["optimizer.lr=fast", "a number"]),
        ("optimizer.lr=true", ["optimizer.lr", "a number"]),
        ("optimizer.lr=", ["optimizer.lr", "a number"]),
        ("optimizer.clip=high", ["optimizer.clip=high: expected a number, or null"]),
        ("train.epochs=1.5", ["train.epochs=1.5", "a whole number"]),
        ("train.max_steps=0", ["train.max_steps=0: must be at least 1", "or null"]),
        ("optimizer.betas=[1]", ["optimizer.betas", "a list of 2 numbers"]),
        ("encoder.widths=a,b", ["encoder.widths", "whole numbers"]),
        ("objective.normalize=perhaps", ["objective.normalize", "true or false"]),
        ("target=emma", ["target=emma", "ema, stopgrad, shared"]),
        ("train.precision=half", ["train.precision=half: expected one of 'float32', 'float16', 'bfloat16'"]),
        ("name=[1", ["name=[1: must be a folder name"]),
        ("seed=${nothing}", ["seed=${nothing}: expected a whole number"]),
        ("train.epochs=0", ["train.epochs=0: must be at least 1"]),
        ("train.batch_size=1", ["at least 2"]),
        ("optimizer.lr=nan", ["larger than 0"]),
        ("optimizer.lr=-1", ["larger than 0"]),
        ("name=../other", ["folder name"]),
        ("name=..", ["folder name"]),
        ("device=gpu", ["cuda:0"]),
        ("augment.flip=1.1", ["augment.flip=1.1", "at least 0 and at most 1"]),
        ("augment.jitter=[0.4, 0.4, 0.4, 0.6]", ["augment.jitter=", "hue"]),
        ("task.context_scale=[0.9, 0.3]", ["task.context_scale", "smallest <= largest"]),
        ("task.overlap_end=[0.9, 0.3]", ["task.overlap_end", "smallest <= largest"]),
        ("optimizer.lr=inf", ["larger than 0 and at most 1e30"]),
        ("augment.jitter=[1,2]", ["a list of 4 numbers", "[1, 2, 3, 4]"]),
        ("task.regions=blocks", ["task.target_scale=[0.3, 1.0] with task.regions=blocks", "[0.15, 0.2]"]),
        ("./photos", ["Did you mean source=./photos?"]),
        ("evaluation.C=[]", ["evaluation.C=[]: needs 1 to 64 values"]),
    ],
)
def test_mistakes_are_answered(word: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(overrides=[word])
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- 1\n", "not a list"),
        ("a: [", "not valid YAML"),
        ("just words", "'just words'"),
        ("optimizer: {lrr: 1}", "Did you mean 'optimizer.lr'?"),
        ("train: 3", "a group"),
        ("encoder: [1]", "encoder=[1]: expected a kind, one of cnn"),
        ("encoder: {kind: cnn, patch: 2}", "encoder=cnn has no setting patch; encoder=vit"),
        ("1: 2", "no setting '1'"),
        ("train: {epochs: many}", "a whole number"),
        ("seed: !!int foo", "line 1: the tag tag:yaml.org,2002:int means nothing here"),
        ("name: !!python/object/apply:os.system [date]", "means nothing here"),
        ("name: !!binary aGk=", "means nothing here"),
        ("name: ???", "name=???: must be a folder name"),
        ("name:\n\tx: 1", "line 2 is not valid YAML: found character '\\t'"),
        ("name: a\nname: b", "line 2: 'name' stands here a second time"),
        ("optimizer: {lr: 1}\noptimizer.lr: 2", "optimizer.lr is set twice"),
        ("encoder: {kind: vit}\nencoder.kind: cnn", "encoder is set twice"),
        ("a: 1\n---\nb: 2", "line 2: a second document begins"),
        ("name: " + "[" * 150 + "]" * 150, "too many values, or too many inside each other"),
        ("name: " + "[" * 50_000, "too many"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [" + "*a," * 99 + "]\nc: [" + "*b," * 99 + "]", "line 3: too many values"),
        ("a: *b", "line 1: *b has no &b before it"),
        ("a: &a [*a]", "line 1: *a has no &a before it"),
        ("? [1]\n: 2", "a key is a word"),
        ("name: a\0b", "is not valid YAML: special characters"),
        ('name: "\\UFFFFFFFF"', "is not valid YAML"),
        ("%YAML 9.9\n---\nname: a", "is not valid YAML"),
        ("seed: " + "9" * 5000, "expected a whole number"),
        ("optimizer: {lr: " + "9" * 50_000 + "}", "optimizer.lr=inf: must be larger than 0"),
        ("? " + "x" * 50_000 + "\n: 1", "there is no setting"),
        ("name: " + "x" * 200_000, "has more than 100,000 bytes"),
        ("name: ${oc.env:HOME}", "name=${oc.env:HOME}: must be a folder name"),
        ("backbone: [1]", "backbone=['1']: expected vit_"),
        ("loss_type: [1]", "loss_type=['1']: expected one of"),
        ("backbone: vit_tiny_patch²_32", "expected vit_"),
        ("backbone: vit_tiny_patch" + "9" * 5000 + "_32", "encoder.patch="),
        ("loss: {force: 1}", "loss.force is gone: what must collapse is refused; leave it away"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file=file)
    assert (
        "mine.yaml: " in str(caught.value)
        or "mine.yaml, line" in str(caught.value)
        or "mine.yaml " in str(caught.value)
    )
    assert part in str(caught.value) and len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_anchors_and_marks_of_byte_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("source: &m {size: &s 64}\ntask: {target_size: *s}\n")
    assert value_of(from_yaml(file), "task.target_size") == 64
    file.write_text("\ufeff{train: {epochs: 3}}\n", "utf-8")
    assert from_yaml(file).train.epochs == 3


@pytest.mark.parametrize("text", ["", "# nothing\n", "optimizer:\n", "train:\nencoder:\n", "{}"])
def test_an_empty_file_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert load(file=tmp_path / "mine.yaml") == Config()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "picture.yaml", tmp_path / "pipe.yaml"):
        with pytest.raises(ConfigError, match=path.name):
            load(file=path)


@pytest.mark.parametrize("name", presets())
def test_presets_load_and_bear_their_name(name: str) -> None:
    assert load(name).name == name


def test_an_unknown_preset() -> None:
    assert {"demo", "quick", "digits", "digits-clutter", "cifar10"} <= set(presets())
    with pytest.raises(ConfigError, match="Did you mean 'digits-clutter'"):
        load("digits-cluter")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TrainSettings(epochs="3"), "epochs='3': expected a whole number"),  # type: ignore[arg-type]
        (lambda: TrainSettings(epochs=True), "epochs=True: expected a whole number"),
        (lambda: schema_of("optimizer", "adamw")(betas=(0.9,)), "betas=(0.9,): expected a list of 2 numbers"),
        (lambda: schema_of("task", "crops")(regions="all"), "regions='all': expected one of"),
        (lambda: schema_of("source", "folder")(root=Path("x")), "root=PosixPath('x'): expected text, or null"),
        (lambda: Config(encoder="vit"), "encoder='vit': expected Choice"),  # type: ignore[arg-type]
        (lambda: Config(seed=-1, name=""), r"seed=-1: must be at least 0"),
        (lambda: InfoNCE(temperature=0), "temperature=0: must be at least 0.0001"),
    ],
)
def test_settings_look_at_types_and_rules_too(make: Any, text: str) -> None:
    with pytest.raises(SettingError, match=re.escape(text)):
        make()


def test_every_broken_rule_is_named() -> None:
    with pytest.raises(ConfigError, match=r"seed=-1.*; objective.temperature=0.*; train.epochs=0"):
        load(overrides=["seed=-1", "objective=infonce", "objective.temperature=0", "train.epochs=0"])


@settings(max_examples=25)
@given(
    name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
    data=st.text(st.characters(blacklist_characters="\0"), min_size=1, max_size=12).filter(
        lambda text: text[:1] != "~" and text.strip().lower() not in ("", "null", "none")
    ),
    lr=st.floats(1e-12, 1e3),
    widths=st.lists(st.integers(1, 512), min_size=1, max_size=5),
    end=st.none() | st.just((0.0, 0.25)),
    normalize=st.booleans(),
)
def test_yaml_and_back(tmp_path_factory, name, data, lr, widths, end, normalize) -> None:  # type: ignore[no-untyped-def]
    base = Config()
    config = dataclasses.replace(
        base,
        name=name,
        evaluation=dataclasses.replace(base.evaluation, data=data),
        optimizer=Choice("adam", schema_of("optimizer", "adam")(lr=lr)),
        encoder=Choice("cnn", schema_of("encoder", "cnn")(widths=tuple(widths))),
        task=Choice("crops", schema_of("task", "crops")(overlap_end=end)),
        objective=Choice("vicreg", schema_of("objective", "vicreg")(normalize=normalize)),
    )
    file = tmp_path_factory.mktemp("yaml") / "config.yaml"
    for comments in (False, True):
        file.write_text(to_yaml(config, comments=comments), "utf-8")
        assert from_yaml(file) == config


def test_every_field_has_help_and_it_is_printed() -> None:
    printed = to_yaml(Config(), comments=True)
    found = keys(Config())
    for key, field in found.items():
        assert field.help and f"# {field.help}{':' if key in ROLES else ''}" in printed
    assert len(printed.splitlines()) == len(found) + len(ROLES) + len(GROUPS)  # and a line for each role and group


def test_differences() -> None:
    assert differences(Config(), Config()) == {}
    words = ["optimizer.lr=1", "seed=2", "encoder=mlp"]
    assert differences(load("quick"), load("quick", overrides=words)) == {
        "seed": (0, 2),
        "encoder": ("cnn", "mlp"),
        "optimizer.lr": (0.002, 1.0),
    }


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["task.overlap=[0,0]", "task.context_scale=[1,1]"], "contains every target; lower task.context_scale"),
        (["task.overlap=[1,1]", "task.context_scale=[0.1,0.1]", "task.target_scale=[0.9,0.9]"], "not fit"),
        ([*BLOCKS, "task.target_scale_end=[0.5,1]"], "task.target_scale_end=[0.5, 1.0] with task.regions=blocks"),
        (["task=levels", "task.levels=2"], "task.weights=[1.0, 0.5, 0.25]"),
        (["task=levels", "task.levels=9"], "task.levels=9: must be"),
        (["encoder=vit", "encoder.heads=5"], "encoder.heads=5 must divide encoder.dim=192"),
        (["task=masked", "predictor.heads=7"], "predictor.heads=7: must divide predictor.dim=96"),
    ],
)
def test_contradictions_are_answered(words: list[str], part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(overrides=words)
    assert part in str(caught.value) and str(caught.value).count(";") <= 1


@pytest.mark.parametrize("overrides", ["train.epochs=2", {"train.epochs": 2}])
def test_overrides_are_a_list(overrides: Any) -> None:
    with pytest.raises(ConfigError, match="give a list of texts key=value"):
        load("demo", overrides=overrides)


SHORT = """
# configs/imagenet_vit.yaml
backbone: vit_base_patch16_224
mask_ratio: 0.5
batch_size: 256
learning_rate: 1e-4
epochs: 100
ema_decay: 0.99
loss_type: huber
"""


def test_a_file_may_use_short_names(tmp_path: Path) -> None:
    file = tmp_path / "imagenet_vit.yaml"
    file.write_text(SHORT, "utf-8")
    c = load(file=file)
    vit = c.encoder.settings
    assert (c.task.kind, vit.dim, vit.patch, value_of(c, "source.size")) == ("masked", 768, 16, 224)
    assert (value_of(c, "task.masks"), value_of(c, "task.ratio"), c.train.epochs) == ("random", (0.5, 0.5), 100)
    assert (c.optimizer.settings.lr, c.train.batch_size) == (1e-4, 256)
    assert c.target.settings == schema_of("target", "ema")(start=0.99, schedule="constant")
    assert (c.objective.kind, c.predictor.kind, c.projector.kind) == ("smooth_l1", "places", "none")
    for bad, text in (
        ("backbone: resnet50", "backbone=resnet50: expected vit_"),
        ("loss_type: dice", "loss_type=dice"),
    ):
        file.write_text(bad, "utf-8")
        with pytest.raises(ConfigError, match=text):
            load(file=file)


@pytest.mark.parametrize(
    ("words", "encoder"),
    [
        ("source=text source.path=x.csv", "words"),  # the task's usual encoder is a vit
        ("source=text source.path=x.csv encoder=bag", "bag"),
        ("source=table source.path=x.csv", "columns"),
        ("source=table source.path=x.csv task=views", "columns"),
        ("source=series source.root=x", "vit"),
    ],
)
def test_what_a_source_needs_comes_before_what_is_usual(words: str, encoder: str) -> None:
    assert load(overrides=words.split()).encoder.kind == encoder
