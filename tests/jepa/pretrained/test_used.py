"""Published weights in use: embed, eval, finetune, predict, train --from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import minitensor as mt
from jepa.__main__ import main
from jepa.errors import DataError, RunError
from jepa.evaluation.embed import embed_pretrained
from jepa.evaluation.weights import evaluate_pretrained
from jepa.pretrained import published, save_pretrained
from jepa.runs.run import load_run
from jepa.sources import ImageFolder
from jepa.training.run import train
from tests.jepa.pretrained import layouts
from tests.jepa.pretrained.torch_writer import small
from tests.jepa.tiny import config

FEW = ["evaluation.random_seeds=1", "evaluation.max_images=40"]


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer of a published dim, by the names of timm."""
    state = small(depth=1, class_token=True, positions="learned").state_dict()
    save_file(dict(state), path := tmp_path_factory.mktemp("weights") / "dino.safetensors")
    return path


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = {name: np.asarray(x) for name, x in layouts.network("bottleneck", (1, 1), width=8).items()}
    save_file(state, path := tmp_path_factory.mktemp("weights") / "resnet.safetensors")
    return path


def test_embeddings_are_pooled_and_sized_as_asked(
    dino: Path, resnet: Path, shapes_folder: Path, tmp_path: Path
) -> None:
    for words, side, pool in (
        ((), 12, "mean"),
        (("evaluation.pool=cls",), 12, "cls"),
        (("source.size=16",), 16, "mean"),
    ):
        found = np.load(embed_pretrained(dino, shapes_folder, tmp_path / "z.npz", settings=words))["embeddings"]
        source = ImageFolder(shapes_folder, size=side, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        encoder = published(dino).at((3, side, side))
        x = mt.Tensor(source.normalize(source.read(range(5))))
        with mt.no_grad():
            assert np.allclose(found[:5], encoder.pooled(x, pool).numpy(), atol=1e-5)
    words = ["embed", "--pretrained", str(resnet), "--data", str(shapes_folder), "--out", str(tmp_path / "r.npz")]
    assert main([*words, "source.size=32"]) == 0
    assert np.load(tmp_path / "r.npz")["embeddings"].shape == (80, 64)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["source.size=18"], "encoder.patch=4 must divide an example's 18 x 18"),
        (["evaluation.pool=last"], "evaluation.pool='last': ViT has mean, max, cls"),
        (["source.color=1"], "source.color"),
    ],
)
def test_what_does_not_fit_is_a_sentence(
    dino: Path, shapes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    given = ["--pretrained", str(dino), "--data", str(shapes_folder), *words]
    for verb in (["embed", *given, "--out", str(tmp_path / "z.npz")], ["eval", *given]):
        assert main(verb) == 2 and text in capsys.readouterr().err


def test_eval_is_that_of_a_run(dino: Path, resnet: Path, shapes_folder: Path, tmp_path: Path) -> None:
    found = evaluate_pretrained(dino, shapes_folder, settings=[*FEW, "evaluation.pool=cls"])
    assert found["linear"].keys() == {"jepa", "random", "pixels", "chance"} and found["feature_dim"] == 192
    words = ["eval", "--pretrained", str(resnet), "--data", str(shapes_folder), "source.size=32", *FEW]
    assert main([*words, "--out", str(tmp_path / "e.json")]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["feature_dim"] == 64


def test_the_features_that_are_evaluated_are_those_of_the_weights(
    dino: Path, shapes_folder: Path, tmp_path: Path
) -> None:
    from jepa.evaluation.probes import figures

    found = evaluate_pretrained(dino, shapes_folder, settings=FEW[:1])
    z = np.load(embed_pretrained(dino, shapes_folder / "val", tmp_path / "z.npz"))["embeddings"]
    own = {name: value for name, value in figures(z).items() if isinstance(value, float)}
    assert own and {name: found[name] for name in own} == pytest.approx(own, rel=1e-3)


def test_finetune_and_predict(dino: Path, shapes_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    words = ["finetune", "--pretrained", str(dino), "--data", str(shapes_folder), "--out", str(out), "source.size=16"]
    assert main([*words, "finetune.labels=1", "finetune.epochs=1", "finetune.epoch_steps=1", *FEW]) == 0
    predict = ["predict", str(out), "--data", str(shapes_folder / "val"), "--out", str(tmp_path / "p.csv")]
    assert main(predict) == 0 and (tmp_path / "p.csv").read_text().startswith("name,label,probability")


TINY = ["task=masked", "predictor.dim=8", "predictor.depth=1", "predictor.heads=2", "train.max_steps=2"]


def test_a_training_starts_from_weights(
    dino: Path, shapes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--from", str(dino), f"source={shapes_folder}", *TINY, "train.batch_size=8"]
    assert main([*words, "optimizer.lr=1e-12", "source.size=16", "--out", str(tmp_path / "run")]) == 0
    run = load_run(tmp_path / "run")
    found = published(dino).at((3, 16, 16)).state_dict()
    for encoder in (run.model.context.encoder, run.model.encoders["target"]):
        state = encoder.state_dict()
        assert all(np.allclose(state[name], x, atol=1e-6) for name, x in found.items())
    assert run.parts.source.settings.mean == (0.485, 0.456, 0.406) and run.parts.source.shape == (3, 16, 16)
    assert "started from" in (tmp_path / "run" / "train.log").read_text()
    capsys.readouterr()
    assert main([*words, "encoder=vit", "encoder.patch=4", "--out", str(tmp_path / "other")]) == 2
    said = capsys.readouterr().err
    assert "its encoder is another one (depth=1, class_token=True); take encoder=vit encoder.depth=1" in said
    told = said.partition("; take ")[2].split()
    assert main([*words, *told, "--out", str(tmp_path / "told")]) == 0
    assert main([*words, "encoder=cnn", "--out", str(tmp_path / "cnn")]) == 2
    assert "another one (encoder=vit)" in capsys.readouterr().err and not (tmp_path / "cnn").exists()


def test_a_folder_of_checkpoints_need_not_be_a_run_s(dino: Path, shapes_folder: Path, tmp_path: Path) -> None:
    """PyTorch keeps what it downloads in such a folder; and the kind of the encoder may be that of the weights."""
    (tmp_path / "checkpoints").mkdir()
    weights = shutil.copy(dino, tmp_path / "checkpoints")
    words = ["train", "--from", str(weights), f"source={shapes_folder}", "task=views", "train.max_steps=1"]
    assert main([*words, "train.batch_size=8", "encoder.drop_path=0.1", "--out", str(tmp_path / "run")]) == 0
    encoder = load_run(tmp_path / "run").model.context.encoder
    assert encoder.settings.drop_path == 0.1 and encoder.settings.class_token and encoder.shape == (3, 12, 12)


def test_what_is_left_out_is_said(
    dino: Path, shapes_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(shapes_folder, tmp_path / "images")
    next((tmp_path / "images").rglob("*.png")).write_text("no image")
    embed_pretrained(dino, tmp_path / "images", tmp_path / "z.npz", settings=["source.on_error=skip"])
    evaluate_pretrained(dino, tmp_path / "images", settings=[*FEW, "source.on_error=skip"])
    assert caplog.text.count("warning: skipped 1 of 80 images that cannot be read") == 2


@pytest.mark.parametrize(("name", "text"), [("z.npz", "the file must end in .json"), ("a.json", "it is a folder")])
def test_where_figures_cannot_be_written_is_said_before_the_work(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(DataError, match=f"cannot write figures to .*{name}: {text}"):
        evaluate_pretrained("no weights", "no images", out=tmp_path / name)


def test_what_jepa_has_written_is_not_taken_for_somebody_else_s(shapes_folder: Path, tmp_path: Path) -> None:
    save_pretrained(small(depth=1, heads=6), tmp_path / "own")  # with other heads than a published one of this dim
    for path in (tmp_path / "own", tmp_path / "own" / "model.safetensors"):
        assert published(path).encoder.settings.heads == 6
    train(config(shapes_folder, "task=masked", "train.max_steps=1"), out=tmp_path / "run")
    (checkpoint,) = (tmp_path / "run" / "checkpoints").glob("step-*.safetensors")
    with pytest.raises(RunError, match="is a checkpoint of a run of jepa: name the run in place of --pretrained"):
        published(checkpoint)


def test_the_small_one_of_moco_has_twelve_heads(tmp_path: Path) -> None:
    state = small(depth=1, dim=384, heads=12).state_dict()
    for prefix, heads in (("module.base_encoder.", 12), ("module.", 6)):
        save_file({f"{prefix}{name}": x for name, x in state.items()}, tmp_path / "x.safetensors")
        assert published(tmp_path / "x.safetensors").encoder.settings.heads == heads
