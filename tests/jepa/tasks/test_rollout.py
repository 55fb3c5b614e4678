"""The question what follows by actions: frames and actions that belong together, and what cannot be asked."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import assemble
from jepa.config.config import schema_of
from jepa.errors import ConfigError
from jepa.parts import Choice
from jepa.predictors.gru import GRU
from jepa.sources.world import PendulumSource, TwoRoomsSource
from jepa.tasks import generators
from jepa.tasks.batches import Batches
from jepa.tasks.rollout import Rollout
from jepa.worlds import of
from tests.jepa.composition import TINY

KINDS = {"augment": "none", "task": "rollout", "encoder": "impala", "projector": "none", "predictor": "gru",
         "target": "shared", "objective": "dynamics"}  # fmt: skip


def rooms() -> TwoRoomsSource:
    return TwoRoomsSource(count=40, frames=6, size=17)


def choices(**changes: Any) -> dict[str, Choice]:
    """Return the choices of a tiny model; changes: role -> kind, or (kind, settings)."""
    found = {}
    for role, given in {**KINDS, **changes}.items():
        kind, settings = given if isinstance(given, tuple) else (given, {})
        found[role] = Choice(kind, schema_of(role, kind)(**{**TINY.get((role, kind), {}), **settings}))
    return found


@pytest.mark.parametrize(("past", "steps"), [(1, 3), (2, 4), (3, 1), (1, 9)])
def test_actions_are_those_between_the_frames(past: int, steps: int) -> None:
    time = np.arange(10.0, dtype=np.float32)
    frames = np.broadcast_to(time[:, None, None], (6, 2, 10, 3, 3)).copy()
    actions = np.broadcast_to(time[:9, None], (6, 9, 2)).copy()
    batch = Rollout(past=past, steps=steps).ask({"frames": frames, "actions": actions}, (10,), generators(6))
    first = batch.seen[:, 0, 0, 0, 0]
    np.testing.assert_array_equal(batch.seen[:, 1, :, 2, 2], first[:, None] + np.arange(past + steps))
    np.testing.assert_array_equal(batch.asked.actions[:, :, 1], first[:, None] + np.arange(past + steps - 1))
    codes = mt.Tensor(batch.seen[:, 0, :, :1, 0])  # (n, T, 1)
    wanted = [z.numpy()[:, 0, 0] for z in batch.asked.wanted(codes)]
    np.testing.assert_array_equal(np.stack(wanted, 1), first[:, None] + np.arange(past, past + steps))
    assert batch.asked.sizes == (1,) * steps and (len({*first}) > 1) == (past + steps < 10)


def test_more_starts_ask_the_same_question_from_each() -> None:
    time = np.arange(9.0, dtype=np.float32)
    x = {"frames": np.tile(time[:, None, None], (2, 1, 1, 3, 3)), "actions": np.tile(time[:8, None], (2, 1, 2))}
    batch = Rollout(past=2, steps=3, starts=5).ask(x, (9,), generators(2))
    wanted = [z.numpy()[0, :, 0].tolist() for z in batch.asked.wanted(mt.Tensor(batch.seen[:, 0, :, :1, 0]))]
    assert batch.asked.sizes == (5, 5, 5) and wanted == [[2, 3, 4, 5, 6], [3, 4, 5, 6, 7], [4, 5, 6, 7, 8]]
    windows = batch.asked.windows()
    np.testing.assert_array_equal(windows[5:, :, 0], np.arange(5)[:, None] + np.arange(4))
    mt.manual_seed(0)
    predictor, z = GRU(1, (9,)), mt.Tensor(np.random.default_rng(0).normal(size=(2, 9, 1)).astype(np.float32))
    sets = predictor(z, None, None, batch.asked)
    for start in range(5):
        seen = z[:, start : start + 2]
        alone = predictor.imagine(seen, mt.Tensor(batch.asked.actions[:, start : start + 4]))
        np.testing.assert_allclose(np.stack([s.numpy()[:, start] for s in sets], axis=1), alone.numpy(), atol=1e-6)


def test_a_batch_has_the_actions_of_its_examples() -> None:
    source = rooms().split("val")
    batches = Batches(source, Rollout(steps=5), (6,), batch_size=4, seed=0)
    batch = batches.batch([3, 1])
    np.testing.assert_array_equal(batch.asked.actions, source.actions[[3, 1]])
    np.testing.assert_allclose(batch.seen, source.normalize(source.read([3, 1])))
    np.testing.assert_array_equal(batch.asked.rolled().actions, source.actions[[1, 3]])


@pytest.mark.parametrize("make", [rooms, lambda: PendulumSource(count=40, frames=6, size=17)])
def test_a_source_reads_what_its_world_shows(make: Any) -> None:
    source, longer = make(), type(make())(count=60, frames=6, size=17)
    train, val = source.split("train"), source.split("val")
    assert len(val) == 4 and {*train.names} | {*val.names} == {str(k) for k in range(40)}
    np.testing.assert_array_equal(source.read(range(40)), longer.read(range(40)))  # however many follow
    np.testing.assert_allclose(train.positions, source.world.place(of(source.lived.states, train.content.rows)))
    first = type(source.lived.states)(*(array[:, 0] for array in source.lived.states))
    again = source.world.rollout(first, source.actions)
    np.testing.assert_allclose(source.world.place(again), source.positions, atol=1e-3)
    apart = [part.walks(5, 4).actions for part in (train, val)]
    assert (apart[0] != apart[1]).mean() > 0.8 and (apart[1] != source.actions[:5, :3]).mean() > 0.8
    assert len({make().fingerprint(), make().fingerprint(), train.fingerprint(), val.fingerprint()}) == 3


SOURCES = {
    "rooms": rooms,
    "pendulum": lambda: PendulumSource(count=40, frames=6, size=17),
    "series": lambda: __import__("jepa.sources", fromlist=["Arrays"]).Arrays(np.ones((20, 2, 8))),
}


@pytest.mark.parametrize(
    ("source", "changes", "said"),
    [
        ("series", {"encoder": "states", "task": ("rollout", {"steps": 5})}, "told actions, and source=jepa.sources"),
        ("pendulum", {}, r"actions of 1 numbers, and predictor=gru takes 2: set predictor.actions=1"),
        ("rooms", {"encoder": ("vit", {"patch": (2, 17, 17)}), "task": ("rollout", {"steps": 1})}, "one code of each"),
        ("rooms", {"encoder": ("vit", {"patch": (1, 17, 17)})}, "more|one code of each frame"),
        ("rooms", {"encoder": "frames"}, "encoder=frames with encoder.places=false"),
        ("rooms", {"encoder": "states"}, "encoder=states takes trajectories of numbers"),
        ("rooms", {"task": ("rollout", {"steps": 6})}, "need 7 frames, and the source's examples have 6"),
        ("rooms", {"task": ("rollout", {"steps": 2, "steps_end": 6})}, "need 7 frames"),
        ("rooms", {"task": ("rollout", {"past": 2, "steps": 2})}, "predictor=gru: it begins with the code of one"),
        ("rooms", {"task": ("rollout", {"past": 2, "steps": 2}), "encoder": "maps", "predictor": "maps"},
         "predictor=maps: it begins with the code of one"),
        ("rooms", {"predictor": ("maps", {"channels": 5})}, "such feature map; take encoder=maps with encoder.chan"),
        ("rooms", {"encoder": "maps", "predictor": ("maps", {"rows": 7})}, "channels=4 and predictor.rows=7"),
        ("rooms", {"augment": "image"}, "augment=image"),
        ("rooms", {"objective": ("dynamics", {"inverse": 2.0}), "predictor": ("gru", {"inverse": 0})},
         "objective.inverse=2.0 asks predictor=gru for actions"),
        ("rooms", {"task": "multiview", "predictor": "none"}, "objective=dynamics compares frames that follow"),
        ("rooms", {"objective": ("dynamics", {"variance": 0.0})}, "target=shared with objective=dynamics must"),
        ("rooms", {"predictor": "mlp"}, "take predictor=gru, residual, maps, causal"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(source: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        assemble(choices(**changes), 0, source=SOURCES[source]())


@pytest.mark.parametrize(
    "changes",
    [
        {"predictor": "causal", "task": ("rollout", {"past": 2, "steps": 3})},
        {"predictor": "residual", "task": ("rollout", {"steps": 2, "starts": 3}), "encoder": ("impala", {"stride": 2})},
        {"encoder": ("maps", {"channels": 2}), "predictor": ("maps", {"channels": 2, "width": 8, "layers": 1})},
        {"target": "ema", "objective": ("dynamics", {"variance": 0.0, "inverse": 0.0})},
        {"target": "own", "objective": ("dynamics", {"sigreg": 0.1})},
        {"objective": "vicreg", "encoder": ("frames", {"places": False}), "projector": "linear"},
    ],
)
def test_other_parts_learn_it_too(changes: dict[str, Any]) -> None:
    parts = assemble(choices(**changes), 0, source=rooms())
    batches = Batches(parts.source.split("train"), parts.task, (6,), batch_size=16, seed=0)
    losses, optimizer = [], mt.optim.Adam(list(parts.model.parameters()), lr=2e-3)
    for _ in range(12):
        optimizer.zero_grad()
        found, z = parts.model.loss(batches.batch(range(16)), np.random.default_rng(0))
        found["loss"].backward()
        optimizer.step()
        losses.append(float(found["loss"]))
    assert losses[-1] < losses[0] and z.context.shape[1] == parts.task.span
    told = parts.model.held_out([batches.batch(range(16))])
    assert told["shuffled"] > 0
