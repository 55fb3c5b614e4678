"""From choices to parts: what is made, in which order weights are drawn, and what does not fit."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import assemble, check_fit, described, learner
from jepa.errors import ConfigError
from jepa.parts import Choice, load, settings_of
from jepa.sources import Arrays

KINDS = {
    "augment": "none",
    "task": "masked",
    "encoder": "vit",
    "projector": "none",
    "predictor": "places",
    "target": "ema",
    "objective": "smooth_l1",
}
SMALL = {
    "encoder": {"patch": 4, "dim": 8, "depth": 1, "heads": 2},
    "predictor": {"dim": 8, "depth": 1, "heads": 2},
    "task": {"min_keep": 2},
}
SOURCE = Arrays(np.random.default_rng(0).random((8, 3, 16, 16)).astype(np.float32))


def choices(small: dict[str, Any] = SMALL, /, **kinds: str) -> dict[str, Choice]:
    named = {**KINDS, **kinds}
    return {role: Choice(kind, settings_of(load(role, kind))(**small.get(role, {}))) for role, kind in named.items()}


def test_weights_are_those_of_the_seed_encoder_first() -> None:
    one, two, other = (assemble(choices(), seed, SOURCE).model.state_dict() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)
    mt.manual_seed(1)
    alone = load("encoder", "vit")((3, 16, 16), choices()["encoder"].settings)
    assert all(np.array_equal(one[f"context.encoder.{name}"], value) for name, value in alone.state_dict().items())


def test_what_is_made_is_described_and_made_again() -> None:
    made = assemble(choices(), 0, SOURCE)
    found = described(made.model, made.task)
    assert found == choices()
    again = learner(found, 0, SOURCE.shape)
    again.load_state_dict(made.model.state_dict())


@pytest.mark.parametrize(
    ("kinds", "small", "text"),
    [
        (
            {"predictor": "geometry"},
            {},
            "predictor=geometry does not answer what task=masked asks .Places.: take predictor=places, cross",
        ),
        (
            {"task": "views"},
            {},
            "predictor=places does not answer what task=views asks .Whole.: take predictor=mlp, none",
        ),
        (
            {"task": "levels"},
            {},
            "predictor=places does not answer what task=levels asks .Groups.: take predictor=levels,",
        ),
        ({"encoder": "mlp"}, {}, "task.min_keep=4 of the encoder's 1 x 1 places leaves nothing to predict"),
        ({"target": "shared"}, SMALL, "target=shared with objective=smooth_l1 must collapse"),
        (
            {"task": "levels", "predictor": "levels"},
            {**SMALL, "task": {"levels": 2, "weights": (1, 1), "min_keep": 2}},
            "predictor.levels=3 with task.levels=2: .* set the two alike",
        ),
    ],
)
def test_what_does_not_fit_is_refused_at_construction(kinds: dict[str, str], small: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        assemble(choices(small, **kinds), 0, SOURCE)


def test_an_encoder_made_for_other_examples_is_refused() -> None:
    made = assemble(choices(), 0, SOURCE)
    with pytest.raises(ConfigError, match="source"):
        check_fit(made.model, made.task, Arrays(np.zeros((8, 3, 24, 24), np.float32)))
    with pytest.raises(ConfigError, match="source"):
        check_fit(made.model, made.task, Arrays(np.zeros((8, 2, 16, 16), np.float32)))
