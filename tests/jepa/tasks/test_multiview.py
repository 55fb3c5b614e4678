"""Many views: what is cut, what predicts what, and that no target encodes a view twice that it need not."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import check_fit
from jepa.encoders import CNN
from jepa.encoders.mlp import MLP as Rows
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.objectives import BYOL, VICReg
from jepa.predictors import MLP, Identity
from jepa.projectors import Linear
from jepa.sources import Arrays
from jepa.tasks import MultiView, generators
from jepa.tasks.multiview import Mutual
from jepa.transforms import ImageChanges, Noise

X = np.random.default_rng(0).random((12, 3, 16, 16)).astype(np.float32)


def ask(x: Any = X, augment: Any = None, **settings: Any) -> Any:
    return MultiView(augment, **settings).ask(x, (4,), generators(len(x)))


@pytest.mark.parametrize(
    "shape, small", [((2, 64), (2, 32)), ((3, 16, 20), (3, 8, 10)), ((1, 4, 12, 12), (1, 2, 6, 6))]
)
def test_views_of_two_sizes(shape: Any, small: Any) -> None:
    x = np.random.default_rng(0).random((40, *shape)).astype(np.float32)
    batch = ask(x, views=2, small=3)
    assert [v.shape for v in batch.seen] == [(40, 2, *shape), (40, 3, *small)]
    assert batch.size == 40 and batch.true is None and batch.keep is None
    assert not np.isclose(batch.seen[1][:, 0], batch.seen[1][:, 1]).reshape(40, -1).all(axis=1).any()
    half = ask(x, views=3, size=0.5, crop=(1, 1))
    assert [v.shape for v in half.seen] == [(40, 3, *small)]
    np.testing.assert_array_equal(half.seen[0][:, 0], half.seen[0][:, 2])
    doubled = batch.changed(lambda v: 2 * v)
    np.testing.assert_array_equal(doubled.seen[1], 2 * batch.seen[1])


def test_small_views_show_a_small_share() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (60, 1, 1))
    seen = ask(ramp, crop=(0.5, 1.0), small=2, small_crop=(0.1, 0.2)).seen
    shares = [np.ptp(v, axis=-1).reshape(-1) for v in seen]
    assert 0.4 < shares[0].min() and shares[0].max() <= 1
    assert 0.06 < shares[1].min() and shares[1].max() < 0.22


def test_flips_and_colors_are_drawn_for_each_view() -> None:
    flips = ask(augment=ImageChanges(jitter_p=0, grayscale=0), views=4, crop=(1, 1)).seen[0]
    mirrored = np.array([[np.array_equal(v, np.flip(x, 2)) for v in views] for x, views in zip(X, flips, strict=True)])
    assert 0.2 < mirrored.mean() < 0.8 and any(0 < row.sum() < 4 for row in mirrored)
    noisy = ask(augment=Noise(scale=0, noise=0.1), crop=(1, 1)).seen[0]
    assert abs((noisy[:, 0] - noisy[:, 1]).std() - 0.1 * 2**0.5) < 0.01


def test_an_example_s_views_do_not_depend_on_the_batch() -> None:
    x = np.tile(X, (4, 1, 1, 1))  # in chunks of 32, or alone
    task, many = MultiView(ImageChanges(), small=1), generators(48)
    alone = task.ask(x[40:41], (4,), many._replace(examples=generators(48).examples[40:41]))
    for whole, own in zip(task.ask(x, (4,), many).seen, alone.seen, strict=True):
        np.testing.assert_allclose(whole[40:41], own, atol=1e-6)


def test_what_predicts_what() -> None:
    z = mt.Tensor(np.arange(2 * 5 * 1, dtype=np.float32).reshape(2, 5, 1))  # three large views, two small ones
    pairs = Mutual(3, 2, False)
    assert pairs.pairs == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), *((a, b) for a in (3, 4) for b in range(3))]
    found = [
        (float(p[0, 0, 0]), float(t[0, 0, 0])) for p, t in zip(pairs.repeated(z), pairs.wanted(z[:, :3]), strict=True)
    ]
    assert found == pairs.pairs and pairs.sizes == (1,) * 12 == (1,) * len(pairs.valid)
    mean = Mutual(3, 2, True)
    assert [float(p[1, 0, 0]) for p in mean.repeated(z)] == [5, 6, 7, 8, 9]
    assert [float(t[1, 0, 0]) for t in mean.wanted(z[:, :3])] == [6] * 5
    assert mean.rolled() is None and mean.level_weights == ()


# -- through the learner -----------------------------------------------------------------------------------------------


def learner(target: str, objective: Any, kind: Any = Identity) -> JEPA:
    mt.manual_seed(0)
    encoder = CNN((3, 16, 16), widths=(4, 8))
    return JEPA(encoder, kind(8, encoder.grid), objective=objective, target=target, projector=Linear(8, dim=8))


@pytest.mark.parametrize("question", ["pairs", "mean"])
@pytest.mark.parametrize("target", ["shared", "stopgrad", "ema", "own"])
def test_targets_are_the_large_views_of_the_right_branch(target: str, question: str) -> None:
    model, batch = learner(target, VICReg()).eval(), ask(views=3, small=2, question=question)
    z, branch = model.embed(batch), model.target.branch(model.context)
    assert z.context.shape == (12, 5, 8)
    for v in range(5):
        x = batch.seen[0][:, v] if v < 3 else batch.seen[1][:, v - 3]
        alone = model.context.projector(model.context.encoder.tokens(mt.Tensor(x)).mean(axis=1))
        np.testing.assert_allclose(z.context.numpy()[:, v], alone.numpy(), atol=1e-5)
    true = [branch.projector(branch.encoder.tokens(mt.Tensor(batch.seen[0][:, v])).mean(axis=1)) for v in range(3)]
    mean = sum(t.numpy() for t in true) / 3
    for (a, b), p, t in zip(batch.asked.pairs, z.predictions, z.targets, strict=True):
        np.testing.assert_allclose(p.numpy()[:, 0], z.context.numpy()[:, a], atol=1e-6)
        np.testing.assert_allclose(t.numpy()[:, 0], mean if question == "mean" else true[b].numpy(), atol=1e-5)
        assert t.requires_grad == (target in ("shared", "own"))
    assert z.same == (target in ("shared", "stopgrad"))


@pytest.mark.parametrize("target, times", [("shared", 1), ("stopgrad", 1), ("ema", 2), ("own", 2)])
def test_no_view_is_encoded_twice_by_one_branch(target: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = learner(target, VICReg()), []
    whole = CNN.whole
    monkeypatch.setattr(CNN, "whole", lambda self, x: seen.append(len(x)) or whole(self, x))
    model.embed(ask(views=2))
    assert sum(seen) == times * 2 * 12


def test_both_ways_of_a_pair_train() -> None:
    model, batch = learner("ema", BYOL(), MLP), ask(views=2)
    optimizer, losses = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01), []
    for step in range(12):
        optimizer.zero_grad()
        parts, _ = model.loss(batch, np.random.default_rng(step))
        parts["loss"].backward()
        optimizer.step()
        model.after_step(step, 12)
        losses.append(float(parts["loss"]))
    assert losses[-1] < losses[0]
    assert "shuffled" not in model.held_out([batch])


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"views": 1}, "views=1 with question=pairs, small=0: a view would predict itself; take views=2"),
        ({"views": 1, "small": 4, "question": "mean"}, "views=1 with question=mean"),
        ({"small_size": 0.25}, "small_size=0.25: counts with small views alone; got small=0"),
        ({"size": 0.0}, "size=0.*must be larger than 0"),
    ],
)
def test_settings_that_ask_nothing_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MultiView(**settings)
    assert len(ask(views=1, small=4).asked.pairs) == 4


@pytest.mark.parametrize(
    "settings, said",
    [({}, r"task.crop=.0.3, 1.0. cuts along"), ({"crop": (1, 1), "small": 2}, "task.small=2 cuts along")],
)
def test_plain_numbers_are_viewed_by_their_changes_alone(settings: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MultiView(Noise(), **settings).check((7,), (1,))
    MultiView(Noise(), crop=(1, 1)).check((7,), (1,))
    rows = ask(np.random.default_rng(0).random((12, 7)).astype(np.float32), Noise(), crop=(1, 1)).seen[0]
    assert rows.shape == (12, 2, 7) and not np.isclose(rows[:, 0], rows[:, 1]).any()


def test_an_encoder_of_one_size_takes_no_small_views() -> None:
    encoder = Rows((3, 16, 16), width=8, depth=1)
    model = JEPA(encoder, Identity(encoder.dim, encoder.grid), objective=VICReg(), target="shared")
    source = Arrays(X)
    check_fit(model, MultiView(), source)
    with pytest.raises(ConfigError, match="task.small_size=0.5: "):
        check_fit(model, MultiView(small=2), source)
