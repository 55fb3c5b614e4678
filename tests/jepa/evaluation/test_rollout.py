"""How far off places are along rollouts: a run of two rooms, a run of a file, and the probe alone."""

from pathlib import Path

import numpy as np
import pytest

from jepa.config import load
from jepa.evaluation import evaluate_run, rollout
from jepa.evaluation.rollout import probe
from jepa.pictures.results import summary
from jepa.runs.run import load_run
from jepa.training.run import train

LEARN = ["train.epochs=2", "train.batch_size=16", "predictor.inverse=8", "device=cpu", "evaluation.random_seeds=1"]
ROOMS = ["source=two-rooms", "source.size=17", "source.count=60", "source.frames=4", "task.steps=3",
         "encoder.widths=[4,4]", "encoder.dim=16"]  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEPS": 60, "FRAMES": 600, "WALKS": 20}.items():
        monkeypatch.setattr(rollout, name, value)


def test_a_run_says_how_far_off_places_are(tmp_path: Path) -> None:
    train(load(overrides=[*ROOMS, *LEARN]), out=tmp_path / "run")
    evaluation = evaluate_run(tmp_path / "run", device="cpu")
    found, error = evaluation["rollout"], evaluation["rollout"]["error"]
    assert list(error) == list(rollout.ROWS) and {len(of) for of in error.values()} == {20}
    assert found["unit"] == "px" and found["scale"] == 0.25 and found["rollouts"] == 20
    assert error["persistence"][0] < error["persistence"][-1]
    assert error["true"][-1] < error["persistence"][-1]
    assert "Along rollouts of 20 steps" in " ".join(summary(evaluation))


@pytest.mark.parametrize("kinds", ["predictor=residual", "encoder=maps encoder.widths=[4] predictor=maps"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path, kinds: str) -> None:
    rooms = [word for word in ROOMS if "maps" not in kinds or not word.startswith("encoder")]
    words = [*rooms, *LEARN, "task.steps=1", "task.steps_end=2", "task.starts=2", *kinds.split()]
    train(load(overrides=words), out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(load(overrides=words), out=tmp_path / "stopped", stop_after=4)
    train(load(overrides=words), resume=tmp_path / "stopped")
    whole, stopped = (load_run(tmp_path / name, device="cpu").model for name in ("whole", "stopped"))
    for mine, theirs in zip(whole.parameters(), stopped.parameters(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize("known", [True, False])
def test_a_file_has_as_many_steps_as_its_frames(tmp_path: Path, known: bool) -> None:
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(60, 6, 2))
    x = np.pad(actions.cumsum(axis=1), ((0, 0), (1, 0), (0, 0)))
    np.savez(tmp_path / "walks.npz", observations=x, actions=actions, **({"positions": x} if known else {}))
    words = [f"source={tmp_path / 'walks.npz'}", "encoder=states", "encoder.dim=16", "task.past=2", "task.steps=3",
             "predictor=causal", "predictor.width=16", "predictor.depth=1"]  # fmt: skip
    train(load(overrides=[*words, *LEARN]), out=tmp_path / "run")
    found = evaluate_run(tmp_path / "run", device="cpu")["rollout"]
    assert (len(found["error"]["jepa"]) == 5) if known else found == {}


def test_a_probe_reads_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "STEPS", 400)
    z = np.random.default_rng(0).normal(size=(300, 4, 5)).astype(np.float32)
    places = 20 + 3 * z[..., :2] * z[..., 2:3]
    read = probe(z[:200], places[:200])
    assert (
        rollout.apart(read(z[200:]), places[200:])[0]
        < 0.5 * rollout.apart(places[200:].mean(axis=(0, 1)), places[200:])[0]
    )
