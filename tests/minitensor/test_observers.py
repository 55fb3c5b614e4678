"""`detect_anomaly` names the op and the line of the first NaN; `profile` counts what ran."""

import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import AnomalyError


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def test_forward_names_op_line_and_operands():
    x = mt.Tensor([1.0, -4.0])
    with pytest.raises(AnomalyError, match="log made the first NaN") as caught, mt.detect_anomaly():
        y = mt.exp(mt.log(x))  # this line
        y.sum()
    assert "test_observers.py" in str(caught.value) and "# this line" in str(caught.value)
    assert "between -4 and 1" in str(caught.value)


def test_a_nan_that_came_in_is_not_this_ops_fault():
    with mt.detect_anomaly():
        assert np.isnan(mt.exp(mt.Tensor([np.nan])).numpy()).all()


def test_backward_names_the_line_of_the_call():
    x = mt.Tensor([0.0, 1.0], requires_grad=True)
    with (
        pytest.raises(AnomalyError, match="the gradient of sqrt") as caught,
        mt.detect_anomaly(),
    ):
        y = mt.sqrt(x) * mt.Tensor([0.0, 1.0])  # made here: 0 · inf
        y.sum().backward()
    assert "# made here" in str(caught.value)


def test_a_kernel_is_searched_too():
    images = mt.Tensor(np.array([np.inf, -np.inf] * 8, np.float32).reshape(1, 1, 4, 4))
    with pytest.raises(AnomalyError, match="conv2d"), mt.detect_anomaly():
        nn.functional.conv2d(images, mt.ones((1, 1, 3, 3)))


def test_nothing_is_watched_afterwards():
    with mt.detect_anomaly():
        pass
    assert np.isnan(mt.log(mt.Tensor([-1.0])).numpy()).all()


def test_profile_counts_calls_and_bytes():
    x = mt.Tensor(np.ones((50, 40), np.float32), requires_grad=True)
    with mt.profile() as p:
        for _ in range(3):
            (mt.exp(x) * x).sum().backward()
    rows = p.rows()
    assert rows["exp"]["calls"] == rows["multiply"]["calls"] == 3
    assert rows["exp"]["bytes"] == 3 * 50 * 40 * 4
    assert rows["exp"]["backward"] > 0 and p.seconds >= sum(r["forward"] for r in rows.values())
    assert list(rows) == sorted(rows, key=lambda n: -rows[n]["forward"] - rows[n]["backward"])
    text = str(p).splitlines()
    assert text[0].split()[0] == "op" and any(line.startswith("exp") for line in text)
    with mt.profile() as empty:
        pass
    assert "op" in str(empty)


def test_a_kernel_is_one_row():
    model = nn.Conv2d(3, 4, 3)
    with mt.profile() as p:
        model(mt.zeros((1, 3, 8, 8)))
    assert list(p.rows()) == ["conv2d"]
    with mt.unfused(), mt.profile() as p:
        model(mt.zeros((1, 3, 8, 8)))
    assert "unfold" in p.rows()
