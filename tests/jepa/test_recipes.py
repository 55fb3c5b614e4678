"""The recipes of `jepa/README.md`: each is applied to a copy of the package, and its commands are run, smaller."""

import json
import shlex
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.recipes import ROOT, Recipe, recipes, run

RECIPES = recipes(ROOT / "jepa" / "README.md", "sh")
IMAGES = "source.count=60 source.size=16"
TOKENS = "encoder.dim=16 encoder.depth=1 encoder.heads=2"
SMALL = {
    "An objective": f"{IMAGES} projector.width=16",
    "A task": TOKENS,
    "A source of rank 1, with its encoder": "source.length=512 encoder.width=8",
    "A predictor": f"{IMAGES} {TOKENS} task.min_keep=2",
    "A transform": f"{TOKENS} encoder.patch=8",
    "An evaluation": IMAGES,
}
"""recipe -> settings with which its training is a matter of seconds"""
SHORT = "train.max_steps=4 train.batch_size=8 optimizer.warmup_steps=1 evaluation.random_seeds=1 device=cpu"
RUN = """
import sys
import jepa.evaluation.attentive
from jepa.__main__ import main
sys.modules["jepa.evaluation.attentive"].FEWEST = 1  # steps
for words in sys.argv[1:]:
    assert main(words.split()) == 0, words
"""


def commands(recipe: Recipe) -> list[list[str]]:
    """Return the words behind `python -m jepa`."""
    return [shlex.split(line.removeprefix("python -m jepa ")) for line in recipe.code.splitlines()]


def examples(folder: Path) -> None:
    """Write what the commands name: series of three classes, and recordings of two."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=40)
    waves = np.sin(np.arange(64) * (labels[:, None] + 1) / 4 + rng.random((40, 1)))
    np.savez(folder / "series.npz", x=waves.astype(np.float32), labels=labels)
    for number, label in enumerate(labels):
        path = folder / "speech" / f"word {label}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((np.tile(waves[number], 6) * 20_000).astype("<i2").tobytes())


def test_there_are_six_and_each_touches_three_files_at_most() -> None:
    assert [recipe.name for recipe in RECIPES] == list(SMALL)
    for recipe in RECIPES:
        assert 0 < len(recipe.files) <= 3, recipe.name


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_works(recipe: Recipe, tmp_path: Path) -> None:
    recipe.apply("jepa", tmp_path)
    examples(tmp_path)
    train, evaluation = commands(recipe)
    words = [" ".join([*train, SMALL[recipe.name], SHORT]), " ".join(evaluation)]
    run(tmp_path, "-c", RUN, *words)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == Path(evaluation[1]).name
    found = json.loads((folder / "evaluation.json").read_text("utf-8"))
    assert found["step"] == 4 and "linear" in found
    assert ("centroid" in found) == (recipe.name == "An evaluation")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert np.isfinite([line["loss"] for line in lines]).all()
