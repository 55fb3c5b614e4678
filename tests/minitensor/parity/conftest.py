"""Every comparison runs with the kernels and without, on the same draws whatever ran before it."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

import minitensor as mt

collect_ignore_glob = [] if find_spec("torch") else ["[!_]*.py"]


@pytest.fixture(params=[False, True], ids=["fused", "unfused"], autouse=True)
def kernels(request):
    if request.param:
        with mt.unfused():
            yield
    else:
        yield


@pytest.fixture(autouse=True)
def seeded():
    oracle = sys.modules.get("tests.minitensor.parity.oracle")  # it is not there without PyTorch
    if oracle is not None:
        oracle.rng.bit_generator.state = np.random.default_rng(4).bit_generator.state
