"""Fine-tuning: every encoder, every rank; the same bits for a seed; nothing is chosen on what is scored; it goes on."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.__main__ import main
from jepa.config import FinetuneSettings
from jepa.config.config import schema_of
from jepa.encoders.base import Encoder, WholeEncoder
from jepa.errors import ConfigError, DataError, RunError
from jepa.evaluation.split import Part
from jepa.finetuning import Classifier, load_classifier
from jepa.finetuning.labels import share_of
from jepa.parts import ROLES, Choice, made
from jepa.pictures.finetuned import sentences
from jepa.pretrained import save_pretrained
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.composition import TINY
from tests.jepa.tiny import config

QUICK = {"labels": (0.2, 1.0), "epochs": 2, "epoch_steps": 3, "batch_size": 16, "device": "cpu"}
WORDS = [
    f"finetune.{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in QUICK.items() if k != "device"
]
SHAPES = {"image": (3, 8, 8), "series": (2, 32), "clip": (3, 4, 8, 8)}
ANY_RANK = ("vit", "energy", "mlp")
OTHER = {
    "frames": "clip",
    "impala": "clip",
    "maps": "clip",
    "states": "series",
    "columns": "series",
    "cnn1d": "series",
    "rnn": "series",
}
NO_MEASUREMENTS = ("words", "bag", "pair", "crossmodal")  # of tokens, or of several arrays: not from `Arrays` alone
MEASURED = [e for e in ROLES["encoder"] if e not in NO_MEASUREMENTS]
PAIRS = [(e, OTHER.get(e, "image")) for e in MEASURED] + [(e, what) for e in ANY_RANK for what in ("series", "clip")]


def source_of(shape: tuple[int, ...], count: int = 90, **settings: Any) -> Any:
    """Three classes that differ in their mean, of unlike size."""
    rng = np.random.default_rng(0)
    labels = np.minimum(np.arange(count) // 20, 2)
    x = rng.normal(size=(count, *shape)) + 2 * labels.reshape(-1, *[1] * len(shape))
    return jepa.sources.Arrays(x.astype(np.float32), [f"c{k}" for k in labels], validation=0.2, **settings)


def encoder_of(kind: str, shape: tuple[int, ...]) -> Any:
    mt.manual_seed(1)
    return made(Choice(kind, schema_of("encoder", kind)(**TINY.get(("encoder", kind), {}))), "encoder", shape)


@pytest.fixture(scope="module")
def run(shapes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finetune") / "run"
    train(config(shapes_folder, "train.epochs=1"), out=folder)
    return folder


@pytest.fixture(scope="module")
def finished(run: Path) -> Path:
    assert main(["finetune", str(run), *WORDS]) == 0
    return Path(f"{run}-finetuned")


@pytest.mark.parametrize(("kind", "what"), PAIRS)
def test_every_encoder_is_fine_tuned_beside_itself_from_scratch(kind: str, what: str, tmp_path: Path) -> None:
    shape = SHAPES[what]
    encoder, source = encoder_of(kind, shape), source_of(shape)
    before = encoder.state_dict()
    found = jepa.finetune(
        encoder, source, out=tmp_path / "out", **QUICK | {"labels": (1.0,), "freeze": 0.5, "validation": 0}
    )
    assert [r["start"] for r in found["results"]] == ["jepa", "scratch"]
    assert found["test"] == 18 and np.sum(found["results"][0]["confusion"]) == 18
    assert all(np.array_equal(v, before[k]) for k, v in encoder.state_dict().items())  # a copy was trained
    opened = load_classifier(tmp_path / "out" / "jepa-1")
    after = opened.model.encoder.state_dict()
    assert any(not np.array_equal(after[k], before[k]) for k in before)
    test = source.split("val")
    p = opened.model.probabilities(test.normalize(test.read(range(len(test)))))
    assert np.allclose(p.sum(axis=1), 1) and opened.classes == ["c0", "c1", "c2"]
    assert np.mean(p.argmax(axis=1) == test.labels) == found["results"][0]["accuracy"]


@pytest.mark.parametrize(("kind", "what"), PAIRS)
def test_depths_hold_each_parameter_once_and_the_first_layer_first(kind: str, what: str) -> None:
    encoder: Encoder = encoder_of(kind, SHAPES[what])
    layers = encoder.depths()
    assert sorted(id(p) for layer in layers for p in layer) == sorted(map(id, encoder.parameters()))
    assert next(iter(encoder.parameters())) in layers[0] and all(any(p.ndim > 1 for p in layer) for layer in layers)


def test_layers_learn_at_falling_rates_and_the_encoder_rests_first() -> None:
    encoder = jepa.encoders.ViT((2, 16), patch=4, dim=8, depth=2, heads=2)
    model = Classifier(encoder, (2, 16), 3, layer_decay=0.5, freeze=0.5)
    rate = {id(p): g["lr"] for g in model.groups(0.1) for p in g["params"]}
    of = {"head.weight": 1.0, "encoder.blocks.1.mlp.fc1.weight": 0.5, "encoder.norm.weight": 0.5,
          "encoder.blocks.0.norm1.weight": 0.25, "encoder.patch_embed.proj.weight": 0.125}  # fmt: skip
    assert {name: rate[id(p)] for name, p in model.named_parameters() if name in of} == of
    batch = jepa.contracts.Batch(np.ones((4, 2, 16), np.float32), None, None, np.array([0, 1, 2, 0]))
    reached = []
    for step in range(4):
        model.zero_grad()
        model.loss(batch)[0]["loss"].backward()
        reached.append((encoder.norm.weight.grad is not None, model.head.weight.grad is not None))
        model.after_step(step, 4)
    assert reached == [(False, True)] * 2 + [(True, True)] * 2


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_a_share_is_drawn_evenly_and_what_chooses_does_not_teach(share: float) -> None:
    part = Part.of(source_of((2, 16)).split("train"))
    drawn = share_of(part, share, 0.25, 40, seed=0)
    learned, chose = set(drawn.train.rows), set(drawn.val.rows)
    assert not learned & chose and len(learned) == drawn.examples and len(drawn.train) >= 40
    counts = np.bincount(part.labels[sorted(learned | chose)])
    there = np.bincount(part.labels)
    assert (counts == np.minimum(there, counts.max())).all() or counts.max() - counts.min() <= 1
    assert set(np.unique(drawn.train.labels)) == {0, 1, 2}  # each class teaches
    larger = share_of(part, min(1.0, 2 * share), 0.25, 40, seed=0)
    assert learned | chose <= set(larger.train.rows) | set(larger.val.rows)
    others = share_of(part, share, 0.25, 40, seed=1)
    assert share == 1 or learned | chose != set(others.train.rows) | set(others.val.rows)


def test_what_is_scored_has_no_influence_on_what_is_learned(tmp_path: Path) -> None:
    """Other labels of the held-out examples, and other examples there, change the score and nothing else."""
    source = source_of((2, 16))
    encoder = encoder_of("mlp", (2, 16))
    found = jepa.finetune(encoder, source, out=tmp_path / "a", **QUICK)
    val = source.split("val").content.rows
    source.held.labels[val] = (source.held.labels[val] + 1) % 3
    source.held.arrays[""][val] *= -1
    other = jepa.finetune(encoder, source, out=tmp_path / "b", **QUICK)
    for one, two in zip(found["results"], other["results"], strict=True):
        assert one["accuracy"] != two["accuracy"] and one["step"] == two["step"]
        weights = [mt.load(tmp_path / k / one["folder"] / "checkpoints" / "best.safetensors")[0] for k in "ab"]
        assert all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_the_same_seed_gives_the_same_bits_stopped_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, encoder = source_of((2, 16)), encoder_of("vit", (2, 16))
    how: dict[str, Any] = {**QUICK, "augment": jepa.transforms.augment.Noise()}
    whole = jepa.finetune(encoder, source, out=tmp_path / "a", **how)
    real, stopped = Trainer.run, []

    def stop(self: Trainer, log: Any, stop_after: int | None = None) -> None:
        stopped.append(self.step)
        real(self, log, 4 if len(stopped) in (1, 3) else None)

    monkeypatch.setattr(Trainer, "run", stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            jepa.finetune(encoder, source, out=tmp_path / "b", **how)
    found = jepa.finetune(encoder, source, out=tmp_path / "b", **how)
    assert stopped == [0, 4, 0, 4, 0, 0]  # each goes on where it was, and what was finished is not done again
    assert "the same command goes on" in (tmp_path / "b" / "jepa-0.2" / "train.log").read_text()
    for one, two in zip(whole["results"], found["results"], strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}
    other = jepa.finetune(encoder, source, out=tmp_path / "c", **how, seed=1)
    assert [r["confusion"] for r in other["results"]] != [r["confusion"] for r in whole["results"]]


def test_the_verb_writes_figures_page_and_models(
    run: Path, finished: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    capsys.readouterr()
    assert main(["finetune", str(run), *WORDS]) == 0  # all is done: it is said again
    said = capsys.readouterr().out
    assert "20 % (14)" in said and "100 % (70)" in said and "chance" in said
    assert said.count("same network from scratch") == 1 and said.count("points") == 2
    found = json.loads((finished / "finetune.json").read_text())
    assert [(r["start"], r["labels"]) for r in found["results"]] == [
        ("jepa", 0.2), ("scratch", 0.2), ("jepa", 1.0), ("scratch", 1.0)
    ]  # fmt: skip
    assert {r["steps"] for r in found["results"] if r["labels"] == 0.2} == {6}
    page = (finished / "report.html").read_text()
    assert page.count("<img") == 2 and "Confusion: trained encoder, 100 % of the labels" in page
    for result in found["results"]:
        lines = [json.loads(line) for line in (finished / result["folder"] / "metrics.jsonl").read_text().splitlines()]
        assert "validation/accuracy" in lines[-1] and "loss/accuracy" in lines[0]
        assert sorted(p.name for p in (finished / result["folder"] / "checkpoints").iterdir())[0] == "best.safetensors"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["finetune.lr=0.5"], "other settings: finetune.lr was 0.001, now 0.5. Take another --out, or --overwrite"),
        (["evaluation.pool=cls"], "evaluation.pool='cls': CNN has mean"),
        (["train.epochs=3"], "finetune has no use for train.epochs"),
        (["finetune.labels=2"], "finetune.labels=[2.0]: needs 1 to 64 values; each must be above 0, at most 1"),
        (["--pretrained", "x"], "name a run, or weights with --pretrained FILE, and not both"),
        (["--out", "RUN"], "is not empty"),
    ],
)
def test_mistakes_are_answered(
    run: Path, finished: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    capsys.readouterr()
    assert main(["finetune", str(run), *WORDS, *(str(run) if w == "RUN" else w for w in words)]) == 2
    assert text in capsys.readouterr().err


def test_overwrite_replaces_a_fine_tuning_and_nothing_else(run: Path, finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "jepa-0.2" / "mine.txt").write_text("keep")
    words = [*WORDS, "finetune.labels=1", "finetune.lr=0.01", "--out", str(copy), "--overwrite"]
    assert main(["finetune", str(run), *words]) == 0
    assert sorted(p.name for p in copy.iterdir() if p.is_dir()) == ["jepa-0.2", "jepa-1", "plots", "scratch-1"]
    assert [p.name for p in (copy / "jepa-0.2").iterdir()] == ["mine.txt"]
    with pytest.raises(ConfigError, match="has no setting 'label'. Did you mean 'labels'"):
        jepa.finetune(run, label=(1,))


def test_predictions_name_label_and_probability(
    finished: Path, shapes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = sorted((shapes_folder / "val").rglob("*.png"))
    for k, path in enumerate(images):
        (tmp_path / "flat").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "flat" / f"{k:03}.png")
    assert main(["predict", str(finished), "--data", str(tmp_path / "flat"), "--out", str(tmp_path / "p.csv")]) == 0
    with (tmp_path / "p.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["name", "label", "probability"] and len(rows) == len(images)
    found = json.loads((finished / "finetune.json").read_text())
    assert all(label in found["classes"] and 0 < float(p) <= 1 for _, label, p in rows)
    by_name = {Path(name).name: label for name, label, _ in rows}
    right = [by_name[f"{k:03}.png"] == path.parent.name for k, path in enumerate(images)]
    assert np.mean(right) == next(r["accuracy"] for r in found["results"] if r["folder"] == "jepa-1")
    source = jepa.sources.Arrays(np.zeros((300, 3, 16, 16), np.float32))
    source.content.names[257] = "=SUM(1)"
    lines = jepa.predict(finished / "scratch-0.2", source, tmp_path / "p.csv").read_text().splitlines()
    assert len(lines) == 301 and lines[258].startswith("'=SUM(1),") and lines[258][9:] == lines[1][2:]
    for words, text in (
        (["--data", str(tmp_path / "flat"), "--out", str(tmp_path / "p.txt")], "name a file that ends in .csv"),
        (["--data", str(tmp_path / "none"), "--out", str(tmp_path / "p.csv")], "none"),
    ):
        assert main(["predict", str(finished), *words]) == 2 and text in capsys.readouterr().err
    with pytest.raises(RunError, match="has no finished fine-tuning"):
        load_classifier(tmp_path)


def test_examples_without_labels_are_refused(tmp_path: Path) -> None:
    x = np.zeros((40, 2, 16), np.float32)
    for source, text in (
        (jepa.sources.Arrays(x), "the training examples have none"),
        (jepa.sources.Arrays(x, ["a"] * 40), "at least two classes"),
    ):
        with pytest.raises(DataError, match=text):
            jepa.finetune(encoder_of("mlp", (2, 16)), source, out=tmp_path / "out", **QUICK)
    with pytest.raises(ConfigError, match="give one, such as Arrays"):
        jepa.finetune(encoder_of("mlp", (2, 16)), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Own(WholeEncoder):
    """An encoder of one's own, without Settings."""

    def __init__(self) -> None:
        self.shape, self.dim, self.grid = (2, 16), 6, (4,)
        self.conv = mt.nn.Conv1d(2, 6, 4, stride=4)

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        return mt.relu(self.conv(x)).swapaxes(1, 2)


def test_an_encoder_that_cannot_be_made_again_is_fine_tuned_alone(tmp_path: Path) -> None:
    source, how = source_of((2, 16)), {**QUICK, "labels": (1.0,)}
    found = jepa.finetune(Own(), source, out=tmp_path / "out", **how)
    assert [r["start"] for r in found["results"]] == ["jepa"]
    assert sentences(found) == ["No network from scratch beside it: the encoder is of a class without Settings, and "
                                "cannot be made again."]  # fmt: skip
    with pytest.raises(ConfigError, match="has no Settings"):
        jepa.predict(tmp_path / "out", source, tmp_path / "p.csv")
    lines = jepa.predict(tmp_path / "out", source, tmp_path / "p.csv", encoder=Own()).read_text().splitlines()
    assert len(lines) == 91


def test_the_settings_are_those_of_the_dataclass() -> None:
    assert set(FinetuneSettings.__dataclass_fields__) > {"labels", "epochs", "lr", "layer_decay", "freeze"}


def test_published_weights_are_fine_tuned_beside_the_same_network_from_scratch(
    shapes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = jepa.encoders.ViT((3, 24, 24), patch=8, dim=12, depth=1, heads=2)
    save_pretrained(encoder, tmp_path / "vit")
    monkeypatch.chdir(tmp_path)
    words = ["finetune", "--pretrained", "vit", *WORDS, "finetune.labels=1", "evaluation.max_images=30"]
    assert main(words) == 2 and "--pretrained needs --data PATH" in capsys.readouterr().err
    assert main([*words, "--data", str(shapes_folder)]) == 0
    assert "published weights" in capsys.readouterr().out
    found = json.loads((tmp_path / "runs" / "vit-finetuned" / "finetune.json").read_text())
    assert [r["start"] for r in found["results"]] == ["pretrained", "scratch"] and found["shape"] == [3, 24, 24]
    assert (found["results"][0]["examples"], found["test"]) == (30, 10)
    assert main(["predict", "runs/vit-finetuned", "--data", str(shapes_folder), "--out", "p.csv"]) == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 81
