"""JEPAFeatures: scikit-learn's checks of a transformer, its pipelines and searches; and that it needs none of it."""

import pickle
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa import JEPAFeatures
from jepa.errors import ConfigError

SMALL = ("encoder.width=16", "projector.dim=8", "projector.width=8")
ROUNDING = "single precision: sums of a matrix product depend, in the last bit, on the rows beside a row"
INAPPLICABLE = {"check_methods_sample_order_invariance": ROUNDING, "check_methods_subset_invariance": ROUNDING}
"""scikit-learn's checks that ask for more than there is: they compare to 1e-7"""


def small(**params: Any) -> JEPAFeatures:
    return JEPAFeatures(**{"epochs": 2, "settings": SMALL, **params})


def clusters(n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in two of twenty directions, of scales that differ by ten thousand."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centers = rng.normal(size=(3, 20)) * 2
    return (centers[y] + rng.normal(size=(n, 20))) * np.geomspace(0.01, 100, 20) + 5, y


try:
    from sklearn.utils.estimator_checks import parametrize_with_checks
except ImportError:
    parametrize_with_checks = None

if parametrize_with_checks is not None:

    @pytest.mark.filterwarnings("ignore:Estimator JEPAFeatures does not inherit")
    @parametrize_with_checks([small()], expected_failed_checks=lambda _: INAPPLICABLE)
    def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
        check(estimator)


def test_pipelines_and_searches_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline

    x, y = clusters()
    pipeline = make_pipeline(small(epochs=20), LogisticRegression())
    assert cross_val_score(pipeline, x, y, cv=3).min() > 0.8
    grid = {"jepafeatures__objective": ["vicreg", "infonce"], "jepafeatures__epochs": [1, 3]}
    search = GridSearchCV(make_pipeline(small(), LogisticRegression()), grid, cv=2, error_score="raise").fit(x, y)
    assert search.best_score_ > 0.5 and len(search.cv_results_["params"]) == 4
    assert list(search.best_estimator_[:-1].get_feature_names_out())[:2] == ["jepafeatures0", "jepafeatures1"]
    again = clone(pipeline.fit(x, y))
    assert again[0].get_params() == pipeline[0].get_params() and "encoder_" not in vars(again[0])


class Table:
    """A table as pandas and polars make it, as far as it is asked of them."""

    def __init__(self, data: Any, **said: Any) -> None:
        self.data, self.said = data, said

    index = "rows"

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return np.asarray(self.data)


def test_features_come_as_a_table_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(DataFrame=Table))
    x, _ = clusters(30)
    features = small().fit(x)
    names = [f"jepafeatures{k}" for k in range(16)]
    plain = features.transform(x)
    pandas = features.set_output(transform="pandas").transform(Table(x))
    assert pandas.said == {"index": "rows", "columns": names} and np.array_equal(pandas.data, plain)
    assert features.transform(x).said["index"] is None
    assert features.set_output(transform="polars").transform(x).said == {"schema": names, "orient": "row"}
    assert isinstance(features.set_output().fit_transform(x), Table)  # as it was
    assert np.array_equal(features.set_output(transform="default").transform(x), plain)
    with pytest.raises(ValueError, match="output is one of default, pandas, polars; got 'excel'"):
        features.set_output(transform="excel")


def test_scikit_learn_s_own_setting_of_tables_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline

    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=Table))
    x, _ = clusters(30)
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(small().fit_transform(x), Table)
        assert isinstance(small().set_output(transform="default").fit_transform(x), np.ndarray)
    pipeline = make_pipeline(small()).set_output(transform="pandas")
    assert isinstance(clone(pipeline).fit_transform(x), Table)
    assert isinstance(small().fit_transform(x), np.ndarray)


def test_needs_no_scikit_learn_and_writes_no_file(tmp_path: Any) -> None:
    code = (
        "import os, sys, numpy as np; from jepa import JEPAFeatures\n"
        "x = np.random.default_rng(0).normal(size=(20, 4))\n"
        f"z = JEPAFeatures(epochs=1, settings={SMALL}).fit_transform(x)\n"
        "assert z.shape == (20, 16) and z.dtype == np.float32\n"
        "try: JEPAFeatures().transform(x)\n"
        "except ValueError as error: assert 'not fitted yet' in str(error)\n"
        "assert 'sklearn' not in sys.modules and not os.listdir('.')"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_same_seed_gives_the_same_features_and_leaves_the_generator_alone() -> None:
    x, _ = clusters(40)
    before, threads = mt.default_generator().bit_generator.state, mt.get_num_threads()
    mt.set_num_threads(2)
    a, b, c = (small(random_state=seed).fit_transform(x) for seed in (3, 3, np.random.default_rng(4)))
    mt.set_num_threads(threads)
    assert np.array_equal(a, b) and not np.allclose(a, c)
    assert mt.default_generator().bit_generator.state == before


def test_comes_back_from_a_pickle_with_its_features() -> None:
    x, _ = clusters(40)
    features = small().fit(x)
    again = pickle.loads(pickle.dumps(features))
    assert np.array_equal(again.transform(x), features.transform(x)) and again.get_params() == features.get_params()


def test_features_do_not_depend_on_the_units_of_the_columns() -> None:
    x, _ = clusters(60)
    a, b = (small().fit_transform(z) for z in (x, 1000 * x - 7))
    np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize(
    ("params", "dim"),
    [
        ({"shape": (1, 8, 8), "encoder": "cnn", "settings": ("encoder.widths=4,8",)}, 8),
        ({"shape": (2, 32), "encoder": "vit", "settings": ("encoder.patch=4", "encoder.dim=8", "encoder.heads=2")}, 8),
        ({"encoder": "mlp", "target": "ema", "predictor": "mlp", "objective": "l2", "settings": SMALL[:1]}, 16),
        (
            {
                "shape": (1, 64), "task": "masked", "encoder": "vit", "projector": "none", "predictor": "places",
                "target": "ema", "augment": "none",
                "settings": ("encoder.dim=8", "encoder.heads=2", "predictor.dim=8", "predictor.heads=2"),
            },
            8,
        ),
    ],
)  # fmt: skip
def test_rows_may_be_images_or_series_and_any_parts_may_learn(params: dict[str, Any], dim: int) -> None:
    x = np.random.default_rng(0).normal(size=(30, 64))
    features = JEPAFeatures(epochs=1, **params)
    assert features.fit_transform(x).shape == (30, dim) == (30, features.n_features_out_)


def test_arrays_of_more_axes_are_taken_as_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(30, 2, 16))
    assert small().fit_transform(x).shape == (30, 16)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros(3), "Reshape your data"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((1, 3)), "n_samples=1"),
        (np.full((4, 3), np.nan), "NaN"),
        (np.outer([1e300, -1e300, 0, 1], np.ones(3)), "too large"),
        (np.zeros((4, 3), complex), "Complex"),
    ],
)
def test_arrays_that_cannot_be_learned_from(x: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        small().fit(x)


def test_other_arrays_parts_and_parameters_are_refused() -> None:
    x, _ = clusters(20)
    with pytest.raises(ValueError, match=r"X has 3 features, but JEPAFeatures is expecting 20 features"):
        small().fit(x).transform(x[:, :3])
    with pytest.raises(ValueError, match=r"Invalid parameter 'epochz'.*Did you mean 'epochs'"):
        small().set_params(epochz=3)
    with pytest.raises(ValueError, match=r"shape=\(1, 8\) has 8 numbers, and a row of X 20"):
        small(shape=(1, 8)).fit(x)
    with pytest.raises(ConfigError, match="target=shared with objective=l2 must collapse"):
        small(objective="l2").fit(x)
    with pytest.raises(ConfigError, match="there is no such kind"):
        small(encoder="mpl").fit(x)
