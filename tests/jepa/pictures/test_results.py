"""What the result of a run says in words: the best probe beside the best simple method."""

import pytest

from jepa.commands.runs import table
from jepa.evaluation.methods import METHODS, Method, accuracies
from jepa.pictures.results import summary

ROW = {"jepa": 0.8, "random": 0.5, "pixels": 0.6, "chance": 0.1}


def majority(train, val, seed):
    return 0.25


@pytest.fixture
def methods(monkeypatch):
    for name, title in (("one", "one rule"), ("two", "two rules")):
        monkeypatch.setitem(METHODS, name, Method(title, f"{__name__}:majority"))


@pytest.mark.parametrize(("found", "gap"), [(0.85, "5.0 points below"), (0.7, "10.0 points above")])
def test_the_best_simple_method_stands_beside_the_best_probe(methods, found, gap):
    evaluation = {"linear": ROW, "knn": ROW | {"jepa": 0.7}, "images": 1000, "methods": {"one": found, "two": 0.2}}
    assert (
        f"The best simple method, one rule, is right on {100 * found:.1f} %; the trained encoder's linear probe is "
        f"{gap} it." in summary(evaluation)
    )
    assert f"simple methods: one rule: {100 * found:.1f} %; two rules: 20.0 %" in table(evaluation).splitlines()


def test_a_method_is_called_with_the_labeled_parts(methods):
    assert accuracies(("one",), None, None, 0) == {"one": 0.25}


def test_the_raw_row_has_the_name_that_its_source_gives_it():
    evaluation = {"linear": ROW, "images": 1000, "shape": [1, 40, 64], "raw": "log-mel"}
    assert "log-mel" in table(evaluation) and "raw pixels" not in table(evaluation)
