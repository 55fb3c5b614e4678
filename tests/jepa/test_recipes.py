"""The recipes of `jepa/README.md`: each is applied to a copy of the package, and its commands are run, smaller."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import jepa
import minitensor

README = Path(jepa.__file__).with_name("README.md")
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


class Recipe(NamedTuple):
    """A section of the README."""

    name: str
    diff: str
    commands: list[list[str]]
    """the words behind `python -m jepa`"""

    @property
    def files(self) -> list[str]:
        return re.findall(r"^\+\+\+ b/(.*)$", self.diff, re.MULTILINE)


def recipes() -> list[Recipe]:
    found = []
    for section in README.read_text("utf-8").split("\n### ")[1:]:
        name = section.partition("\n")[0]
        (diff,) = re.findall(r"^```diff\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        (commands,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        words = [shlex.split(line.removeprefix("python -m jepa ")) for line in commands.splitlines()]
        found.append(Recipe(name, diff, words))
    return found


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


def applied(recipe: Recipe, folder: Path) -> None:
    """Copy the package to a folder and apply the diff to it."""
    shutil.copytree(Path(jepa.__file__).parent, folder / "jepa", ignore=shutil.ignore_patterns("__pycache__"))
    git: Any = shutil.which("git") or pytest.skip("git applies the recipes")
    done = subprocess.run([git, "apply", "-"], cwd=folder, input=recipe.diff, text=True, capture_output=True)
    assert done.returncode == 0, f"{recipe.name}: {done.stderr}"


def test_there_are_six_and_each_touches_three_files_at_most() -> None:
    assert [recipe.name for recipe in recipes()] == list(SMALL)
    for recipe in recipes():
        assert 0 < len(recipe.files) <= 3, recipe.name


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_works(recipe: Recipe, tmp_path: Path) -> None:
    applied(recipe, tmp_path)
    examples(tmp_path)
    train, evaluation = recipe.commands
    words = [" ".join([*train, SMALL[recipe.name], SHORT]), " ".join(evaluation)]
    env = {"PYTHONPATH": f"{tmp_path}:{Path(minitensor.__file__).parents[1]}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", RUN, *words], cwd=tmp_path, env=env, text=True, capture_output=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == Path(evaluation[1]).name
    found = json.loads((run / "evaluation.json").read_text("utf-8"))
    assert found["step"] == 4 and "linear" in found
    assert ("centroid" in found) == (recipe.name == "An evaluation")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert np.isfinite([line["loss"] for line in lines]).all()
