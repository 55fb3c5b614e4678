"""The loss of a world model: each term by its formula, and each can be left out."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Embeddings
from jepa.objectives.dynamics import Dynamics
from jepa.objectives.sigreg import directions, epps_pulley

rng = np.random.default_rng(0)
Z, HAT = rng.normal(size=(12, 5, 6)).astype(np.float32), rng.normal(size=(12, 4, 6)).astype(np.float32)
READ, DONE = rng.normal(size=(2, 12, 4, 3)).astype(np.float32)
OFF = {f.name: 0.0 for f in fields(Dynamics) if f.name != "normalize"}


def loss(target: Any = None, **weights: float) -> dict[str, float]:
    z = mt.Tensor(Z, requires_grad=True)
    targets = [z[:, t : t + 1] for t in range(1, 5)] if target is None else target
    sides = [mt.Tensor(HAT[:, t : t + 1]) for t in range(4)], targets
    found = Dynamics(**{**OFF, **weights})(
        Embeddings(z, *sides, same=target is None, acted=(mt.Tensor(READ), mt.Tensor(DONE))), np.random.default_rng(1)
    )
    return {name: float(value) for name, value in found.items()}


def terms() -> dict[str, float]:
    """Return the terms in float64."""
    z, rows = Z.astype(np.float64), Z.reshape(-1, 6).astype(np.float64)
    way = np.diff(z, axis=1)
    c = np.cov(rows.T)
    cosine = (
        (way[:, 1:] * way[:, :-1]).sum(-1) / np.linalg.norm(way[:, 1:], axis=-1) / np.linalg.norm(way[:, :-1], axis=-1)
    )
    a = directions(256, 6, np.random.default_rng(1)).numpy()
    return {
        "prediction": ((HAT - z[:, 1:]) ** 2).mean(),
        "variance": np.maximum(1 - np.sqrt(rows.var(axis=0, ddof=1) + 1e-4), 0).mean(),
        "covariance": (c**2)[~np.eye(6, dtype=bool)].mean(),
        "similarity": (way**2).mean(),
        "inverse": ((READ - DONE) ** 2).mean(),
        "straightening": -cosine.mean(),
        "sigreg": np.mean([epps_pulley(mt.Tensor(Z[:, t] @ a)).numpy().mean() for t in range(5)]),
    }


@pytest.mark.parametrize("name", OFF)
def test_each_term_is_its_formula_and_has_its_weight(name: str) -> None:
    found = loss(**{name: 3.0})
    assert found[name] == pytest.approx(terms()[name], rel=1e-4, abs=1e-6)
    assert found["loss"] == pytest.approx(3 * found[name], rel=1e-5, abs=1e-6)
    assert {*found} == {"loss", "prediction", "distance", name}


def test_all_terms_together_are_their_sum() -> None:
    weights = {name: float(k + 1) for k, name in enumerate(OFF)}
    expected = sum(weight * terms()[name] for name, weight in weights.items())
    assert loss(**weights)["loss"] == pytest.approx(expected, rel=1e-4)


def test_targets_that_learn_by_themselves_are_kept_from_collapsing_too() -> None:
    constant = [mt.ones((12, 1, 6)).requires_grad_() for _ in range(4)]
    assert loss(constant, variance=1.0)["variance"] > 0.3 + loss(variance=1.0)["variance"]


@pytest.mark.parametrize(
    ("weights", "spreads"), [({}, True), ({"variance": 0.0}, False), ({"variance": 0.0, "sigreg": 1.0}, True)]
)
def test_it_says_whether_it_forbids_constants(weights: dict[str, float], spreads: bool) -> None:
    assert Dynamics(**weights).spreads == spreads
    assert Dynamics().inverts and not Dynamics(inverse=0.0).inverts
