"""Features of arrays, learned without labels, with the interface of scikit-learn, which need not be there."""

import importlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.assembly import assemble
from jepa.config import changed, load
from jepa.sources.arrays import Arrays
from jepa.sources.memory import Rows
from jepa.text import did_you_mean
from jepa.training.fit import unwritten

USUAL = """
source=array task=views task.crop=1,1 augment=noise augment.scale=0.1 augment.noise=0.5 encoder=mlp encoder.width=256
encoder.depth=2 projector=mlp projector.dim=128 projector.width=256 projector.depth=1 predictor=none target=shared
objective=vicreg train.batch_size=256 train.prefetch=0 optimizer.lr=0.002 optimizer.weight_decay=1e-4
""".split()
"""what is so unless something else is said: two views with noise of their own, and VICReg"""
TABLES = ("default", "pandas", "polars")
LARGE = "Input X contains infinity, or values too large for their mean and deviation"
NAMED = ("task", "augment", "encoder", "projector", "predictor", "target", "objective")


class _Whole(Arrays):
    """Arrays of which nothing is held out."""

    @cached_property
    def content(self) -> Rows:
        rows = np.arange(0 if self.part == "val" else len(self.held.arrays[""]))
        return Rows(list(map(str, rows.tolist())), None, rows)


@dataclass(eq=False)
class JEPAFeatures:
    """A transformer in scikit-learn's sense: `fit` learns an encoder from examples alone, `transform` applies it.

    It works in `make_pipeline`, `cross_val_score` and `GridSearchCV`, can be cloned and pickled, and writes no file.
    X: (n, features), each brought to mean 0 and deviation 1; or, with `shape`, rows that are series or images; or an
    array of more axes, (n, channels, *lengths). What is said of no part is as in `USUAL`. Raises ValueError for arrays
    that cannot be learned from, JEPAError for parts that do not fit.

    >>> x = np.random.default_rng(0).normal(size=(60, 5))
    >>> features = JEPAFeatures(epochs=2, settings=("encoder.width=16",)).fit(x)
    >>> features.transform(x).shape, features.n_features_in_
    ((60, 16), 5)
    """

    encoder: str | None = None
    """kind of the encoder, as on the command line; None: mlp"""
    task: str | None = None
    """what is predicted; None: views"""
    augment: str | None = None
    """changes of the examples; None: noise"""
    projector: str | None = None
    """None: mlp"""
    predictor: str | None = None
    """None: none, the context's own embedding is the prediction"""
    target: str | None = None
    """None: shared"""
    objective: str | None = None
    """None: vicreg"""
    epochs: int = 60
    """passes over the examples"""
    max_steps: int | None = 2000
    """at most so many steps; None: no such limit"""
    shape: tuple[int, ...] | None = None
    """of an example, such as (1, 8, 8), that a row of X is brought to; None: a row has a channel for each feature"""
    settings: Sequence[str] = ()
    """any other settings, as on the command line: ("encoder.width=64", "objective.temperature=0.2")"""
    random_state: Any = 0
    """seed: a whole number, a generator of NumPy's, or None for another one each time"""
    verbose: bool = False
    """show how training goes"""

    # -- parameters ---------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def set_params(self, **params: Any) -> Self:
        """Change parameters; ValueError for one that does not exist."""
        known = self.get_params()
        for name in params:
            if name not in known:
                guess = did_you_mean(name, known)
                raise ValueError(f"Invalid parameter {name!r} for estimator {self}.{guess} It has {', '.join(known)}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    # -- learning -----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from examples; y is not looked at."""
        x = _checked(X)
        if len(x) < 2:
            raise ValueError(f"n_samples={len(x)} is too few: a batch has two examples at least")
        self.n_features_in_ = x.shape[1]
        said = [f"{role}={kind}" for role in NAMED if (kind := getattr(self, role)) is not None]
        config = changed(load(overrides=USUAL), [*said, *self.settings])
        train = replace(config.train, epochs=self.epochs, max_steps=self.max_steps)
        config = replace(config, seed=self._seed(), train=train)
        generator = mt.default_generator().bit_generator
        before = generator.state
        x = self._shaped(x)
        self.mean_, self.std_ = _scale(x)
        try:
            source = _Whole(self._scaled(x), mean=(0.0,), std=(1.0,))
            parts = assemble(config.choices, config.seed, source)
            self.loss_ = unwritten(config, parts, quiet=not self.verbose).loss
        finally:
            generator.state = before  # whoever draws from it draws on as if nothing had happened
        parts.model.to("cpu")
        self.evaluation_, self.branch_ = config.evaluation, parts.model.branches[config.evaluation.encoder]
        self.encoder_ = self.branch_.encoder
        self.n_features_out_ = self._features(x[:1]).shape[1]
        return self

    def transform(self, X: Any) -> Any:
        """Return the encoder's features of examples: (n, features) -> (n, d), float32; a table after `set_output`."""
        self._check_fitted()
        x = _checked(X)
        if x.shape[1] != self.n_features_in_:
            name = type(self).__name__
            raise ValueError(
                f"X has {x.shape[1]} features, but {name} is expecting {self.n_features_in_} features as input"
            )
        return self._table(self._features(self._shaped(x)), X)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Return what `transform` makes of X after `fit`."""
        return self.fit(X, y).transform(X)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Say what `transform` returns: "default", an array; "pandas", "polars", a table; None: as it was said before.

        Where nothing is said here, what `sklearn.set_config(transform_output=...)` says holds.
        """
        if transform not in (None, *TABLES):
            raise ValueError(f"output is one of {', '.join(TABLES)}; got {transform!r}")
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}  # this is what scikit-learn's `clone` copies
        return self

    def _table(self, z: NDArray[np.float32], X: Any) -> Any:
        """Return features in the kind of table that was asked for, with the rows' names of X."""
        theirs = sys.modules.get("sklearn")
        usual = {"transform": "default" if theirs is None else theirs.get_config()["transform_output"]}
        kind = vars(self).get("_sklearn_output_config", usual)["transform"]
        if kind == "default":
            return z
        module, names = importlib.import_module(kind), list(self.get_feature_names_out())
        if kind == "polars":
            return module.DataFrame(z, schema=names, orient="row")
        return module.DataFrame(z, index=X.index if isinstance(X, module.DataFrame) else None, columns=names)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features: jepafeatures0, jepafeatures1, ..."""
        self._check_fitted()
        if input_features is not None and len(input_features) != self.n_features_in_:
            raise ValueError(
                f"input_features should have length equal to number of features ({self.n_features_in_}), got "
                f"{len(input_features)}"
            )
        return np.array([f"{type(self).__name__.lower()}{k}" for k in range(self.n_features_out_)], dtype=object)

    def _shaped(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return examples (n, channels, *lengths) of rows (n, features)."""
        shape = self.shape if self.shape is not None else x.shape[1:] if x.ndim > 2 else (x.shape[1], 1)
        if math.prod(shape) != math.prod(x.shape[1:]):
            raise ValueError(f"shape={shape} has {math.prod(shape)} numbers, and a row of X {math.prod(x.shape[1:])}")
        return x.reshape(len(x), *shape)

    def _scaled(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Return examples with mean 0 and deviation 1 of each channel; augmentations are in these units."""
        mean, std = (v.reshape(-1, *[1] * (x.ndim - 2)) for v in (self.mean_, self.std_))
        with np.errstate(over="ignore", invalid="ignore"):
            z = ((x - mean) / std).astype(np.float32)
        if not np.isfinite(z).all():
            raise ValueError(LARGE)
        return z

    def _features(self, x: NDArray[Any]) -> NDArray[np.float32]:
        s = self.evaluation_
        return frozen.frozen(self.branch_, lambda z: self.branch_.features(z, s.pool, s.layer), self._scaled(x))

    def _seed(self) -> int:
        state = self.random_state
        if isinstance(state, np.random.RandomState):
            return int(state.randint(2**31 - 1))
        return int(state) if isinstance(state, int | np.integer) else int(np.random.default_rng(state).integers(2**31))

    def _check_fitted(self) -> None:
        """Raise scikit-learn's NotFittedError, where that is loaded, before `fit`."""
        if "encoder_" not in vars(self):
            theirs = sys.modules.get("sklearn.exceptions")
            kind = ValueError if theirs is None else theirs.NotFittedError
            raise kind(f"This {type(self).__name__} instance is not fitted yet: call fit first")

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn, which alone asks, wants to know of an estimator."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float32"]),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
        )


def _scale(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of each channel of (n, channels, *lengths); the deviation of a constant is 1."""
    axes = (0, *range(2, x.ndim))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = x.mean(axis=axes, dtype=np.float64), x.std(axis=axes, dtype=np.float64)
    if not np.isfinite(std).all():
        raise ValueError(LARGE)
    return mean, np.where(std > 1e-12 * np.abs(mean), std, 1.0)


def _checked(X: Any) -> NDArray[Any]:
    """Return an array of numbers (n, features, ...); raise ValueError or TypeError for what is none."""
    if type(X).__module__.startswith("scipy.sparse"):
        raise TypeError("X is sparse, and dense data is required: use X.toarray()")
    x = np.asarray(X)
    if x.dtype.kind == "c":
        raise ValueError("Complex data not supported")
    if x.dtype.kind not in "biuf":
        x = x.astype(np.float64)
    if x.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {x.ndim}D array instead. Reshape your data: X.reshape(-1, 1) for a single "
            "feature, X.reshape(1, -1) for a single sample"
        )
    for axis, what in enumerate(("sample", "feature")):
        if not x.shape[axis]:
            raise ValueError(f"Found array with 0 {what}(s) (shape={x.shape}) while a minimum of 1 is required.")
    if not np.isfinite(x).all():
        raise ValueError("Input X contains NaN or infinity")
    return x
