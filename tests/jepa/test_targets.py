"""What makes the true tokens: where gradients go, what moves and what does not."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.encoders import CNN
from jepa.errors import ConfigError
from jepa.learner import JEPA, Branch
from jepa.objectives import VICReg
from jepa.parts import ROLES
from jepa.predictors import MLP, Geometry, Identity
from jepa.projectors import Linear
from jepa.targets import EMA, Own, target
from jepa.tasks.crops import Geometry as Where

IMAGES = np.random.default_rng(0).standard_normal((6, 3, 16, 16)).astype(np.float32)
WHERE = Where(np.random.default_rng(1).standard_normal((6, 2, 4)).astype(np.float32))


def make(kind: Any = "ema", objective: Any = None, predictor: Any = Geometry) -> JEPA:
    mt.manual_seed(0)
    encoder = CNN((3, 16, 16), widths=(4, 8))
    made = predictor(8, encoder.grid)
    return JEPA(encoder, made, objective=objective or VICReg(), target=kind, projector=Linear(8, dim=8))


def true(model: JEPA) -> mt.Tensor:
    views = mt.Tensor(np.stack([IMAGES, IMAGES[::-1]], axis=1))
    return model.target(model.context, views, WHERE)[0]


@pytest.mark.parametrize("kind", ROLES["target"])
def test_where_gradients_go(kind: str) -> None:
    model = make(kind)
    assert true(model).shape == (6, 2, 8)
    assert true(model).requires_grad == model.target.learns == (kind in ("shared", "own"))
    if model.target.learns:
        true(model).sum().backward()
        branch = model.context if kind == "shared" else model.target.own
        assert all(p.grad is not None for p in branch.parameters())
    if kind == "ema":
        assert not any(p.requires_grad for p in model.target.copy.parameters())
    own = model.encoders["target"] is not model.encoders["context"]
    assert own == (kind in ("ema", "own"))


@pytest.mark.parametrize("kind", ["ema", "own"])
def test_a_branch_of_its_own_starts_equal(kind: str) -> None:
    model = make(kind)
    ours, theirs = (dict(m.named_parameters()) for m in (model.context, model.target.branch(model.context)))
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name].numpy(), theirs[name].numpy())


def test_the_average_follows_in_the_right_direction() -> None:
    model = make(EMA(start=0.9, schedule="constant"))
    ours, theirs = (dict(m.named_parameters()) for m in (model.context, model.target.copy))
    with mt.no_grad():
        for p in ours.values():
            p[...] = p + 1.0
    before = {name: p.numpy().copy() for name, p in theirs.items()}
    assert model.after_step(3, 10) == {"ema": 0.9}
    for name, p in theirs.items():
        np.testing.assert_allclose(p.numpy(), 0.9 * before[name] + 0.1 * ours[name].numpy(), rtol=1e-5)
    model.target.move(0.5)
    for name, p in theirs.items():
        np.testing.assert_allclose(p.numpy(), 0.45 * before[name] + 0.55 * ours[name].numpy(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["stopgrad", "shared", "own"])
def test_others_stay_where_they_are(kind: str) -> None:
    model = make(kind)
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    assert model.after_step(0, 10) == {}
    model.target.move(0.5)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), before[name])


def test_targets_use_the_statistics_of_their_batch_and_leave_buffers_alone() -> None:
    for kind in ("ema", "stopgrad"):
        model = make(kind).train()
        buffers = {k: b.numpy().copy() for k, b in model.named_buffers()}
        np.testing.assert_array_equal(true(model).numpy(), true(model).numpy())
        for name, b in model.named_buffers():
            np.testing.assert_array_equal(b.numpy(), buffers[name], err_msg=name)
    model = make().train()
    buffers = {k: b.numpy().copy() for k, b in model.target.copy.named_buffers()}
    model.context.encoder.tokens(mt.Tensor(IMAGES))
    model.target.move(0.5)
    followed = dict(model.context.named_buffers())
    for name, b in model.target.copy.named_buffers():
        if "num_batches" in name:
            assert b.item() == followed[name].item() == 1  # copied
        else:
            np.testing.assert_allclose(b.numpy(), (buffers[name] + followed[name].numpy()) / 2, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_momentum_rises_from_start_to_end(schedule: Any) -> None:
    made = EMA(start=0.9, end=1.0, schedule=schedule)
    values = [made.momentum(step, 100) for step in range(101)]
    assert values[0] == 0.9 and values == sorted(values)
    assert values[-1] == (0.9 if schedule == "constant" else 1.0)
    assert values[50] == pytest.approx(0.9 if schedule == "constant" else 0.95)


def test_what_is_kept_of_the_first_weights() -> None:
    made = EMA(start=0.9, end=1.0, schedule="linear")
    by_hand = np.prod([made.momentum(step, 50) for step in range(40)])
    assert made.kept(40, 50) == pytest.approx(by_hand, rel=1e-9)
    assert EMA(start=0.0, end=0.0).kept(5, 5) == 0.0 and make("shared").target.kept(5, 5) == 0.0


def test_an_own_branch_may_be_given() -> None:
    mt.manual_seed(1)
    branch = Branch(CNN((3, 16, 16), widths=(4, 8)), Linear(8, dim=8))
    model = make(Own(branch=branch))
    assert model.encoders["target"] is branch.encoder


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: make("shared", objective=VICReg(variance=0.0)), "target=shared with objective=vicreg must collapse"),
        (
            lambda: make("stopgrad", VICReg(variance=0.0), Identity),
            "target=stopgrad with .* and predictor=none, which does not learn, must collapse",
        ),
        (lambda: target("emma"), "target is one of ema, stopgrad, shared, own; got 'emma'"),
        (lambda: EMA(start=1.5), "start=1.5: must be at least 0 and at most 1"),
    ],
)
def test_what_must_collapse_is_refused(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()


def test_what_need_not_collapse_is_not() -> None:
    for kind in ("shared", "stopgrad", "ema", "own"):
        make(kind, predictor=Identity)
        make(kind, predictor=MLP)
    make("ema", VICReg(variance=0.0), Identity)  # it lags
