"""Linear probe and kNN against scikit-learn, and against worked examples."""

import sys

import numpy as np
import pytest

from jepa.errors import DataError
from jepa.evaluation import chance, knn, linear_probe, nearest_classes, probe_table
from jepa.evaluation.linear_probe import standardised
from jepa.evaluation.logistic import logistic, principal, with_bias
from jepa.evaluation.split import stratified

sklearn_linear = pytest.importorskip("sklearn.linear_model")
sklearn_neighbors = pytest.importorskip("sklearn.neighbors")


def classes(count, features, *, spread=1.0, number=4, seed=0, scale=0.0):
    """Gaussian classes; `scale` > 0 makes the variances of the columns differ by that many powers of ten."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(number, size=count)
    centres = generator.normal(size=(number, features)) * spread
    x = (centres[labels] + generator.normal(size=(count, features))) * np.logspace(0, -scale, features)
    mixed = x @ np.linalg.qr(generator.normal(size=(features, features)))[0]
    return mixed.astype(np.float32), labels


@pytest.mark.parametrize("C", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize(("count", "features", "scale"), [(300, 12, 0.0), (300, 12, 2.0), (60, 200, 0.0)])
def test_logistic_finds_the_minimum_that_scikit_learn_finds(count, features, scale, C):
    x, labels = classes(count, features, spread=0.5, scale=scale)
    x, _ = standardised(x, x)
    axes, variances = principal(x)
    fit = logistic(with_bias(x, axes), labels, variances=variances, C=C, tolerance=1e-7)
    assert fit.converged
    model = sklearn_linear.LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(x.astype(np.float64), labels)
    logits = x @ axes @ fit.weight[:-1] + fit.weight[-1]
    ours = np.exp(logits - logits.max(axis=1, keepdims=True))
    ours /= ours.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours, model.predict_proba(x.astype(np.float64)), atol=3e-3)


def test_logistic_does_not_depend_on_the_start_and_says_when_it_stops_early():
    x, labels = classes(200, 6)
    axes, variances = principal(standardised(x, x)[0])
    rotated = standardised(x, x)[0] @ axes
    columns = with_bias(standardised(x, x)[0], axes)
    cold = logistic(columns, labels, variances=variances, C=1.0)
    start = np.random.default_rng(1).normal(size=cold.weight.shape).astype(np.float32)
    warm = logistic(columns, labels, variances=variances, C=1.0, start=start)
    np.testing.assert_array_equal(cold.predict(rotated), warm.predict(rotated))
    assert not logistic(columns, labels, variances=variances, C=1.0, max_iterations=1).converged


def test_linear_probe_equals_the_same_pipeline_in_scikit_learn():
    x, labels = classes(900, 20, spread=0.5)
    result = linear_probe(x[:600], labels[:600], x[600:], labels[600:])
    train, test = standardised(x[:600], x[600:])
    model = sklearn_linear.LogisticRegression(C=result.C, tol=1e-8, max_iter=10_000).fit(train, labels[:600])
    assert result.accuracy == pytest.approx(model.score(test, labels[600:]), abs=1 / 300)
    assert result.validation[result.C] == max(result.validation.values())
    assert 0.5 < result.accuracy < 0.99  # a task that could have gone either way


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
    monkeypatch.setattr(sys.modules["jepa.evaluation.linear_probe"], "logistic", short)
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
    monkeypatch.setattr(sys.modules["jepa.evaluation.knn"], "_CHUNK_ENTRIES", 200 * 13)
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


def test_max_images_limits_both_splits_alike():
    x, labels = classes(400, 8, spread=0.4)
    rows = {"jepa": (x[:300], x[300:])}
    limited = probe_table(rows, labels[:300], labels[300:], max_images=50)
    kept, test = (stratified(part, 50, generator=np.random.default_rng(0)) for part in (labels[:300], labels[300:]))
    by_hand = probe_table({"jepa": (x[:300][kept], x[300:][test])}, labels[:300][kept], labels[300:][test])
    assert limited == by_hand != probe_table(rows, labels[:300], labels[300:])
