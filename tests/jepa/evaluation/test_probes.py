"""Linear probe and kNN against scikit-learn, and against worked examples."""

import sys

import numpy as np
import pytest

from jepa.errors import DataError
from jepa.evaluation import PROBES, Protocol, chance, knn, linear_probe, nearest_classes, probe_table
from jepa.evaluation.linear import probed, standardize
from jepa.evaluation.logistic import logistic, principal, rotated
from jepa.evaluation.probes import BASELINES, FIGURES, Probe, figures, row_titles
from jepa.evaluation.split import stratified

sklearn_linear = pytest.importorskip("sklearn.linear_model")
sklearn_neighbors = pytest.importorskip("sklearn.neighbors")


def standardized(train, test):
    copies = np.array(train, np.float32), np.array(test, np.float32)
    standardize(*copies, np.arange(len(train)))
    return copies


def classes(count, features, *, spread=1.0, number=4, seed=0, scale=0.0):
    """Gaussian classes; `scale` > 0 makes the variances of the columns differ by that many powers of ten."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(number, size=count)
    centers = generator.normal(size=(number, features)) * spread
    x = (centers[labels] + generator.normal(size=(count, features))) * np.logspace(0, -scale, features)
    mixed = x @ np.linalg.qr(generator.normal(size=(features, features)))[0]
    return mixed.astype(np.float32), labels


@pytest.mark.parametrize("C", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize(("count", "features", "scale"), [(300, 12, 0.0), (300, 12, 2.0), (60, 200, 0.0)])
def test_logistic_finds_the_minimum_that_scikit_learn_finds(count, features, scale, C):
    x, labels = classes(count, features, spread=0.5, scale=scale)
    x, _ = standardized(x, x)
    rows = rotated(x.copy(), principal(x))
    fit = logistic(rows, labels, C=C, tolerance=1e-7)
    assert fit.converged
    model = sklearn_linear.LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(x.astype(np.float64), labels)
    logits = fit.logits(rows)
    ours = np.exp(logits - logits.max(axis=1, keepdims=True))
    ours /= ours.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours, model.predict_proba(x.astype(np.float64)), atol=3e-3)


def test_logistic_does_not_depend_on_the_start_and_says_when_it_stops_early():
    x, labels = classes(200, 6)
    x = standardized(x, x)[0]
    rows = rotated(x, principal(x))
    cold = logistic(rows, labels, C=1.0)
    start = np.random.default_rng(1).normal(size=cold.weight.shape).astype(np.float32)
    warm = logistic(rows, labels, C=1.0, start=start)
    np.testing.assert_array_equal(cold.predict(rows), warm.predict(rows))
    assert not logistic(rows, labels, C=1.0, max_iterations=1).converged


@pytest.mark.parametrize(("count", "features"), [(9000, 5), (30, 50)])
def test_rows_are_rotated_in_their_own_memory(count, features):
    x = np.random.default_rng(0).normal(size=(count, features)).astype(np.float32)
    axes = principal(x)
    rows = rotated(own := x.copy(), axes)
    assert np.shares_memory(rows, own) and rows.shape == (count, min(count, features))
    np.testing.assert_allclose(rows, x @ axes, atol=1e-4)
    gram = rows.T @ rows  # diagonal: they are the principal components
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-3 * np.abs(gram).max())


def test_linear_probe_equals_the_same_pipeline_in_scikit_learn():
    x, labels = classes(900, 20, spread=0.5)
    result = linear_probe(x[:600], labels[:600], x[600:], labels[600:])
    train, test = standardized(x[:600], x[600:])
    model = sklearn_linear.LogisticRegression(C=result.C, tol=1e-8, max_iter=10_000).fit(train, labels[:600])
    assert result.accuracy == pytest.approx(model.score(test, labels[600:]), abs=1 / 300)
    assert result.validation[result.C] == max(result.validation.values())
    assert 0.5 < result.accuracy < 0.99  # a task that could have gone either way


@pytest.mark.parametrize(
    ("right", "tried", "chosen"),
    [
        ([0.7, 0.9, 0.5, 0.4, 1.0], 4, 0.1),  # two in a row are clearly worse
        ([0.7, 0.9, 0.5, 0.88, 0.5], 5, 0.1),  # not in a row
        ([0.7, 0.9, 0.88, 0.87, 1.0], 5, 100.0),  # not clearly: twice the standard error is 0.08 here
    ],
)
def test_strengths_beyond_two_that_are_clearly_worse_are_left_out(monkeypatch, right, tried, chosen):
    grid, labels = (0.01, 0.1, 1.0, 10.0, 100.0), np.arange(300) % 2

    class Fit:
        weight, converged = None, True

        def __init__(self, C):
            self.wrong = round(60 * (1 - right[grid.index(C)]))  # of the 60 examples that choose C

        def predict(self, x):  # a class for each row of 60, by the class that the column knows
            return np.where(np.arange(len(x)) < self.wrong, x[:, 0] < 0, x[:, 0] > 0).astype(int)

    monkeypatch.setattr(sys.modules["jepa.evaluation.linear"], "logistic", lambda x, codes, *, C, start=None: Fit(C))
    rows = (2.0 * labels - 1)[:, None] * np.ones(1)
    result = linear_probe(rows, labels, rows, labels, grid=grid)
    assert list(result.validation) == list(grid[:tried]) and result.C == chosen


def test_linear_probe_leaves_rows_alone_and_probed_overwrites_them():
    x, labels = classes(300, 8)
    train, test = x[:200], x[200:]
    before = x.copy()
    result = linear_probe(train, labels[:200], test, labels[200:])
    np.testing.assert_array_equal(x, before)
    assert probed(train, labels[:200], test, labels[200:]) == result and (x != before).any()


def test_linear_probe_is_the_same_for_the_same_seed_and_any_scale_of_the_columns():
    x, labels = classes(400, 10, spread=0.5)
    first = linear_probe(x[:300], labels[:300], x[300:], labels[300:], seed=3)
    assert first == linear_probe(x[:300], labels[:300], x[300:], labels[300:], seed=3)
    scaled = x * np.logspace(-3, 3, 10, dtype=np.float32) + 5
    assert linear_probe(scaled[:300], labels[:300], scaled[300:], labels[300:], seed=3).accuracy == pytest.approx(
        first.accuracy, abs=0.02
    )


def test_constant_columns_are_ignored_even_where_the_test_set_differs():
    x, labels = classes(300, 8)
    more = np.concatenate([x, np.full((300, 2), 0.1, dtype=np.float32)], axis=1)
    more[200:, -1] = 1e6
    plain = linear_probe(x[:200], labels[:200], x[200:], labels[200:])
    assert linear_probe(more[:200], labels[:200], more[200:], labels[200:]).accuracy == plain.accuracy


def test_linear_probe_keeps_labels_as_they_are_and_counts_unknown_ones_as_wrong():
    x = np.array([[0.0], [0.1], [5.0], [5.1]] * 10, dtype=np.float32)
    labels = np.array([7, 7, -3, -3] * 10)
    assert linear_probe(x, labels, x[:4], np.array([7, 7, -3, 99])).accuracy == 0.75


def test_linear_probe_of_one_class_is_refused():
    with pytest.raises(DataError, match="at least two classes"):
        linear_probe(np.ones((4, 2)), np.zeros(4, int), np.ones((4, 2)), np.zeros(4, int))


def test_linear_probe_warns_when_it_has_not_converged(monkeypatch):
    x, labels = classes(100, 5)
    short = lambda *args, **settings: logistic(*args, **settings, max_iterations=1)  # noqa: E731
    monkeypatch.setattr(sys.modules["jepa.evaluation.linear"], "logistic", short)
    with pytest.warns(UserWarning, match="did not converge"):
        assert not linear_probe(x, labels, x, labels).converged


@pytest.mark.parametrize("k", [1, 5, 20])
def test_knn_equals_scikit_learn_where_no_vote_is_tied(k):
    x, labels = classes(700, 16, spread=0.4)
    train, train_labels, test = x[:500], labels[:500], x[500:]
    model = sklearn_neighbors.KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(train, train_labels)
    votes = np.sort(np.round(model.predict_proba(test) * k), axis=1)
    clear = votes[:, -1] > votes[:, -2]
    assert clear.sum() > 100
    ours = nearest_classes(train, train_labels, test, k=k)
    np.testing.assert_array_equal(ours[clear], model.predict(test)[clear])


def test_knn_in_chunks_equals_knn_at_once(monkeypatch):
    x, labels = classes(300, 8, spread=0.3)
    whole = nearest_classes(x[:200], labels[:200], x[200:], k=7)
    monkeypatch.setattr(sys.modules["jepa.evaluation.neighbors"], "_CHUNK_ENTRIES", 200 * 13)
    np.testing.assert_array_equal(nearest_classes(x[:200], labels[:200], x[200:], k=7), whole)


@pytest.mark.parametrize(
    ("labels", "k", "expected"),
    [
        ([5, 9, 9, 5], 4, 5),  # two against two: the nearest row decides
        ([9, 5, 5, 9], 4, 9),
        ([5, 9, 9, 1], 3, 9),  # a majority beats the nearest
        ([9, 5, 1, 1], 99, 1),  # more voters than rows: all rows vote
    ],
)
def test_knn_votes(labels, k, expected):
    angles = np.array([0.1, 0.2, 0.3, 0.4])
    train = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert nearest_classes(train, np.array(labels), np.array([[2.0, 0.0]]), k=k)[0] == expected


def test_knn_ignores_the_length_of_the_rows_and_survives_a_row_of_zeros():
    x, labels = classes(200, 6)
    lengths = np.random.default_rng(0).uniform(0.1, 10, size=(200, 1)).astype(np.float32)
    assert knn(x[:150], labels[:150], x[150:], labels[150:]) == knn(
        x[:150] * lengths[:150], labels[:150], x[150:] * lengths[150:], labels[150:]
    )
    x[0] = 0
    assert 0 <= knn(x[:150], labels[:150], x[150:], labels[150:]) <= 1


@pytest.mark.parametrize("size", [1, 10, 37, 90, 500])
def test_stratified_keeps_the_shares(size):
    labels = np.repeat([0, 1, 2], [60, 25, 15])
    chosen = stratified(labels, size, generator=np.random.default_rng(0))
    assert len(chosen) == len(set(chosen.tolist())) == min(size, 100)
    shares = np.bincount(labels[chosen], minlength=3)
    assert np.abs(shares - np.array([0.6, 0.25, 0.15]) * min(size, 100)).max() < 1


def test_stratified_is_seeded():
    labels = np.arange(50) % 5
    first, again, other = (stratified(labels, 20, generator=np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_probe_table_has_every_row_and_one_chance():
    x, labels = classes(300, 8)
    noise = np.random.default_rng(5).normal(size=(300, 30))
    table = probe_table({"jepa": (x[:200], x[200:]), "pixels": (noise[:200], noise[200:])}, labels[:200], labels[200:])
    assert list(table["linear"]) == list(table["knn"]) == ["jepa", "pixels", "chance"]
    assert set(table["C"]) == {"jepa", "pixels"}
    for probe in ("linear", "knn"):
        assert table[probe]["jepa"] > 0.9 > 0.6 > table[probe]["pixels"]
        assert table[probe]["chance"] == chance(labels[:200], labels[200:])


def test_a_probe_and_a_figure_of_ones_own_are_lines_of_the_registries(monkeypatch):
    """Rows are the probe's own: made anew, or copied, for each."""
    x, labels = classes(300, 8)
    made = []

    def rows():
        made.append(1)
        return x[:200].copy(), x[200:].copy()

    def first(train, train_labels, test, test_labels, protocol):
        train[:] = test[:] = 0
        return {"accuracy": 0.25, "seen": float(protocol.k)}

    monkeypatch.setattr(sys.modules["jepa.evaluation.attentive"], "FEWEST", 1)
    monkeypatch.setitem(PROBES, "first", Probe("first of all", first))
    monkeypatch.setitem(FIGURES, "largest", FIGURES["feature_std"]._replace(of=lambda z: float(z.max())))
    before = x.copy()
    table = probe_table({"made": rows, "kept": (x[:200], x[200:])}, labels[:200], labels[200:], Protocol(k=7))
    assert table["first"] == {"made": 0.25, "kept": 0.25, "chance": chance(labels[:200], labels[200:])}
    assert table["seen"] == {"made": 7.0, "kept": 7.0} and table["linear"]["made"] == table["linear"]["kept"]
    assert len(made) == 3 and np.array_equal(x, before)
    assert figures(x)["largest"] == x.max()
    assert set(probe_table({"a": (x[:200, None], x[200:, None])}, labels[:200], labels[200:], tokens=True)) == {
        "attentive"
    }


def test_figures_that_cannot_be_told_are_none():
    assert figures(np.ones((1, 4), np.float32))["uniformity"] is None
    assert figures(np.ones((100, 3), np.float32))["correlation_dimension"] is None


def test_raw_rows_are_pixels_of_images_alone():
    assert row_titles()["pixels"] == "raw pixels" and row_titles((6, 128))["pixels"] == "raw input"
    assert list(row_titles()) == ["jepa", "center", "crops", *BASELINES]
