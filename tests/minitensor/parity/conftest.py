"""Every comparison runs with the kernels and without, on the same draws whatever ran before it."""

import sys

import numpy as np
import pytest

import minitensor as mt


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
