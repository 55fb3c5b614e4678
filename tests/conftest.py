"""What every test relies on: one BLAS thread, fixed seeds, a hidden display, and which tests this machine can run."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy is loaded: the tests themselves run in parallel
os.environ.setdefault("MPLBACKEND", "Agg")

import importlib.util  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None, max_examples=200, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def _has_gpu() -> bool:
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    return bool(cupy.cuda.is_available())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    lacking = {}
    if not _has_gpu():
        lacking["gpu"] = "needs CuPy and a CUDA device"
    if importlib.util.find_spec("torch") is None:
        lacking["parity"] = "needs torch: make parity"
    for item in items:
        for marker, reason in lacking.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _seeds() -> Iterator[None]:
    """Give each test the same default generator, whatever ran before it."""
    import minitensor as mt

    mt.manual_seed(0)
    yield


@pytest.fixture
def generator() -> np.random.Generator:
    """A generator that is the same in each run."""
    return np.random.default_rng(0)
