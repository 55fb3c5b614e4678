"""Every pair of kinds: what fits trains, and what does not is refused when the parts are put together."""

import itertools
from typing import Any

import pytest

from jepa.parts import ROLES
from tests.jepa import composition

pytest.importorskip("sklearn")  # the digits are its own


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return composition.sources(tmp_path_factory.mktemp("sources"))


def test_a_source_of_each_kind_is_tried(given: dict[str, Any]) -> None:
    assert {kind.partition(" ")[0] for kind in given} == set(ROLES["source"])


@pytest.mark.timeout(1200)
def test_every_pair_of_kinds_trains_or_is_refused(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    drawn = list(composition.cover(given))
    pairs = set().union(*map(composition.pairs, drawn))
    sizes = [len(composition.kinds(role, given)) for role in composition.ALL]
    assert len(pairs) == sum(a * b for k, a in enumerate(sizes) for b in sizes[:k])
    failed = composition.report(drawn, given, seed=0)
    assert not failed, capsys.readouterr().out


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("encoder=cnn takes images; an example is (2, 64): see vit", "names encoder alone"),
        ("target=own with objective=l2 must collapse", "does not say what to change"),
        ("target=own with objective=l2 must collapse:\nuse target=ema", "has several lines"),
        ("target=own with objective=l2 must collapse: use target=ema", ""),
    ],
)
def test_a_poor_refusal_is_found(sentence: str, lacks: str) -> None:
    assert lacks in composition.poor(sentence)
    assert bool(lacks) == bool(composition.poor(sentence))


def test_what_fails_later_is_a_fault(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The net has no hole: an error in the loss, a loss that rises, and one that is no number are all found."""
    from jepa.objectives.distances import L2

    parts = dict(zip(composition.CROSSED, ("array of series", "masked", "vit", "places", "ema", "l2"), strict=True))
    usual, calls = L2.compare, itertools.count()
    broken: dict[str, Any] = {
        "ZeroDivisionError": lambda *_: 1 / 0,
        "does not fall": lambda *z: {"loss": usual(*z)["loss"] + next(calls)},
        "losses": lambda *z: {"loss": usual(*z)["loss"] * float("nan")},
    }
    for what, compare in broken.items():
        assert composition.tried(parts, given["array of series"]) == ("", "")
        with monkeypatch.context() as patch:
            patch.setattr(L2, "compare", compare)
            assert what in composition.tried(parts, given["array of series"]).fault
