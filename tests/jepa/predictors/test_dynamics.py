"""Predictors of dynamics: the GRU beside PyTorch's, and what a causal transformer looks at."""

import numpy as np
import pytest

import minitensor as mt
from jepa.predictors.causal import Causal
from jepa.predictors.gru import GRU
from jepa.predictors.maps import Maps
from jepa.predictors.residual import Residual
from jepa.tasks.rollout import Unroll

rng = np.random.default_rng(0)
CODES, ACTIONS = rng.normal(size=(5, 1, 8)).astype(np.float32), rng.normal(size=(5, 6, 2)).astype(np.float32)


def causal(**settings: int) -> Causal:
    mt.manual_seed(0)
    found = Causal(8, (17,), width=8, depth=2, heads=2, **settings)
    for p in found.parameters():  # else actions do not count yet, and no position
        mt.nn.init.normal_(p, std=0.3)
    return found


def maps(channels: int, side: int) -> Maps:
    mt.manual_seed(0)
    found = Maps(channels * side**2, (17,), channels=channels, width=4)
    mt.nn.init.normal_(found.change[-1].weight, std=0.3)  # else nothing moves
    return found


@pytest.mark.parity
def test_the_gru_is_pytorchs_cell_and_norm() -> None:
    torch = pytest.importorskip("torch")
    mt.manual_seed(0)
    predictor, cell = GRU(8, (17,)), torch.nn.GRUCell(2, 8)
    cell.load_state_dict({name: torch.tensor(p.numpy()) for name, p in predictor.cell.named_parameters()})
    z, found = torch.tensor(CODES[:, 0]), []
    for t in range(6):
        z = torch.nn.functional.layer_norm(cell(torch.tensor(ACTIONS[:, t]), z), (8,))
        found.append(z.detach().numpy())
    mine = predictor.imagine(mt.Tensor(CODES), mt.Tensor(ACTIONS)).numpy()
    np.testing.assert_allclose(mine, np.stack(found, axis=1), atol=1e-5)
    sets = predictor(mt.Tensor(np.repeat(CODES, 7, axis=1)), None, None, Unroll(ACTIONS, 1))
    np.testing.assert_allclose(np.concatenate([s.numpy() for s in sets], axis=1), mine, atol=1e-6)


def test_at_first_almost_nothing_moves() -> None:
    z = mt.nn.functional.layer_norm(mt.Tensor(CODES), (8,))
    after = GRU(8, (17,)).imagine(z, mt.Tensor(ACTIONS[:, :1]))
    assert float(((after - z) ** 2).mean()) < 0.02


def test_no_action_changes_what_was_before_it() -> None:
    for predictor in (causal(), GRU(8, (17,)), Residual(8, (17,), width=16), maps(2, 2)):
        changed = ACTIONS.copy()
        changed[:, 3] += 1
        a, b = (predictor.imagine(mt.Tensor(CODES), mt.Tensor(x)).numpy() for x in (ACTIONS, changed))
        np.testing.assert_array_equal(a[:, :3], b[:, :3])
        assert (np.abs(a[:, 3:] - b[:, 3:]).max(axis=(0, 2)) > 1e-4).all()


def test_an_action_does_the_same_wherever_it_is_done() -> None:
    predictor = maps(2, 15)
    predictor.norm = mt.nn.Identity()
    seen = np.zeros((2, 1, 2, 15, 15), np.float32)
    seen[0, 0, :, 6:8, 5:7] = seen[1, 0, :, 7:9, 7:9] = rng.normal(size=(2, 2, 2))  # the same thing, (1, 2) further on
    after = predictor.imagine(mt.Tensor(seen.reshape(2, 1, -1)), mt.Tensor(np.repeat(ACTIONS[:1, :1], 2, axis=0)))
    a, b = after.numpy().reshape(2, 2, 15, 15)
    np.testing.assert_allclose(a[:, 4:10, 3:9], b[:, 5:11, 5:11], atol=1e-5)  # zeros around are further away
    assert np.abs(a - seen[0, 0])[:, 4:10, 3:9].max() > 1e-3


def test_maps_need_not_be_square() -> None:
    assert Maps(2 * 3 * 5, (17,), channels=2, rows=3).map == (2, 3, 5)
    predictor, first = Maps(8, (17,), channels=2), mt.Tensor(ACTIONS[:, :1])
    z = mt.nn.functional.layer_norm(mt.Tensor(CODES), (8,))
    np.testing.assert_allclose(predictor.imagine(z, first).numpy(), z.numpy(), atol=1e-4)  # a norm of a norm


@pytest.mark.parametrize("history", [1, 2, 3])
def test_a_causal_transformer_looks_at_so_many_frames(history: int) -> None:
    predictor = causal(history=history)
    codes = mt.Tensor(rng.normal(size=(5, 4, 8)).astype(np.float32), requires_grad=True)
    predictor.imagine(codes, mt.Tensor(ACTIONS[:, :4])).sum().backward()
    seen = np.abs(codes.grad.numpy()).max(axis=(0, 2)) > 0
    assert seen.tolist() == [k >= 4 - history for k in range(4)]


def test_adaptive_norms_begin_as_the_identity() -> None:
    predictor = Causal(8, (17,), width=8, depth=2, heads=2)
    a, b = (predictor.imagine(mt.Tensor(CODES), mt.Tensor(x)).numpy() for x in (ACTIONS, ACTIONS + 1))
    np.testing.assert_array_equal(a, b)
    assert predictor.inverse(mt.Tensor(CODES), mt.Tensor(CODES)).shape == (5, 1, 2)
