"""The method: normalised targets, schedules of the moving average, weight decay, held-out losses."""

import numpy as np
import pytest

import minitensor as mt
from jepa.data.loader import Batch
from jepa.methods import CropJEPA
from tests.jepa.tiny import config


def batch(n=12, t=2):
    rng = np.random.default_rng(0)
    shapes = ((n, 3, 16, 16), (n, t, 3, 16, 16), (n, t, 4))
    return Batch(*(rng.standard_normal(s).astype(np.float32) for s in shapes), np.arange(n))


def make(*overrides):
    mt.manual_seed(0)
    return CropJEPA(config("unused", *overrides), steps=100)


def test_targets_are_normalised_in_the_space_of_the_loss():
    e = make("loss.name=l2", "loss.normalize_targets=true").embed(batch())
    np.testing.assert_allclose(e.target.numpy().mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(e.target.numpy().std(axis=-1), 1, atol=1e-2)
    raw = make("loss.name=l2", "loss.normalize_targets=false").embed(batch())
    assert np.abs(raw.target.numpy().std(axis=-1) - 1).max() > 0.05


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_momentum_rises_from_start_to_end(schedule):
    method = make(f"model.ema_schedule={schedule}", "model.ema_start=0.9", "model.ema_end=1.0")
    values = [method.momentum(step) for step in range(101)]
    assert values[0] == 0.9 and values == sorted(values)
    assert values[-1] == (0.9 if schedule == "constant" else 1.0)


def test_weights_decay_and_vectors_do_not():
    method = make()
    weights, vectors = method.groups(0.1)
    assert weights["weight_decay"] == 0.1 and vectors["weight_decay"] == 0.0
    assert all(p.ndim > 1 for p in weights["params"]) and all(p.ndim <= 1 for p in vectors["params"])
    trained = {id(p) for p in (*weights["params"], *vectors["params"])}
    assert trained == {id(p) for p in method.model.parameters() if p.requires_grad}
    assert not trained & {id(p) for p in method.model.target_encoder.parameters()}


def test_held_out_notices_a_wrong_geometry_only_if_it_is_used():
    used = make("model.geometry=true").held_out([batch()])
    unused = make("model.geometry=false").held_out([batch()])
    assert used["shuffled"] != used["loss"] and unused["shuffled"] == unused["loss"]


def test_held_out_leaves_the_model_as_it_is():
    method = make()
    method.model.train()
    before = {k: v.copy() for k, v in method.model.state_dict().items()}
    method.held_out([batch()])
    assert method.model.training
    for k, v in method.model.state_dict().items():
        np.testing.assert_array_equal(v, before[k], err_msg=k)
