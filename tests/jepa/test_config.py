"""The configuration: layers, how a mistake is answered, and that a file and back loses nothing."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa.config import Config, LossConfig, check, differences, fields, from_yaml, load, presets, to_yaml, value_of
from jepa.errors import ConfigError
from jepa.runs.pipeline import normalize


def test_layers_lie_over_each_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("optim: {lr: 3e-4}\ntrain:\n  epochs: 7\n")  # YAML 1.1 reads 3e-4 as text
    config = load("quick", file, ["train.epochs=9", "train.epochs=8", "name=mine"])
    assert config.data.count == load("quick").data.count != Config().data.count  # from the preset
    assert config.optim.lr == 3e-4  # from the file
    assert (config.train.epochs, config.name) == (8, "mine")  # from the words, the last one wins
    assert config.model.geometry is Config().model.geometry  # default


def test_nothing_said_gives_the_defaults() -> None:
    assert load() == Config()


def test_the_result_is_plain_and_frozen() -> None:
    config = load(overrides=["optim.betas=[0.8, 0.9]"])
    assert type(config.optim.betas) is tuple
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]
    assert {type(value_of(config, key)) for key in fields()} <= {str, int, float, bool, tuple, type(None)}


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("optim.lr=3e-4", "optim.lr", 3e-4),
        ("optim.lr=1", "optim.lr", 1.0),
        ("optim.betas=[0.8, 0.9]", "optim.betas", (0.8, 0.9)),
        ("optim.betas=0.8,0.9", "optim.betas", (0.8, 0.9)),
        ("optim.betas=(0.8,0.9)", "optim.betas", (0.8, 0.9)),
        ("model.widths=16,32,", "model.widths", (16, 32)),
        ("model.geometry=false", "model.geometry", False),
        ("regions.overlap_end=0,0.5", "regions.overlap_end", (0.0, 0.5)),
        ("regions.overlap_end=null", "regions.overlap_end", None),
        ("data.root=images/my=own", "data.root", "images/my=own"),
        ("data.root=", "data.root", ""),
        ("data.root=2024", "data.root", "2024"),
        ("data.mean=0.5", "data.mean", (0.5,)),
        ("masks.compat=null", "masks.compat", ""),
        ("model.geometry=No", "model.geometry", False),
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
    config = load(overrides=[f"data.root={text}"])
    assert config.data.root == text
    (tmp_path / "config.yaml").write_text(to_yaml(config, comments=True), "utf-8")
    assert from_yaml(tmp_path / "config.yaml") == config
    if text.isprintable() and not set(text) & set("\"'\\") and text.strip():
        (tmp_path / "config.yaml").write_text(f"data:\n  root: '{text}'\n", "utf-8")
        assert from_yaml(tmp_path / "config.yaml") == config


@pytest.mark.parametrize("text", ["yes", "1e3", "0x10", "12:30", "2024-01-01", "${oc.env:HOME}", "1_000", "010"])
def test_a_text_in_a_file_needs_no_quotes(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(
        f"data: {{eval_root: {text}}}\n" if "$" not in text else f"data:\n  eval_root: {text}"
    )
    assert from_yaml(tmp_path / "config.yaml").data.eval_root == text


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load(overrides=["data.root=~/photos", "data.eval_root=~"])
    assert (config.data.root, config.data.eval_root) == (f"{tmp_path}/photos", str(tmp_path))
    assert load(overrides=["data.root=a/~"]).data.root == "a/~"
    (tmp_path / "c.yaml").write_text("data: {root: ~/photos, eval_root: ~}")  # alone it is YAML's null
    assert from_yaml(tmp_path / "c.yaml").data.root == f"{tmp_path}/photos"
    assert from_yaml(tmp_path / "c.yaml").data.eval_root == ""


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("optim.lrr=1", ["'optim.lrr'", "Did you mean 'optim.lr'?"]),
        ("lr=1", ["Did you mean 'optim.lr'?"]),
        ("epoch=1", ["Did you mean 'train.epochs'?"]),
        ("modle.widths=[8]", ["Did you mean 'model.widths'?"]),
        ("xyzzy=1", ["'xyzzy'", "jepa config"]),
        ("optim.lr.x=1", ["Did you mean 'optim.lr'?"]),
        ("optim=1", ["a group", "optim.lr"]),
        ("seed", ["key=value"]),
        ("optim.lr=fast", ["optim.lr=fast", "a number"]),
        ("optim.lr=true", ["optim.lr", "a number"]),
        ("optim.lr=", ["optim.lr", "a number"]),
        ("train.epochs=1.5", ["train.epochs=1.5", "a whole number"]),
        ("optim.betas=[1]", ["optim.betas", "a list of 2 numbers"]),
        ("model.widths=a,b", ["model.widths", "whole numbers"]),
        ("model.geometry=perhaps", ["model.geometry", "true or false"]),
        ("model.target=emma", ["model.target=emma", "'ema', 'stopgrad', 'shared'"]),
        ("name=[1", ["name=[1: must be a folder name"]),
        ("seed=${nothing}", ["seed=${nothing}: expected a whole number"]),
        ("train.epochs=0", ["train.epochs=0: must be at least 1"]),
        ("train.batch_size=1", ["at least 2"]),
        ("optim.lr=nan", ["larger than 0"]),
        ("optim.lr=-1", ["larger than 0"]),
        ("name=../other", ["folder name"]),
        ("name=..", ["folder name"]),
        ("device=gpu", ["cuda:0"]),
        ("augment.flip=1.1", ["between 0 and 1"]),
        ("augment.jitter=[0.4, 0.4, 0.4, 0.6]", ["hue"]),
        ("regions.context_scale=[0.9, 0.3]", ["smallest <= largest"]),
        ("regions.overlap_end=[0.9, 0.3]", ["smallest <= largest"]),
        ("data.channels=1", ["model.channels=3"]),
        ("data.mean=[0.5,0.4]", ["data.mean", "3"]),
        ("optim.lr=inf", ["larger than 0 and at most 1e30"]),
        ("augment.jitter=[1,2]", ["a list of 4 numbers", "[1, 2, 3, 4]"]),
        ("regions.kind=blocks", ["regions.target_scale=[0.3, 1.0]", "[0.15, 0.2]"]),
        ("./photos", ["Did you mean data.root=./photos?"]),
        ("data.make=", ["data.root and data.make are both empty"]),
        ("model.widths=[2, 2, 2, 2, 2, 2]", ["at most 5"]),
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
        ("optim: {lrr: 1}", "Did you mean 'optim.lr'?"),
        ("optim: 3", "a group"),
        ("1: 2", "no setting '1'"),
        ("train: {epochs: many}", "a whole number"),
        ("seed: !!int foo", "line 1: the tag tag:yaml.org,2002:int means nothing here"),
        ("name: !!python/object/apply:os.system [date]", "means nothing here"),
        ("name: !!binary aGk=", "means nothing here"),
        ("name: ???", "name=???: must be a folder name"),
        ("name:\n\tx: 1", "line 2 is not valid YAML: found character '\\t'"),
        ("name: a\nname: b", "line 2: 'name' stands here a second time"),
        ("optim: {lr: 1}\noptim.lr: 2", "optim.lr is set twice"),
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
        ("optim: {lr: " + "9" * 50_000 + "}", "optim.lr=inf: must be larger than 0"),
        ("? " + "x" * 50_000 + "\n: 1", "there is no setting"),
        ("name: " + "x" * 200_000, "has more than 100,000 bytes"),
        ("name: ${oc.env:HOME}", "name=${oc.env:HOME}: must be a folder name"),
        ("backbone: [1]", "backbone=['1']: expected vit_"),
        ("loss_type: [1]", "loss_type=['1']: expected one of"),
        ("backbone: vit_tiny_patch²_32", "expected vit_"),
        ("backbone: vit_tiny_patch" + "9" * 5000 + "_32", "vit.patch_size="),
        ("model: {projector: 64}", "'model.projector'. Nothing has ever read it, and it is gone: leave it away"),
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


def test_files_of_an_older_version_and_of_others_that_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("model: &m {projector: 0, image_size: &s 64, target_size: *s}\n")
    assert from_yaml(file).model.target_size == 64
    file.write_text("\ufeff{train: {epochs: 3}}\n", "utf-8")
    assert from_yaml(file).train.epochs == 3


@pytest.mark.parametrize("text", ["", "# nothing\n", "optim:\n", "{}"])
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


@pytest.mark.parametrize("loss", ["l2", "smooth_l1", "cosine", "infonce", "vicreg"])
@pytest.mark.parametrize("target", ["ema", "stopgrad", "shared"])
def test_what_must_collapse_is_refused_unless_forced(loss: str, target: str) -> None:
    words = [f"loss.name={loss}", f"model.target={target}"]
    if target == "shared" and loss in ("l2", "smooth_l1", "cosine"):
        with pytest.raises(ConfigError, match="must collapse"):
            load(overrides=words)
        assert load(overrides=[*words, "loss.force=true"]).loss.force
    else:
        assert load(overrides=words).loss.name == loss


@pytest.mark.parametrize(
    ("group", "value", "text"),
    [
        ("train", {"epochs": "3"}, "train.epochs='3': expected a whole number"),
        ("train", {"epochs": True}, "train.epochs=True: expected a whole number"),
        ("optim", {"betas": (0.9,)}, "optim.betas=(0.9,): expected a list of 2 numbers"),
        ("loss", {"name": "l3"}, "loss.name='l3': expected one of"),
        ("data", {"root": Path("x")}, "expected text"),
    ],
)
def test_check_looks_at_the_types_too(group: str, value: dict[str, Any], text: str) -> None:
    part = dataclasses.replace(getattr(Config(), group), **value)
    with pytest.raises(ConfigError, match=re.escape(text)):
        check(dataclasses.replace(Config(), **{group: part}))


def test_check_names_every_broken_rule() -> None:
    config = dataclasses.replace(Config(), seed=-1, loss=LossConfig(temperature=0))
    with pytest.raises(ConfigError, match=r"seed=-1.*; loss.temperature=0"):
        check(config)


@settings(max_examples=25)
@given(
    name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
    root=st.text(st.characters(blacklist_characters="\0"), max_size=12).filter(lambda text: text[:1] != "~"),
    lr=st.floats(1e-12, 1e3),
    widths=st.lists(st.integers(1, 512), min_size=1, max_size=5),
    end=st.none() | st.just((0.0, 0.25)),
    geometry=st.booleans(),
)
def test_yaml_and_back(tmp_path_factory, name, root, lr, widths, end, geometry) -> None:  # type: ignore[no-untyped-def]
    base = Config()
    config = dataclasses.replace(
        base,
        name=name,
        data=dataclasses.replace(base.data, root=root),
        optim=dataclasses.replace(base.optim, lr=lr),
        model=dataclasses.replace(base.model, widths=tuple(widths), geometry=geometry),
        regions=dataclasses.replace(base.regions, overlap_end=end),
    )
    file = tmp_path_factory.mktemp("yaml") / "config.yaml"
    for comments in (False, True):
        file.write_text(to_yaml(config, comments=comments), "utf-8")
        assert from_yaml(file) == config


def test_every_field_has_help_and_it_is_printed() -> None:
    printed = to_yaml(Config(), comments=True)
    for field in fields().values():
        assert field.help and f"# {field.help}" in printed
    assert len(printed.splitlines()) == len(fields()) + 11  # and a line for each group


def test_differences() -> None:
    assert differences(Config(), Config()) == {}
    assert differences(load("quick"), load("quick", overrides=["optim.lr=1", "seed=2"])) == {
        "seed": (0, 2),
        "optim.lr": (0.002, 1.0),
    }


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["regions.overlap=[0,0]", "regions.context_scale=[1,1]"], "contains every target"),
        (["regions.overlap=[1,1]", "regions.context_scale=[0.1,0.1]", "regions.target_scale=[0.9,0.9]"], "not fit"),
        (["model.target=shared", "loss.name=vicreg", "loss.variance=0"], "must collapse"),
        (["regions.kind=blocks", "regions.target_scale=[0.1,0.3]", "regions.target_scale_end=[0.5,1]"], "scale_end"),
    ],
)
def test_contradictions_are_answered(words: list[str], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        load(overrides=words)


def test_grey_needs_two_settings() -> None:
    c = load(overrides=["data.channels=1", "model.channels=1"])
    assert normalize(c).mean == (0.5,)
    assert normalize(load(overrides=["data.mean=[0.4]", "data.std=[0.2]"])).std == (0.2,)


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
    assert (c.method, c.vit.dim, c.vit.patch_size, c.model.image_size) == ("ijepa", 768, 16, 224)
    assert (c.masks.kind, c.masks.ratio, c.train.batch_size, c.train.epochs) == ("random", (0.5, 0.5), 256, 100)
    assert (c.optim.lr, c.model.ema_start, c.model.ema_schedule, c.loss.name) == (1e-4, 0.99, "constant", "smooth_l1")
    for bad, text in (
        ("backbone: resnet50", "backbone=resnet50: expected vit_"),
        ("loss_type: dice", "loss_type=dice"),
    ):
        file.write_text(bad, "utf-8")
        with pytest.raises(ConfigError, match=text):
            load(file=file)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["vit.patch_size=5"], "vit.patch_size=5 must divide model.image_size=32"),
        (["vit.heads=5"], "vit.heads=5 must divide vit.dim=192"),
        (["vit.heads=256"], "vit.heads=256 must divide vit.dim=192"),
        (["vit.predictor_heads=7"], "vit.predictor_heads=7 must divide vit.predictor_dim=96"),
        (["vit.patch_size=32"], "masks.min_keep=4 of 1 patches leaves nothing to predict"),
        (["hierarchy.levels=9"], "hierarchy.levels=9: must be 2, 3 or 4"),
        (["method=hjepa", "hierarchy.levels=2"], "needs one weight for each of hierarchy.levels=2"),
        (["evaluation.pool=cls"], "evaluation.pool=cls needs vit.class_token=true"),
        (["vit.dim=90", "vit.heads=3"], "vit.dim=90: sine-cosine positions need a multiple of 4"),
    ],
)
def test_masked_settings_that_do_not_fit(overrides: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)) as caught:
        load(overrides=["method=ijepa", *overrides])
    assert str(caught.value).count(";") == 0  # one sentence
