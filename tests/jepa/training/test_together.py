"""Several processes train, embed and evaluate what one does; an error in one ends all; the first alone writes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jepa.encoders import ViT
from jepa.pretrained import save_pretrained
from tests.jepa.tiny import CROPS, SHORT
from tests.jepa.training.together import CASES
from tests.together import command, environment, needs_mpi, run

pytestmark = needs_mpi
TRAIN = ["-m", "jepa", "train", "source=images", *SHORT, *CROPS]


@pytest.fixture
def place(shapes_folder, tmp_path):
    (tmp_path / "images").symlink_to(shapes_folder)
    return tmp_path


@pytest.mark.parametrize(
    ("count", "names"),
    [*((2, [*CASES][k::4]) for k in range(4)), (3, ["barlow", "levels", "accumulate", "drop_path"])],
)
def test_processes_train_what_one_does(count, names, place):
    ended = run(count, ["-m", "tests.jepa.training.together", "images", *names], place)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]


PARTS = """
import sys
from jepa.__main__ import main
from jepa.evaluation.weights import _Weights
seen, features = [], _Weights.features
def counted(self, x, *which, **how):
    seen.extend([] if which else range(len(x)))
    return features(self, x, *which, **how)
_Weights.features = counted
code = main(sys.argv[1:])
print(f"features: {len(seen)}", file=sys.stderr, flush=True)
sys.exit(code)
"""


def weights(folder, step=24):
    """Return the bytes of a checkpoint."""
    return (folder / "checkpoints" / f"step-{step:08d}.safetensors").read_bytes()


def test_a_run_from_start_to_features(place):
    ended = run(2, ["-m", "mpi4py", *TRAIN, "--out", "run"], place)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("next: ") == 1 and ended.stderr.count("trained 24 steps") == 1  # the first alone speaks
    assert "1 threads in each of 2 processes" in ended.stderr
    assert json.loads((place / "run" / "env.json").read_text())["processes"] == 2
    steps = [json.loads(line)["step"] for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [3, 6, 8, 8, 9, 12, 15, 16, 16, 18, 21, 24, 24] and not list((place / "run").glob(".*"))
    whole = weights(place / "run")
    for path in (place / "run" / "checkpoints").glob("step-0000002[24]*"):
        path.unlink()
    for count, same in ((2, True), (1, False)):
        (place / "run" / "checkpoints" / "step-00000024.safetensors").unlink(missing_ok=True)
        (place / "run" / "checkpoints" / "step-00000022.safetensors").unlink(missing_ok=True)
        ended = run(count, ["-m", "jepa", "train", "--resume", "run"], place)
        said = "this run was trained with 2 processes, and goes on with 1: the results are as good"
        assert ended.returncode == 0 and (said in ended.stderr) != same, ended.stderr
        assert not same or weights(place / "run") == whole
    made = {}
    for count in (1, 2):
        for words in (["embed", "run", "--out", f"{count}.npz"], ["eval", "run"]):
            ended = run(count, ["-m", "jepa", *words], place)
            assert ended.returncode == 0 and ended.stdout.count("embeddings: ") == (words[0] == "embed"), ended.stderr
        made[count] = json.loads((place / "run" / "evaluation.json").read_text()), dict(np.load(place / f"{count}.npz"))
    (report, z), (other, other_z) = made.values()
    assert all((z[name] == other_z[name]).all() for name in z if name != "embeddings")
    np.testing.assert_allclose(z["embeddings"], other_z["embeddings"], rtol=0, atol=1e-5)
    assert all(report[name] == other[name] for name in ("linear", "knn", "images", "classes"))


def test_published_weights_are_evaluated_together(place):
    save_pretrained(ViT((3, 8, 8), patch=4, dim=8, depth=1, heads=2), place / "vit")
    found = []
    for count in (1, 2):
        words = [
            "eval",
            "--pretrained",
            "vit",
            "--data",
            "images",
            "--out",
            f"{count}.json",
            "evaluation.random_seeds=1",
        ]
        ended = run(count, ["-c", PARTS, *words], place)
        assert ended.returncode == 0 and ended.stdout.count("linear probe") == 1, ended.stderr
        found.append(json.loads((place / f"{count}.json").read_text()))
        read = [int(line.split()[1]) for line in ended.stderr.splitlines() if line.startswith("features: ")]
        assert sorted(read) == ([80] if count == 1 else [40, 40])
    assert all(found[0][name] == found[1][name] for name in ("linear", "knn", "images", "classes"))


def test_the_doctor_tries_the_transport(place):
    ended = run(2, ["-m", "jepa", "doctor"], place)
    assert ended.returncode == 0 and ended.stdout.count("processes: 2, of which 2 on this machine, MPICH") == 1
    assert ended.stdout.count(" MiB on cpu: ok, ") == 3 and ended.stdout.count(" GB/s") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["train", "source=images", "train.batch_size=2", "encoder.widths=[4,8]"],
            "batches of 2 examples leave some of 3",
        ),
        (["train", "source=images", "encoder.depht=3"], "there is no setting 'encoder.depht'"),
        (["finetune", "run"], "finetune does not share its work out among 3 processes: start it without mpiexec"),
    ],
)
def test_one_sentence_ends_all(words, said, place):
    ended = run(3, ["-m", "jepa", *words], place, timeout=60)
    assert ended.returncode == 2 and ended.stderr.count(said) == 1 and "Traceback" not in ended.stderr, ended.stderr


FAILING = """
import os, sys, time
from jepa.__main__ import main
from jepa.errors import RunError
from jepa.training.loop import Trainer
step = Trainer._train_step
def failing(self, batches):
    if self.step == 5 and self.team.rank == {rank}:
        print(f"at {{time.time()}}", file=sys.stderr, flush=True)
        raise {error}
    return step(self, batches)
Trainer._train_step = failing
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("rank", "error", "said"),
    [
        (1, "RunError('the disk of this machine is full')", "jepa: error: the disk of this machine is full"),
        (0, "ZeroDivisionError('oh')", "ZeroDivisionError: oh"),
        (1, "ZeroDivisionError('oh')", "ZeroDivisionError: oh"),
    ],
)
def test_an_error_in_one_process_ends_all(rank, error, said, place):
    (place / "failing.py").write_text(FAILING.format(rank=rank, error=error))
    ended = run(2, ["failing.py", *TRAIN[2:], "--out", "run"], place, timeout=120)
    took = time.time() - float(ended.stderr.partition("\nat ")[2].split()[0])
    assert ended.returncode and said in ended.stderr and took < 5, (took, ended.stderr)  # 0.4 s by itself


DRIFTING = """
import os, sys
from jepa.__main__ import main
from jepa.training.loop import Trainer
step = Trainer._train_step
def drifting(self, batches):
    if self.step == 5 and self.team.rank == 1:
        next(self.model.parameters()).data += 1e-3
    return step(self, batches)
Trainer._train_step = drifting
sys.exit(main(sys.argv[1:]))
"""


def test_weights_that_drift_apart_end_all(place):
    (place / "drifting.py").write_text(DRIFTING)
    ended = run(2, ["drifting.py", *TRAIN[2:], "--out", "run"], place, timeout=120)
    said = "at step 8 the weights of process 1 are others than those of process 0"
    assert ended.returncode == 2 and ended.stderr.count(said) == 1, ended.stderr


FIT = """
import sys
import numpy as np, jepa, minitensor as mt
team = mt.teams.join()
x = np.random.default_rng(0).normal(size=(64, 2, 16)).astype(np.float32)
mt.manual_seed(team.rank)  # other weights in each
encoder = jepa.encoders.MLP((2, 16), width=32)
model = jepa.JEPA(encoder, jepa.predictors.MLP(encoder.dim, encoder.grid), objective=jepa.objectives.VICReg())
out = None if sys.argv[1] == "none" else sys.argv[1]
source = jepa.sources.Arrays(x, np.arange(64) % 2)
result = jepa.fit(model, source, jepa.tasks.Views(), out=out, epochs=2, batch_size=16)
marks = team.gather([v.tobytes() for v in model.state_dict().values()])
assert marks[0] == marks[1] and (out is None or jepa.evaluate(result.folder)["images"])
try:
    jepa.finetune(encoder, jepa.sources.Arrays(x, np.arange(64) % 2))
except jepa.JEPAError as error:
    assert "finetune does not share its work out among 2 processes" in str(error)
print("done", flush=True)
"""


@pytest.mark.parametrize("out", ["none", "run"])
def test_parts_made_in_python_are_trained_together(out, place):
    ended = run(2, ["-c", FIT, out], place)
    assert ended.returncode == 0 and ended.stdout.count("done") == 2, ended.stderr
    assert ended.stderr.count("epoch 2/2") == 1


def test_ctrl_c_saves(place):
    words = command(2, [*TRAIN, "train.epochs=9999", "--out", "run"])
    process = subprocess.Popen(
        words, cwd=place, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while not list(place.glob("run/checkpoints/step*")):
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and said.count("jepa: interrupted") == 1
    assert "Go on with: python -m jepa train --resume run" in said and said.count("stopping after this step") == 1
    last = max(int(path.stem[5:]) for path in place.glob("run/checkpoints/step*"))
    assert f"stopped at step {last} of" in said


def test_a_process_of_its_own_is_not_asked_to_join(place):
    env = environment() | {"PMI_RANK": "0", "PMI_SIZE": "1"}
    ended = subprocess.run([sys.executable, *TRAIN, "--out", "one"], cwd=place, env=env, capture_output=True, text=True)
    assert ended.returncode == 0 and "processes" not in ended.stderr
