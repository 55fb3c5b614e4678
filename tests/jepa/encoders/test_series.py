"""Encoders of series: what is missing has no influence, and PyTorch's recurrent networks and convolutions agree."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import EnergyTransformer, ViT
from jepa.encoders.cnn1d import CNN1d
from jepa.encoders.multiscale import MultiScale
from jepa.encoders.rnn import RNN
from jepa.errors import ConfigError
from jepa.evaluation.forecast import period_of, simple
from jepa.evaluation.warping import filled, warped

SMALL: dict[str, Any] = {"patch": 4, "dim": 16, "depth": 2, "heads": 2}
GAPS = {
    "vit": lambda: ViT((2, 32), **SMALL),
    "vit with a class token": lambda: ViT((2, 32), class_token=True, **SMALL),
    "energy": lambda: EnergyTransformer((2, 32), **SMALL),
    "rnn": lambda: RNN((2, 32), patch=4, dim=16),
    "cnn1d": lambda: CNN1d((2, 32), widths=(8, 16), strides=(4, 2), kernels=(3,), norm="none"),
}


def series(n: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2, 32)).astype(np.float32)


@pytest.mark.parametrize("kind", GAPS)
def test_what_is_missing_has_no_influence(kind: str) -> None:
    """A series that ends early is the same series of which the places behind its end are not kept."""
    encoder, x, keep = GAPS[kind](), series(), Keep(np.tile(np.arange(3), (3, 1, 1)))
    encoder.eval()
    kept = encoder.tokens(mt.Tensor(x), keep).numpy() if kind != "cnn1d" else None
    x[:, :, 12:] = np.nan
    found = encoder.tokens(mt.Tensor(x)).numpy()
    if kept is not None:
        np.testing.assert_allclose(found[:, :3], kept, atol=1e-5)
    places = -(-encoder.grid[0] * 12 // 32)
    assert (found[:, places:] == 0).all() and np.isfinite(found).all()
    np.testing.assert_allclose(encoder.pooled(mt.Tensor(x)).numpy(), found[:, :places].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(encoder.pooled(mt.Tensor(x), "max").numpy(), found[:, :places].max(axis=1), atol=1e-5)
    if "last" in encoder.pools:
        np.testing.assert_allclose(encoder.pooled(mt.Tensor(x), "last").numpy(), found[:, places - 1], atol=1e-6)
    for pool in encoder.pools:
        assert np.isfinite(encoder.pooled(mt.Tensor(x), pool).numpy()).all()
    for weights in encoder.attention_maps(mt.Tensor(x)):
        assert (weights.numpy()[..., -(encoder.grid[0] - places) :] == 0).all()


def test_a_gap_in_one_example_leaves_the_others_alone() -> None:
    encoder, x = GAPS["vit"](), series()
    before = encoder.tokens(mt.Tensor(x)).numpy()
    x[1, :, 20:] = np.nan
    after = encoder.tokens(mt.Tensor(x)).numpy()
    np.testing.assert_allclose(after[[0, 2]], before[[0, 2]], atol=1e-5)
    assert np.abs(after[1, :5] - before[1, :5]).max() > 1e-4


@pytest.mark.parity
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_networks_are_pytorchs(cell: str, both: bool) -> None:
    torch = pytest.importorskip("torch")
    encoder, x = RNN((2, 32), cell=cell, patch=4, dim=16, depth=2, both=both), series()
    its = getattr(torch.nn, cell.upper())(8, 8 if both else 16, 2, batch_first=True, bidirectional=both)
    its.load_state_dict({name: torch.tensor(p.numpy()) for name, p in encoder.walk.named_parameters()})
    patches = torch.tensor(x).reshape(3, 2, 8, 4).permute(0, 2, 1, 3).reshape(3, 8, 8)
    np.testing.assert_allclose(encoder.tokens(mt.Tensor(x)).numpy(), its(patches)[0].detach().numpy(), atol=1e-5)


@pytest.mark.parity
def test_the_convolutions_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    encoder, x = CNN1d((2, 32), widths=(8, 16), kernels=(7, 3), strides=(1, 2), norm="none"), series()
    first, second = (layer for layer in encoder.stages if isinstance(layer, mt.nn.Conv1d))
    y = torch.tensor(x)
    for layer, stride in ((first, 1), (second, 2)):
        w, b = (torch.tensor(p.numpy()) for p in (layer.weight, layer.bias))
        y = torch.relu(torch.nn.functional.conv1d(y, w, b, stride, w.shape[2] // 2))
    np.testing.assert_allclose(encoder.tokens(mt.Tensor(x)).numpy(), y.permute(0, 2, 1).numpy(), atol=1e-5)
    assert encoder.grid == (16,)


@pytest.mark.parametrize("shape", [(2, 32), (3, 8, 16)])
def test_two_scales_are_those_of_their_parts(shape: tuple[int, ...]) -> None:
    """Without the far branch's half of the fusion what is far away does not count; with it, it does."""
    encoder = MultiScale(shape, **SMALL, width=8)
    encoder.eval()
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    far = x.copy()
    far[..., -4:] += 1
    whole = np.abs(encoder.tokens(mt.Tensor(x)).numpy() - encoder.tokens(mt.Tensor(far)).numpy())[:, 0].max()
    with mt.no_grad():
        encoder.fuse.weight[:, 16:] = 0.0
    near = np.abs(encoder.tokens(mt.Tensor(x)).numpy() - encoder.tokens(mt.Tensor(far)).numpy())
    assert whole > 1e-5 and near[:, 0].max() == 0 and near[:, -1].max() > 1e-3


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: CNN1d((3, 8, 8)), "encoder=cnn1d takes series"),
        (lambda: RNN((3, 8, 8)), "encoder=rnn takes series"),
        (lambda: RNN((1, 30), patch=4), "encoder.patch=4 must divide an example's length 30"),
        (lambda: RNN((1, 30), dim=7, both=True), "must be even"),
        (lambda: CNN1d((1, 30), widths=(8, 8), kernels=(3, 3, 3)), "needs one number, or as many as widths"),
        (lambda: MultiScale((1, 32), kernel=2), "must be odd"),
        (lambda: MultiScale((1, 32), class_token=True), "no token without a place"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def brute(a: np.ndarray, b: np.ndarray, width: int) -> float:
    t = a.shape[1]
    table = np.full((t + 1, t + 1), np.inf)
    table[0, 0] = 0
    for i in range(t):
        for j in range(max(0, i - width), min(t, i + width + 1)):
            before = min(table[i, j], table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = np.sum((a[:, i] - b[:, j]) ** 2) + before
    return float(table[t, t])


@pytest.mark.parametrize("channels, length, width", [(1, 9, 1), (2, 12, 3), (1, 5, 4), (3, 2, 1)])
def test_warping_is_that_of_its_definition(channels: int, length: int, width: int) -> None:
    rng = np.random.default_rng(0)
    z, x = (rng.normal(size=(n, channels, length)).astype(np.float32) for n in (3, 4))
    expected = [[brute(a, b, width) for b in x] for a in z]
    np.testing.assert_allclose(warped(z, x, width), expected, rtol=1e-5)


def test_gaps_are_filled_for_warping() -> None:
    x = series(2)
    x[0, 0, 5], x[1, :, 16:] = np.nan, np.nan
    y = filled(x)
    assert y[0, 0, 5] == pytest.approx((x[0, 0, 4] + x[0, 0, 6]) / 2, abs=1e-6)
    np.testing.assert_allclose(y[1, :, [0, -1]], x[1, :, [0, 15]])


def test_persistence_knows_a_period() -> None:
    wave = np.sin(2 * np.pi * np.arange(48, dtype=np.float32) / 6)[None, None]
    assert period_of(wave[:, :, :36]) == 6 and period_of(np.arange(20, dtype=np.float32)[None, None]) == 0
    found = simple(wave[:, :, :36], 12, 6, wave[0, :, 36:])
    np.testing.assert_allclose(found["seasonal"], wave[:, :, 36:], atol=1e-5)
    assert (found["persistence"] == wave[0, 0, 35]).all()
