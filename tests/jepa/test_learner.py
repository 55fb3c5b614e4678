"""The one learner: what it compares, what it logs, what its target and optimizer get, what it refuses."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Batch, Keep
from jepa.encoders import CNN, ViT
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.objectives import L2, InfoNCE, SmoothL1, VICReg
from jepa.predictors import MLP, Geometry, Levels, Places
from jepa.projectors import Linear
from jepa.targets import EMA
from jepa.tasks import Levels as LevelsTask
from jepa.tasks import Masked, generators
from jepa.tasks.crops import Geometry as Where

RNG = np.random.default_rng(0)
SMALL: dict[str, Any] = {"dim": 8, "depth": 1, "heads": 2}


def crops(told: bool = True, **parts: Any) -> JEPA:
    mt.manual_seed(0)
    encoder = CNN((3, 16, 16), widths=(4, 8))
    kind: Any = Geometry if told else MLP
    predictor = kind(8, encoder.grid, width=16, depth=1)
    return JEPA(encoder, predictor, **{"objective": L2(), "projector": Linear(8, dim=8), **parts})


def crops_batch(n: int = 12, v: int = 2) -> Batch:
    rng = np.random.default_rng(0)
    seen, true, where = (
        rng.standard_normal(s).astype(np.float32) for s in ((n, 3, 16, 16), (n, v, 3, 16, 16), (n, v, 4))
    )
    return Batch(seen, None, true, Where(where))


def masked(**parts: Any) -> JEPA:
    mt.manual_seed(0)
    encoder = ViT((3, 16, 16), patch=4, dim=16, depth=2, heads=2)
    return JEPA(encoder, Places(16, encoder.grid, **SMALL), **parts)


def masked_batch(n: int = 6, x: Any = None, **settings: Any) -> Batch:
    x = np.random.default_rng(0).standard_normal((n, 3, 16, 16)).astype(np.float32) if x is None else x
    task = Masked(**{"min_keep": 2, "target_scale": (0.2, 0.3), **settings})
    return task.ask(x, (4, 4), generators(len(x)))


# -- embeddings and loss -----------------------------------------------------------------------------------------------


def test_shapes_of_crops() -> None:
    z = crops().embed(crops_batch())
    assert (z.context.shape, z.predictions[0].shape, z.targets[0].shape) == ((12, 1, 8), (12, 2, 8), (12, 2, 8))
    assert z.level_weights == ()


def test_a_projector_is_applied_to_mean_tokens_and_to_targets() -> None:
    model, batch = crops().eval(), crops_batch()
    z, branch = model.embed(batch), model.context
    mean = branch.encoder.tokens(mt.Tensor(batch.seen)).mean(axis=1)
    np.testing.assert_allclose(z.context.numpy()[:, 0], branch.projector(mean).numpy(), atol=1e-6)
    own = model.target.copy
    for v in range(2):
        mean = own.encoder.tokens(mt.Tensor(batch.true[:, v])).mean(axis=1)
        np.testing.assert_allclose(z.targets[0].numpy()[:, v], own.projector(mean).numpy(), atol=1e-6)


@pytest.mark.parametrize("objective", [SmoothL1(), InfoNCE(), VICReg()])
def test_several_contexts_share_the_targets_of_their_example(objective: Any) -> None:
    model, batch = masked(objective=objective), masked_batch(contexts=2, targets=3)
    z = model.embed(batch)
    assert (
        [p.shape for p in z.predictions]
        == [t.shape for t in z.targets]
        == [(6 * 2, batch.asked.index.shape[2], 16)] * 3
    )
    for s in range(3):
        np.testing.assert_array_equal(z.targets[s].numpy()[::2], z.targets[s].numpy()[1::2])
    parts, _ = model.loss(batch)
    parts["loss"].backward()
    assert np.isfinite(float(parts["loss"]))


def test_padded_masks_give_the_loss_of_each_example_alone() -> None:
    model = masked()
    with mt.no_grad():  # larger than at first, so that a look at what is padding shows
        for p in model.parameters():
            if p.requires_grad and p.ndim > 1:
                p[...] = 5 * p
    batch = masked_batch(collate="pad", sizes="sample", target_scale=(0.1, 0.3))
    keep, asked = batch.keep, batch.asked
    assert keep is not None and keep.valid is not None and not keep.valid.all() and not asked.flags.all()
    losses, weights = [], []
    for i in range(6):
        for s in range(asked.index.shape[1]):
            own = asked.index[i, s][asked.flags[i, s]][None, None]
            seen = Keep(keep.index[i, 0][keep.valid[i, 0]][None, None])
            alone = Batch(batch.seen[i : i + 1], seen, batch.true[i : i + 1], asked._replace(index=own, flags=None))
            losses.append(float(model.loss(alone)[0]["loss"]))
            weights.append(own.size)
    together = float(model.loss(batch)[0]["loss"])
    assert together == pytest.approx(np.average(losses, weights=weights), rel=1e-4)


def test_each_level_has_a_part_in_the_loss() -> None:
    mt.manual_seed(0)
    encoder = ViT((3, 32, 32), patch=4, dim=16, depth=1, heads=2)
    model = JEPA(encoder, Levels(16, encoder.grid, **SMALL))
    x = RNG.standard_normal((2, 3, 32, 32)).astype(np.float32)
    batch = LevelsTask().ask(x, encoder.grid, generators(2))
    parts, z = model.loss(batch)
    assert float(parts["loss"]) == pytest.approx(
        sum(w * float(parts[f"level {k}"]) for k, w in enumerate((1, 0.5, 0.25)))
    )
    parts["loss"].backward()
    assert all(p.grad is not None for p in model.predictor.parameters() if p.requires_grad)
    assert z.context.shape == (2, 1, 16) and len(z.level_weights) > 1
    assert model.figures(z).keys() == {"feature_std", "effective_rank", "prediction_cosine"}
    held_out = model.held_out([batch])
    assert held_out["loss"] == held_out["parts"]["level 0"] and held_out["ratio"] > 0


def test_threads_change_rounding_alone() -> None:
    for model, batch in ((crops(), crops_batch(16)), (masked(objective=InfoNCE()), masked_batch(16, contexts=2))):
        found = []
        for threads in (1, 2):
            before = mt.get_num_threads()
            mt.set_num_threads(threads)
            try:
                model.zero_grad()
                parts, _ = model.loss(batch)
                parts["loss"].backward()
            finally:
                mt.set_num_threads(before)
            grads = [p.grad.numpy() for p in model.parameters() if p.grad is not None]
            found.append((float(parts["loss"]), np.concatenate([g.reshape(-1) for g in grads])))
        assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-5)


# -- what the loop asks ------------------------------------------------------------------------------------------------


def test_weights_decay_and_vectors_do_not() -> None:
    model = crops()
    weights, vectors = model.groups(0.1)
    assert weights["weight_decay"] == 0.1 and vectors["weight_decay"] == 0.0
    assert all(p.ndim > 1 for p in weights["params"]) and all(p.ndim <= 1 for p in vectors["params"])
    trained = {id(p) for p in (*weights["params"], *vectors["params"])}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}
    assert not trained & {id(p) for p in model.target.parameters()}


@pytest.mark.parametrize(
    ("target", "names"), [("ema", {"encoder", "predictor"}), ("own", {"encoder", "predictor", "target"})]
)
def test_parts_are_what_is_trained(target: str, names: set[str]) -> None:
    model = crops(target=target, objective=VICReg())
    assert model.parts().keys() == names
    assert sum(map(len, model.parts().values())) == sum(p.requires_grad for p in model.parameters())


def test_held_out_notices_a_wrong_question_only_if_it_is_used() -> None:
    used, unused = (crops(told).held_out([crops_batch()]) for told in (True, False))
    assert used["shuffled"] != used["loss"] and unused["shuffled"] == unused["loss"]
    assert used["ratio"] == pytest.approx(used["shuffled"] / used["loss"])
    assert crops().held_out([]) == {}


def test_the_wrong_question_costs_the_predictor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, tokens, model = [], CNN.tokens, crops()
    monkeypatch.setattr(CNN, "tokens", lambda *given: calls.append(len(given[1])) or tokens(*given))
    wrong = model.held_out([batch := crops_batch()])["shuffled"]
    assert calls == [12, 24]  # contexts, targets
    other = model.eval().embed(batch._replace(asked=batch.asked.rolled()))
    true = model.embed(batch)
    assert wrong == float(model.objective(true._replace(predictions=other.predictions), RNG)["distance"])


def test_held_out_is_the_mean_over_examples_of_the_distance() -> None:
    model, batches = crops(objective=VICReg()).eval(), [crops_batch(12), crops_batch(4)]
    found = model.held_out(batches)
    with mt.no_grad():
        parts = [model.loss(batch)[0] for batch in batches]
    by_hand = {k: (12 * float(parts[0][k]) + 4 * float(parts[1][k])) / 16 for k in parts[0]}
    assert found["loss"] == pytest.approx(by_hand["invariance"], rel=1e-5)
    assert found["parts"] == pytest.approx({k: by_hand[k] for k in ("invariance", "variance", "covariance")}, rel=1e-5)


def test_held_out_leaves_the_model_as_it_is() -> None:
    model = crops().train()
    before = {k: v.copy() for k, v in model.state_dict().items()}
    model.held_out([crops_batch()])
    assert model.training
    for k, v in model.state_dict().items():
        np.testing.assert_array_equal(v, before[k], err_msg=k)


def test_it_learns_and_uses_where_the_targets_are() -> None:
    model = masked(target=EMA(start=0.9))
    optimizer = mt.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    ramp = np.linspace(-1, 1, 16, dtype=np.float32)
    images = np.stack([a * ramp[:, None] + b * ramp for a, b in np.random.default_rng(1).normal(size=(32, 2))])
    images = np.repeat(images[:, None], 3, axis=1).astype(np.float32)
    task, losses = Masked(min_keep=2), []
    for step in range(120):
        batch = task.ask(images, (4, 4), generators(32, seed=step))
        optimizer.zero_grad()
        loss = model.loss(batch)[0]["loss"]
        loss.backward()
        optimizer.step()
        model.after_step(step, 100)
        losses.append(float(loss))
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])
    held_out = model.held_out(task.ask(images, (4, 4), generators(32, seed=5000 + k)) for k in range(8))
    assert held_out["ratio"] > 1.05  # asked for another image's places, it predicts worse


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"projector": Linear(8, dim=4)}, "predictor=geometry is made for embeddings of 8 numbers .* its projector, 4"),
        ({"target": "shared"}, "target=shared with objective=l2 must collapse"),
        ({"target": "shadow"}, "target is one of ema, stopgrad, shared, own; got 'shadow'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        crops(**parts)


def test_a_predictor_of_another_grid_is_refused() -> None:
    encoder = ViT((3, 24, 16), patch=4, dim=16, depth=1, heads=2)
    with pytest.raises(ConfigError, match="a grid of 4 x 4; encoder=vit has 6 x 4 places"):
        JEPA(encoder, Places(16, (4, 4), **SMALL))
