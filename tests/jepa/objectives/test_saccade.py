"""Saccade-JEPA's loss by hand: the distance there, the way back, and both sides of the terms that spread."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Embeddings
from jepa.objectives import Saccade

C = mt.Tensor(np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]))[:, None]  # variance 1/4 in both, covariance 1/4
T = mt.Tensor(np.array([[2.0, 1.0], [2.0, -1.0], [2.0, 0.0]]))[:, None]  # variances 0 and 1, covariance 0
V = 1 - (0.25 + 1e-4) ** 0.5


def of(objective: Saccade, target: Any = T, **more: Any) -> dict[str, float]:
    prediction = T + mt.Tensor(np.array([0.5, -2.0]))
    z = Embeddings(C, [prediction], [target], **more)
    return {name: float(x) for name, x in objective(z, np.random.default_rng(0)).items()}


def test_by_hand() -> None:
    found = of(Saccade(), returned=[C + mt.Tensor(np.array([1.0, -2.0]))])
    parts = {
        "prediction": (0.5**2 / 2 + (2 - 0.5)) / 2,  # Huber
        "cycle": (1 + 4) / 2,
        "variance": V,
        "covariance": 2 * 0.25**2 / 2,  # with the diagonal it would be 4 · 0.25² / 2
    }
    assert {name: found[name] for name in parts} == pytest.approx(parts)
    assert found["loss"] == pytest.approx(0.8125 + 0.25 * 2.5 + 25 * V + 0.0625)
    assert found["distance"] == found["prediction"]


@pytest.mark.parametrize(
    "changed, less", [({"cycle": 0.0}, 0.25 * 2.5), ({"variance": 0.0}, 25 * V), ({"covariance": 0.0}, 0.0625)]
)
def test_each_weight(changed: Any, less: float) -> None:
    back = [C + mt.Tensor(np.array([1.0, -2.0]))]
    assert of(Saccade(), returned=back)["loss"] - of(Saccade(**changed), returned=back)["loss"] == pytest.approx(less)


def test_targets_that_learn_are_the_other_side() -> None:
    sides = (0.99 + 0) / 2  # of the targets' two dimensions, one constant and one of variance 1
    assert of(Saccade(), T.requires_grad_())["variance"] == pytest.approx(V + sides, rel=1e-4)
    assert of(Saccade(), T.requires_grad_(), same=True)["variance"] == pytest.approx(V)


def test_both_ends_of_the_way_back_have_a_gradient() -> None:
    c, back = mt.randn((6, 1, 3)).requires_grad_(), mt.randn((6, 1, 3)).requires_grad_()
    z = Embeddings(c, [mt.zeros((6, 1, 3))], [mt.zeros((6, 1, 3))], returned=[back])
    loss = Saccade(variance=0.0, covariance=0.0)(z, np.random.default_rng(0))["loss"]
    here, there = mt.grad(loss, [c, back])
    expected = 0.25 * 2 * (back - c).numpy() / 18
    np.testing.assert_allclose(there.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(here.numpy(), -expected, rtol=1e-5)


def test_gradients_are_those_of_differences() -> None:
    rng = np.random.default_rng(1)
    c, p, t, back = (0.5 * rng.normal(size=(5, 1, 3)) for _ in range(4))

    def loss(c: Any, p: Any, t: Any, back: Any) -> mt.Tensor:
        return Saccade()(Embeddings(c, [p], [t], returned=[back]), rng)["loss"]

    assert mt.gradcheck(loss, c, p, t, back)


def test_it_says_what_it_needs() -> None:
    assert Saccade().returns and Saccade().spreads
    assert not Saccade(cycle=None).returns and not Saccade(variance=0.0).spreads
    assert "cycle" not in of(Saccade(cycle=None))
