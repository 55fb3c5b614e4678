"""The predictor of feature maps: what it predicts is what it goes on from, and it learns what moves."""

import numpy as np
import pytest

import minitensor as mt
from jepa.predictors import Conv
from jepa.tasks import Forecast

GRID = (8, 5, 4)


def told(n: int, steps: int, past: int = 2):
    return Forecast(past=past).question(n, GRID, steps)


def tokens(maps: np.ndarray) -> mt.Tensor:
    """Feature maps (n, f, d, rows, columns) as tokens."""
    n, f, d, *_ = maps.shape
    return mt.Tensor(maps.reshape(n, f, d, -1).swapaxes(2, 3).reshape(n, -1, d).astype(np.float32))


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 4, 6, 5, 4))


def predictor(**settings) -> Conv:
    mt.manual_seed(0)
    found = Conv(6, GRID, width=8, depth=2, **settings)
    mt.nn.init.normal_(found.last.weight, std=0.1)
    return found


def test_untrained_it_says_that_nothing_changes(maps: np.ndarray) -> None:
    keep, asked = told(3, 3, past=4)
    last = Conv(6, GRID, width=8).last
    assert not last.weight.numpy().any()
    found = Conv(6, GRID, width=8)
    mt.nn.init.zeros_(found.last.bias)
    for step in found(tokens(maps), None, keep, asked):
        np.testing.assert_array_equal(step.numpy(), tokens(maps[:, -1:]).numpy())


def test_each_step_goes_on_from_the_one_before(maps: np.ndarray) -> None:
    net, (keep, asked) = predictor(), told(3, 3)
    found = net(tokens(maps[:, :2]), None, keep, asked)
    seen = tokens(maps[:, :2]).numpy().reshape(3, 2, 20, 6)
    for step in found:
        (one,) = net(mt.Tensor(seen.reshape(3, 40, 6)), None, *told(3, 1))
        np.testing.assert_allclose(step.numpy(), one.numpy(), atol=1e-5)
        seen = np.stack([seen[:, 1], one.numpy()], axis=1)


def test_it_looks_at_the_last_frames_alone(maps: np.ndarray) -> None:
    net, (keep, asked) = predictor(), told(3, 2, past=4)
    other = maps.copy()
    other[:, :2] = 9
    for a, b in zip(*(net(tokens(x), None, keep, asked) for x in (maps, other)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parity
def test_it_is_the_network_that_it_says_it_is(maps: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    net = predictor()
    (found,) = net(tokens(maps[:, :2]), None, *told(3, 1))

    def conv(layer, x):
        weight, bias = (torch.from_numpy(np.array(p.numpy())) for p in (layer.weight, layer.bias))
        return torch.nn.functional.conv2d(x, weight, bias, padding=1)

    x = torch.from_numpy(maps[:, :2].reshape(3, 12, 5, 4).astype(np.float32))
    y = conv(net.first, x)
    for block in net.blocks:
        y = y + conv(block.conv2, conv(block.conv1, y.relu()).relu())
    y = x[:, 6:] + conv(net.last, y.relu())
    np.testing.assert_allclose(found.numpy(), y.flatten(2).swapaxes(1, 2).numpy(), atol=1e-5)


def test_it_learns_what_moves_to_the_right() -> None:
    rng, net, optimizer = np.random.default_rng(0), None, None
    net = Conv(1, (8, 1, 12), width=8, depth=1)
    optimizer = mt.optim.Adam(list(net.parameters()), lr=0.01)

    def batch(n: int) -> np.ndarray:
        x = np.zeros((n, 6, 1, 1, 12))
        first = rng.integers(6, size=n)
        for t in range(6):
            x[np.arange(n), t, 0, 0, first + t] = 1
        return x

    def error(x: np.ndarray) -> mt.Tensor:
        steps = net(tokens(x[:, :2]), None, *Forecast().question(len(x), (8, 1, 12), 4))
        return mt.stack([((s - tokens(x[:, k + 2 : k + 3])) ** 2).mean() for k, s in enumerate(steps)]).mean()

    before = float(error(batch(64)))
    for _ in range(150):
        optimizer.zero_grad()
        error(batch(32)).backward()
        optimizer.step()
    assert float(error(batch(64))) < 0.1 * before
