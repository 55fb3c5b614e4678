"""Examples with gaps: places where nothing is are neither seen nor asked for; blocks have their share of the others."""

from functools import partial

import numpy as np
import pytest

from jepa.assembly import check_fit
from jepa.encoders import MLP
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.masks import among, multiblock_masks, present, random_masks
from jepa.objectives import InfoNCE
from jepa.predictors import MLP as Predictor
from jepa.sources.examples import Held, measured
from jepa.sources.memory import InMemory
from jepa.tasks import Masked, Views, generators
from jepa.tasks.masked import MaskedSettings
from jepa.transforms.augment import ImageChanges

NAN = np.nan


class Gaps(InMemory):
    """Series of two channels, of 3 to 16 entries, in official parts."""

    def __init__(self) -> None:
        super().__init__()
        x = np.random.default_rng(0).normal(size=(20, 2, 16)).astype(np.float32)
        for k, row in enumerate(x):
            row[:, 3 + k % 14 :] = NAN
        parts = np.array(["train"] * 12 + ["val"] * 8)
        self.held = Held({"": x}, np.arange(20) % 2, ["a", "b"], [], [f"row {k}" for k in range(20)], parts)


@pytest.mark.parametrize(
    ("shape", "grid", "nothing", "wanted"),
    [
        ((1, 1, 6), (3,), np.s_[..., 4:], [1, 1, 0]),
        ((1, 1, 6), (3,), np.s_[..., 5:], [1, 1, 1]),
        ((1, 2, 7), (2,), np.s_[:, 0, :], [1, 1]),  # the other channel is there
        ((1, 1, 4, 4), (2, 2), np.s_[..., 2:], [1, 0, 1, 0]),
        ((1, 1, 4, 4), (2, 2), np.s_[..., :2, :3], [0, 1, 1, 1]),
    ],
)
def test_a_place_is_there_if_any_number_is(shape, grid, nothing, wanted):
    x = np.zeros(shape, np.float32)
    x[nothing] = NAN
    assert present(x, grid)[0].tolist() == [bool(flag) for flag in wanted]


@pytest.mark.parametrize("kind", ["random", "multiblock"])
@pytest.mark.parametrize("grid", [(24,), (4, 6)])
def test_masks_lie_among_what_is_there(kind, grid):
    settings = MaskedSettings(masks=kind, min_keep=2, targets=2) if kind == "multiblock" else MaskedSettings(masks=kind)
    draw = partial({"random": random_masks, "multiblock": multiblock_masks}[kind], settings)
    rng = np.random.default_rng(0)
    there = np.zeros((40, *grid), bool)
    for k, flags in enumerate(there):
        flags[..., : 1 + k % grid[-1]] = True
    there = there.reshape(40, -1)
    masks = among(draw, there, there, grid, rng)
    for side, valid in ((masks.context, masks.context_valid), (masks.target, masks.target_valid)):
        for index, flags in zip(side, valid, strict=True):
            for row, places, kept in zip(there, index, flags, strict=True):
                assert row[places[kept]].all() and len(set(places[kept])) == kept.sum()
                assert kept.any() or row.sum() == 1  # a single place is the context
    for row, seen, asked, a, b in zip(
        there, masks.context[0], masks.target[0], masks.context_valid[0], masks.target_valid[0], strict=True
    ):
        assert not set(seen[a]) & set(asked[b]) and a.any()
        if kind == "random" and len(grid) == 1 and row.sum() > 8:
            assert 0.35 <= b.sum() / row.sum() <= 0.65  # the share of what is there, not of the grid


@pytest.mark.parametrize(
    ("seen", "true", "context", "target"),
    [
        ([1, 1, 0, 0], [0, 0, 1, 1], [0, 1], [2, 3]),  # two views of one text that have no word in common
        ([0, 1, 0, 0], [0, 1, 0, 0], [1], []),
        ([0, 0, 0, 0], [0, 0, 0, 1], [0], [3]),  # nothing is seen
    ],
)
def test_every_example_has_a_context(seen, true, context, target):
    seen, true = np.array([seen], bool), np.array([true], bool)
    masks = among(
        partial(random_masks, MaskedSettings(masks="random", min_keep=1)), seen, true, (4,), np.random.default_rng(0)
    )
    assert masks.context[0][0][masks.context_valid[0][0]].tolist() == context
    assert masks.target[0][0][masks.target_valid[0][0]].tolist() == target


@pytest.mark.parametrize("compiled", [True, False])
def test_colors_change_without_what_is_missing(compiled, monkeypatch):
    monkeypatch.setattr("jepa.transforms.loops.chosen", lambda: compiled)
    x = np.random.default_rng(0).random((2, 3, 4, 6), np.float32)
    gappy = x.copy()
    gappy[0, :, :, [1, 4]] = NAN
    change = ImageChanges(jitter_p=1.0, grayscale=0.0).part()
    draws = [change.draw(np.random.default_rng(0)) for _ in x]
    there = gappy[:1][:, :, :, [0, 2, 3, 5]]
    found = change.apply(gappy, draws)
    assert np.isnan(found[0, :, :, [1, 4]]).all()
    np.testing.assert_allclose(found[:1][:, :, :, [0, 2, 3, 5]], change.apply(there, draws[:1]), atol=1e-6)
    np.testing.assert_array_equal(found[1], change.apply(x, draws)[1])


def test_a_task_asks_of_what_is_there_alone():
    source = Gaps()
    x = source.read(range(12))
    batch = Masked(masks="random", min_keep=1).ask(x, (8,), generators(12))
    there, keep, asked = present(x, (8,)), batch.keep, batch.asked
    sides = keep.index[:, 0], keep.valid[:, 0], asked.index[:, 0], asked.flags[:, 0]
    for row, seen, kept, index, flags in zip(there, *sides, strict=True):
        assert sorted([*seen[kept], *index[flags]]) == np.flatnonzero(row).tolist()


def test_an_encoder_that_knows_no_gaps_is_refused():
    source = Gaps()
    encoder = MLP(source.shape, width=8, depth=1)
    model = JEPA(encoder, Predictor(8, encoder.grid, width=8), objective=InfoNCE(0.1))
    with pytest.raises(ConfigError, match="encoder=mlp cannot leave out what is missing .* take an encoder that can"):
        check_fit(model, Views(), source)


def test_parts_and_names_are_those_that_are_given():
    source = Gaps()
    train, val = source.split("train"), source.split("val")
    assert source.gaps and (len(train), len(val), val.names[0]) == (12, 8, "row 12")
    x = train.read(range(12)).astype(np.float64)
    mean, std = train.scale  # of what is there
    assert np.allclose(mean, np.nanmean(x, axis=(0, 2))) and np.allclose(std, np.nanstd(x, axis=(0, 2)))
    assert np.isnan(train.normalize(x)).any() and train.raw(train.normalize(x)).shape == (12, 32)
    assert np.isfinite(train.raw(train.normalize(x))).all()


def test_nothing_at_all_has_mean_0_and_deviation_1():
    x = np.full((3, 2, 4), NAN, np.float32)
    x[:, 1] = 5
    assert [v.tolist() for v in measured(x, np.arange(3))] == [[0.0, 5.0], [1.0, 1.0]]
