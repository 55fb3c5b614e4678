"""Default data as sources: written before they are read, found again by a run, written anew where they are gone."""

import shutil
from pathlib import Path

import pytest

from jepa.config.settings import SettingError
from jepa.errors import DataError
from jepa.parts import ROLES, Choice, load, made
from jepa.sources import Digits, Shapes
from jepa.sources.digits import ClutteredDigits
from jepa.sources.folder import ImageFolder

KINDS = {"shapes": (Shapes, 5000), "digits": (Digits, 1797), "digits-clutter": (ClutteredDigits, 5000)}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_written_when_they_are_read(kind: str) -> None:
    settings = KINDS[kind][0].Settings(count=60, size=16, limit=20)
    source = made(Choice(kind, settings), "source")
    assert source.shape == (3, 16, 16) and source.where == kind and source.missing == "" and not Path("data").exists()
    assert len(source.split("train")) == 20 and len(source.classes) == 10
    assert [path.name for path in Path("data").iterdir()] == [f"{kind}-16-60"]
    found = ImageFolder(f"data/{kind}-16-60", size=16, limit=20)
    assert found.fingerprint() == source.fingerprint() and found.where.endswith(f"{kind}-16-60")


@pytest.mark.parametrize("kind", KINDS)
def test_the_generators_own_number(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    source = made(Choice(kind, KINDS[kind][0].Settings(count=None)), "source")
    monkeypatch.setattr("jepa.sources.generated.write_folder", lambda out, samples, *, settings: asked.update(settings))
    source.write(source.path)
    assert asked["count"] == KINDS[kind][1] and asked["generator"] == kind and str(source.path) == f"data/{kind}-32-0"


def test_a_run_finds_them_again_or_writes_them_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Shapes(count=60, size=8)
    mark, settings = source.fingerprint(), source.located()
    assert settings.root == str(tmp_path / "data" / "shapes-8-60")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    again = Shapes(settings)
    assert again.fingerprint() == mark and not Path("data").exists() and again.where == source.where == "shapes"
    shutil.rmtree(tmp_path / "data")
    anew = Shapes(settings)
    assert anew.fingerprint() == mark and Path("data/shapes-8-60").exists() and not (tmp_path / "data").exists()


def test_another_folder_for_them(tmp_path: Path) -> None:
    source = Shapes(tmp_path / "mine", count=60, size=8)
    assert len(source) == 60 and source.where == str(tmp_path / "mine") and (tmp_path / "mine" / "meta.json").exists()
    with pytest.raises(DataError, match="it exists and is not this data set with these settings"):
        len(Shapes(tmp_path / "mine", count=50, size=8))


def test_settings_that_cannot_be_met() -> None:
    with pytest.raises(SettingError, match="size=4: must be at least 8"):
        Shapes(size=4)
    with pytest.raises(SettingError, match="count=3: must be at least 50"):
        Shapes(count=3)
    with pytest.raises(SettingError, match="count=1798: must be at least 50 and at most 1,797"):
        Digits(count=1798)


def test_no_path_is_taken_for_them(tmp_path: Path) -> None:
    assert [kind for kind in ROLES["source"] if load("source", kind).takes(tmp_path)] == ["folder"]


def test_digits_that_are_there_need_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Digits(count=60, size=8)) == 60
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    assert len(Digits(count=60, size=8)) == 60
    with pytest.raises(DataError, match=r"pip install -e '\.\[eval\]'"):
        len(Digits(count=70, size=8))
    assert [path.name for path in Path("data").iterdir()] == ["digits-8-60"], "nothing is left of it"
