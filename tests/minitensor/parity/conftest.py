"""Every comparison runs with the kernels and without."""

import pytest

import minitensor as mt


@pytest.fixture(params=[False, True], ids=["fused", "unfused"], autouse=True)
def kernels(request):
    if request.param:
        with mt.unfused():
            yield
    else:
        yield
