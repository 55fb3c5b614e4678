"""What is measured and shown of tokens, on cases with a known answer."""

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.assembly import Assembly
from jepa.config import load
from jepa.evaluation.attentive import attentive_probe
from jepa.evaluation.decoder import ridge
from jepa.evaluation.evaluate import OnlineProbe
from jepa.evaluation.neighbors import nearest
from jepa.evaluation.patches import cut, paste, spread, starts
from jepa.evaluation.probes import correlation_dimension, probe_table
from jepa.pictures.places import rollout
from jepa.runs.run import Run


def test_rollout_of_looking_at_oneself_is_oneself() -> None:
    eye = np.broadcast_to(np.eye(5), (2, 3, 5, 5))
    assert np.allclose(rollout([eye, eye]), np.eye(5))


def test_rollout_multiplies_from_the_last_block_to_the_first() -> None:
    generator = np.random.default_rng(0)
    maps = [generator.dirichlet(np.ones(4), size=(1, 2, 4)) for _ in range(3)]
    by_hand = np.eye(4)
    for a in maps:
        mean = (a[0].mean(axis=0) + np.eye(4)) / 2
        by_hand = (mean / mean.sum(axis=1, keepdims=True)) @ by_hand
    assert np.allclose(rollout(maps)[0], by_hand) and np.allclose(rollout(maps).sum(axis=-1), 1)
    with pytest.raises(ValueError, match="one block at least"):
        rollout([])


def test_planted_neighbors_are_found() -> None:
    generator = np.random.default_rng(0)
    bank = generator.standard_normal((50, 8))
    queries = 3 * bank[[7, 31]] + 0.01 * generator.standard_normal((2, 8))
    indices, cosines = nearest(queries, bank, 3)
    assert indices[:, 0].tolist() == [7, 31] and (cosines[:, 0] > 0.999).all() and (np.diff(cosines) <= 0).all()
    with pytest.raises(ValueError, match="the 51 nearest of a bank of 50"):
        nearest(queries, bank, 51)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_correlation_dimension_of_a_cube_in_a_larger_space(dimension: int) -> None:
    generator = np.random.default_rng(dimension)
    cube = generator.uniform(size=(2000, dimension)) @ np.linalg.qr(generator.standard_normal((20, 20)))[0][:dimension]
    # the border takes some off: 4 % in three dimensions, 10 % in five, at these radii
    assert 0.85 * dimension < correlation_dimension(cube) < 1.05 * dimension


def test_correlation_dimension_of_a_curve_is_one_whatever_its_rank() -> None:
    t = np.random.default_rng(0).uniform(0, 1, 2000)
    curve = np.stack([f(2 * np.pi * k * t) for k in range(1, 6) for f in (np.sin, np.cos)], axis=1)  # rank 10
    assert abs(correlation_dimension(curve) - 1) < 0.1
    assert np.isnan(correlation_dimension(np.ones((100, 3)))) and np.isnan(correlation_dimension(np.eye(5)))


def test_the_attentive_probe_finds_the_token_that_knows() -> None:
    """The class stands in one token, at any place, marked; the others are noise that the mean drowns it in."""
    generator = np.random.default_rng(0)
    labels = np.arange(900) % 3
    tokens = generator.standard_normal((900, 16, 8)).astype(np.float32)
    place = generator.integers(0, 16, 900)
    tokens[np.arange(900), place, :3] = 3 * np.eye(3)[labels]
    tokens[np.arange(900), place, 7] = 6  # the mark
    found = attentive_probe(tokens[:600], labels[:600], tokens[600:], labels[600:], epochs=8)
    again = attentive_probe(tokens[:600], labels[:600], tokens[600:], labels[600:], epochs=8)
    means = tokens.mean(axis=1)
    linear = probe_table({"mean": (means[:600], means[600:])}, labels[:600], labels[600:])["linear"]["mean"]
    assert found == again  # nothing but the seed
    assert found > 0.8 and found > linear + 0.2


def test_probes_during_training_leave_the_generator_alone() -> None:
    generator = np.random.default_rng(0)
    source = jepa.sources.Arrays(generator.normal(size=(60, 3, 8, 8)), np.arange(60) % 3)
    encoder = jepa.encoders.CNN((3, 8, 8), widths=(4, 8))
    parts = Assembly(source, jepa.tasks.Crops(), jepa.JEPA(encoder, jepa.predictors.Geometry(8, encoder.grid)))
    config = load(overrides=["encoder.widths=4,8", "projector=none", "evaluation.online_images=20"])
    run = Run(None, config, parts, "cpu")
    mt.manual_seed(5)
    probe = OnlineProbe(run)
    model = run.random_twin(1, probe.examples[0])
    figures = probe(model)
    assert set(figures) == {"probe/linear", "probe/knn", "probe/linear_random", "probe/knn_random"}
    assert all(0 <= v <= 1 for v in figures.values()) and figures == probe(model)
    after = mt.default_generator().random()
    mt.manual_seed(5)
    assert mt.default_generator().random() == after


def test_ridge_undoes_an_affine_map_and_cut_and_paste_each_other() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, 5))
    a, b = generator.standard_normal((5, 3)), generator.standard_normal(3)
    assert np.allclose(ridge(x, x @ a + b, damping=0)(x), x @ a + b)
    images = generator.uniform(size=(2, 3, 8, 12)).astype(np.float32)
    at = starts((8, 12), (2, 3))
    patches = cut(images, at)
    assert patches.shape == (2, 6, 48) and np.array_equal(paste(patches, at, (8, 12)), images)
    assert np.array_equal(patches[0, 4].reshape(3, 4, 4), images[0, :, 4:8, 4:8])


@pytest.mark.parametrize("lengths, grid", [((35,), (4,)), ((7, 5), (3, 2)), ((4, 7, 5), (3, 2, 5)), ((6, 6), (3, 3))])
@pytest.mark.parametrize("group", [1, 2])
def test_patches_of_any_rank_and_size_come_back(lengths, grid, group) -> None:
    x, at = np.random.default_rng(0).uniform(size=(2, 3, *lengths)).astype(np.float32), starts(lengths, grid, group)
    patches = cut(x, at)
    assert patches.shape[1] == np.prod([-(-places // group) for places in grid])
    assert np.array_equal(paste(patches, at, lengths), x)
    number = spread(np.arange(patches.shape[1]), at, lengths)
    for place in range(patches.shape[1]):
        assert set(patches[1, place]) == set(x[1, :, number == place].reshape(-1))


def test_patches_of_any_rank_hold_every_entry_where_an_encoder_has_its_places() -> None:
    x = np.arange(2 * 2 * 7 * 5, dtype=np.float32).reshape(2, 2, 7, 5)
    found = cut(x, starts((7, 5), (3, 2)))
    assert found.shape == (2, 6, 2 * 3 * 3)
    for place in range(6):
        row, column = divmod(place, 2)
        mine = x[:, :, np.arange(7) * 3 // 7 == row][..., np.arange(5) * 2 // 5 == column]  # as `hide` blanks them
        assert all(set(mine[i].reshape(-1).tolist()) == set(found[i, place].tolist()) for i in range(2))
    series = x.reshape(4, 1, 35)
    assert np.array_equal(cut(series, starts((35,), (5,)))[:, 2], series[:, 0, 14:21])
    clip = x.reshape(1, 1, 4, 7, 5)
    assert np.array_equal(cut(clip, starts((4, 7, 5), (2, 1, 1)))[0, 1], clip[0, 0, 2:].reshape(-1))
