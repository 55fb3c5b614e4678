"""What an import loads, seen from a fresh interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
HEAVY = ["cupy", "sklearn", "matplotlib.pyplot", "torch", "scipy"]


def run(code: str, **environment: str) -> str:
    """Return what `code` prints in a fresh interpreter without thread settings of the tests' own."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    kept |= {"PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["jepa", "minitensor", "jepa.config", "jepa.__main__"])
def test_import_loads_nothing_heavy(name: str) -> None:
    loaded = json.loads(run(f"import sys, json, {name}; print(json.dumps(sorted(sys.modules)))"))
    assert name in loaded
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize("name", ["jepa", "jepa.config", "jepa.__main__", "jepa.commands.runs"])
def test_import_leaves_numpy_alone(name: str) -> None:
    assert run(f"import sys, {name}; print('numpy' in sys.modules)").strip() == "False"


def test_training_loads_no_published_weights() -> None:
    code = "import sys, jepa.training.run, jepa.evaluation.evaluate"
    assert run(f"{code}; print({{n for n in sys.modules if 'pretrained' in n}})").strip() == "set()"


def test_import_draws_no_random_number() -> None:
    code = (
        "import numpy as np; a = str(np.random.get_state()); import minitensor; print(a == str(np.random.get_state()))"
    )
    assert run(code).strip() == "True"


THREADS = """
import sys
from jepa.__main__ import set_threads
assert "numpy" not in sys.modules
set_threads({words})
import numpy as np
from threadpoolctl import threadpool_info
print([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"])
"""


@pytest.mark.parametrize("words", [["doctor", "--threads", "1"], ["doctor", "--threads=1"]])
def test_threads_take_effect_before_numpy(words: list[str]) -> None:
    assert run(THREADS.format(words=words)).strip() == "[1]"


def test_threads_take_effect_after_numpy_too() -> None:
    assert run("import numpy as np" + THREADS.format(words=["--threads", "1"]).replace("assert", "#")).strip() == "[1]"


@pytest.mark.skipif(CORES < 2, reason="one core")
def test_more_threads_and_none_asked_for() -> None:
    # the first would fail if --threads were ignored
    assert run(THREADS.format(words=["doctor", "--threads", "2"])).strip() == "[2]"
    assert run(THREADS.format(words=["doctor"])).strip() == f"[{min(CORES, 4)}]"


def test_the_command_line_looks_for_the_variables_of_all_launchers() -> None:
    from jepa.__main__ import LAUNCHED, NEAR  # which is there before NumPy
    from minitensor.teams.joining import VARIABLES

    assert tuple(VARIABLES) == LAUNCHED and tuple(local for _, local in VARIABLES.values()) == NEAR


def test_doctor_obeys_threads() -> None:
    code = "from jepa.__main__ import main; main(['doctor', '--threads', '1'])"
    assert ", 1 threads;" in run(code)


def test_public_names_are_lazy_and_complete() -> None:
    import jepa

    assert sorted(jepa.__all__) == sorted(dir(jepa))
    for name in jepa.__all__:
        assert getattr(jepa, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jepa.nothing  # noqa: B018
