"""Known values and invariances of each objective, and what sets and levels make of it."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Embeddings
from jepa.objectives import L2, Cosine, InfoNCE, SmoothL1, VICReg
from jepa.objectives.vicreg import covariance_penalty, variance_hinge
from jepa.parts import ROLES, load

RNG = np.random.default_rng(0)
KINDS = {kind: load("objective", kind) for kind in ROLES["objective"]}


def draw(n: int = 64, t: int = 2, d: int = 8) -> Any:
    return (mt.Tensor(RNG.standard_normal(s).astype(np.float64)) for s in ((n, d), (n, t, d), (n, t, d)))


def of(objective: Any, prediction: Any, target: Any, context: Any) -> dict[str, mt.Tensor]:
    return objective(Embeddings(context[:, None], [prediction], [target]), np.random.default_rng(0))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_falls_towards_the_target_and_has_a_gradient(kind: str) -> None:
    objective = KINDS[kind](normalize=False)
    context, prediction, target = draw()
    course = [
        float(of(objective, prediction + (target - prediction) * s, target, context)["loss"]) for s in (0.0, 0.5, 1.0)
    ]
    assert course == sorted(course, reverse=True)
    prediction = prediction.requires_grad_()
    found = of(objective, prediction, target, context)
    (g,) = mt.grad(found["loss"], prediction)
    assert np.isfinite(g.numpy()).all() and np.abs(g.numpy()).max() > 0
    assert found["distance"] is found[objective.held_out]


@pytest.mark.parametrize("kind", KINDS)
def test_an_objective_that_spreads_says_so(kind: str) -> None:
    constant = mt.ones((32, 2, 8))
    found = of(KINDS[kind](normalize=False), constant, mt.ones((32, 2, 8)).requires_grad_(), mt.ones((32, 8)))
    assert (float(found["loss"]) > 0.1) == KINDS[kind]().spreads
    assert VICReg(variance=0.0).spreads is False


@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_normalized_if_the_setting_says_so(kind: str) -> None:
    context, prediction, target = draw()
    plain, normal = (of(KINDS[kind](normalize=n), prediction, 5 * target + 3, context)["loss"] for n in (False, True))
    z = (5 * target + 3).numpy()
    z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
    by_hand = of(KINDS[kind](normalize=False), prediction, mt.Tensor(z), context)["loss"]
    assert float(normal) == pytest.approx(float(by_hand), rel=1e-10)
    assert float(plain) != pytest.approx(float(normal), rel=1e-3)
    assert {kind for kind in KINDS if KINDS[kind]().normalize} == {"l2", "smooth_l1"}


def test_known_values() -> None:
    context, p, t = draw()
    d = (p - t).numpy()
    assert float(of(L2(normalize=False), p, t, context)["loss"]) == pytest.approx((d**2).mean())
    huber = np.where(np.abs(d) < 1, d**2 / 2, np.abs(d) - 0.5).mean()
    assert float(of(SmoothL1(normalize=False), p, t, context)["loss"]) == pytest.approx(huber)
    a, b = p.numpy(), t.numpy()
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    assert float(of(Cosine(), p, t, context)["loss"]) == pytest.approx(1 - cosine.mean())


def test_vicreg_is_zero_on_whitened_identical_views() -> None:
    n, d = 512, 8
    full = np.concatenate([np.ones((n, 1)), RNG.standard_normal((n, d))], axis=1)
    z = mt.Tensor(np.linalg.qr(full)[0][:, 1:] * np.sqrt(n - 1) * 1.001)  # unbiased variance 1, a hair above the hinge
    parts = of(VICReg(), z[:, None], z[:, None], z)
    assert {k: round(float(v), 10) for k, v in parts.items()} == dict.fromkeys(
        ("loss", "invariance", "variance", "covariance", "distance"), 0
    )


def test_vicreg_by_hand() -> None:
    z = mt.Tensor(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]) / 4)  # variance 1/4 in both, covariance 1/4
    assert float(variance_hinge(z)) == pytest.approx(1 - np.sqrt(0.25 + 1e-4))
    assert float(covariance_penalty(z)) == pytest.approx(2 * 0.25**2 / 2)


def test_vicreg_spreads_the_targets_only_where_they_have_a_gradient() -> None:
    context, prediction, target = draw()
    constant = mt.zeros(target.shape, dtype="float64")
    without = float(of(VICReg(), prediction, constant, context)["variance"])
    with_ = float(of(VICReg(), prediction, constant.requires_grad_(), context)["variance"])
    assert with_ == pytest.approx(without + 0.99)


def test_infonce_of_chance_is_log_n() -> None:
    z = mt.ones((50, 1, 8))
    assert float(of(InfoNCE(), z, z, z[:, 0])["loss"]) == pytest.approx(np.log(50), rel=1e-5)


# -- sets and levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_sets_of_one_kind_are_joined_unless_the_objective_contrasts(kind: str) -> None:
    objective, rng = KINDS[kind](normalize=False), np.random.default_rng(0)
    context, p, t = draw(t=3)
    sides = [[x[:, :1], x[:, 1:]] for x in (p, t)]
    found = objective(Embeddings(context[:, None], *sides), rng)
    if objective.contrasts:
        alone = [of(objective, *pair, context) for pair in zip(*sides, strict=True)]
        expected = {name: np.mean([float(part[name]) for part in alone]) for name in alone[0]}
    else:
        expected = {name: float(part) for name, part in of(objective, p, t, context).items()}
    assert {name: float(part) for name, part in found.items()} == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("kind", "names"),
    [("infonce", {"accuracy"}), ("vicreg", {"invariance", "variance", "covariance"}), ("smooth_l1", set())],
)
def test_each_level_has_its_parts_and_its_weight(kind: str, names: set[str]) -> None:
    objective, rng = KINDS[kind](), np.random.default_rng(0)
    context, p, t = draw(t=3)
    sides = [[x, x[:, :1], x[:, :0]] for x in (p, t)]  # nothing is asked of the last level
    found = objective(Embeddings(context[:, None], *sides, (1.0, 0.5, 0.25)), rng)
    wanted = {f"level {k}/{name}" for k in range(2) for name in names} | {f"level {k}" for k in range(3)}
    assert found.keys() == wanted | {"loss", "distance"}
    alone = [of(objective, side_p, side_t, context) for side_p, side_t in zip(*sides, strict=True) if side_p.shape[1]]
    assert float(found["level 2"]) == 0
    assert float(found["loss"]) == pytest.approx(
        sum(w * float(a["loss"]) for w, a in zip((1, 0.5), alone, strict=True))
    )
    assert float(found["distance"]) == pytest.approx(float(alone[0]["distance"]))
