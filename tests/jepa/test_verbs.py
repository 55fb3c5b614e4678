"""Verbs over a run that is there: settings change what they see, moved images are found, memory is bounded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jepa.__main__ import main
from jepa.evaluation.embed import _written
from jepa.evaluation.split import streamed
from jepa.sources import ImageFolder
from jepa.training.run import train
from tests.jepa.tiny import config, make_images


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps; copy it before it is changed."""
    place = tmp_path_factory.mktemp("verbs")
    with pytest.raises(KeyboardInterrupt):
        train(config(make_images(place / "images")), out=place / "run", stop_after=2)
    return place / "run"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out + printed.err


def test_eval_takes_settings_and_notes_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "evaluation.max_images=20", "evaluation.k=3", "device=cpu"]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert (found["images"], found["train_images"], found["k"]) == (10, 20, 3)
    assert found["settings"] == ["evaluation.max_images=20", "evaluation.k=3", "device=cpu"]
    assert "linear probe" in said(capsys)
    assert main(["eval", str(run), "evaluation.k=many"]) == 2
    assert "evaluation.k=many: expected a whole number" in said(capsys)
    assert main(["eval", str(run), "optim.lr=1"]) == 2
    assert "optim.lr is called optimizer.lr now" in said(capsys)
    assert main(["eval", str(run), "source.szie=1"]) == 2
    assert "Did you mean 'source.size'?" in said(capsys)
    assert main(["eval", str(run), "evaluation.pool=cls"]) == 2
    assert "evaluation.pool='cls': CNN has mean" in said(capsys)


def test_images_that_have_moved_are_named_in_every_verb(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    images = run.parent / "images"
    images.rename(tmp_path / "moved")
    try:
        for words in (["eval", str(run)], ["embed", str(run), "--out", str(tmp_path / "e.npz")], ["plot", str(run)]):
            caplog.clear()
            main(words)
            assert "are not in" in (told := said(capsys) + caplog.text) and "source.root=PATH" in told
            caplog.clear()
            assert main([*words, f"source={tmp_path / 'moved'}"]) == 0
            assert "are not in" not in said(capsys) + caplog.text
        assert main(["plot", str(run), "--data", str(tmp_path / "moved")]) == 0
        assert "Pictures of what the model does" not in caplog.text
    finally:
        (tmp_path / "moved").rename(images)


def test_a_flat_val_beside_classes_in_train_is_embedded_and_eval_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ImageNet as it is downloaded."""
    images = make_images(tmp_path / "images")
    for path in sorted((images / "val").glob("*/*")):
        path.rename(images / "val" / f"{path.parent.name}-{path.name}")
    for folder in [path for path in (images / "val").iterdir() if path.is_dir()]:
        shutil.rmtree(folder)
    with pytest.raises(KeyboardInterrupt):
        train(config(images), out=tmp_path / "run", stop_after=1)
    assert main(["embed", str(tmp_path / "run"), "--out", str(tmp_path / "e.npz")]) == 0
    assert main(["embed", str(tmp_path / "run"), "--out", str(tmp_path / "e.csv")]) == 0
    labels = np.load(tmp_path / "e.npz")["labels"]
    assert (labels == -1).sum() == 10 and (labels >= 0).sum() == 70
    assert sum(line.split(",")[1] == "" for line in (tmp_path / "e.csv").read_text().splitlines()) == 10
    capsys.readouterr()
    assert main(["eval", str(tmp_path / "run")]) == 0
    assert "No linear probe and no kNN: the images of val have no labels." in said(capsys)


@pytest.mark.parametrize("words", [["eval"], ["embed", "--out", "e.npz"]], ids=lambda words: words[0])
def test_no_verb_holds_all_images_as_floats(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    counts: list[int] = []
    real = ImageFolder.read

    def read(self: ImageFolder, indices: object) -> object:
        found = real(self, indices)
        counts.append(len(found))
        return found

    monkeypatch.setattr(ImageFolder, "read", read)
    monkeypatch.setattr(streamed, "__kwdefaults__", {"batch": 16})
    monkeypatch.setattr(_written, "__defaults__", (16,))
    monkeypatch.setattr("jepa.evaluation.evaluate.CALIBRATION", 16)
    monkeypatch.chdir(tmp_path)
    assert main([words[0], str(run), *words[1:]]) == 0
    assert sum(counts) >= 80 and max(counts) == 16
