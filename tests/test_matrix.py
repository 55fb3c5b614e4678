"""What `make matrix` goes by: bounds, the lowest version of a listing, what is skipped, what fails."""

import json
import sys
from pathlib import Path

import pytest

from tests import matrix
from tests.matrix import EXTRAS, ROOT, bounds, find, lowest, versions


def test_every_package_that_is_named_has_a_lower_bound() -> None:
    found = bounds(EXTRAS)
    assert {"numpy", "pillow", "safetensors", "pooch", "numba"} <= found.keys()
    assert set(bounds(())) < set(found) and all(versions(x) for x in found.values())


@pytest.mark.parametrize("named", ["numpy", "numpy>=2,<3", "numpy==2.0", "numpy~=2.0"])
def test_any_other_bound_is_refused(named: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f'[project]\ndependencies = ["{named}"]\n[project.optional-dependencies]\n')
    with pytest.raises(ValueError, match="has no lower bound alone"):
        bounds((), tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("there", "bound", "expected"),
    [
        (["2.10.0", "2.9.1", "2.0.0", "1.26.4"], "2.0", "2.0.0"),
        (["2.10.0", "2.9.1"], "2.0", "2.9.1"),
        (["3.0.0rc1", "2.0.1", "2.0.0b1"], "2.0.0", "2.0.1"),
        (["2.0.0.post1", "2.0.1"], "2.0.0", "2.0.0.post1"),
    ],
)
def test_the_lowest_of_a_listing(there: list[str], bound: str, expected: str) -> None:
    assert lowest(json.dumps({"versions": there}), bound) == expected


def test_a_listing_without_one() -> None:
    with pytest.raises(LookupError, match="no version from 3.0 on"):
        lowest(json.dumps({"versions": ["2.0"]}), "3.0")


def test_a_python_that_is_not_here_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(words, where):  # type: ignore[no-untyped-def]  # in place of pip
        (Path(where) / "a.whl").touch()
        return ""

    monkeypatch.setattr(matrix, "run", run)
    assert find("3.99") is None and matrix.main(["--python", "3.99"]) == 0
    assert capsys.readouterr().out == "Python 3.99: skipped, there is none here\n"


def test_an_environment_that_fails_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(words, where):  # type: ignore[no-untyped-def]
        (Path(where) / "a.whl").touch()
        if "install" in words:
            raise RuntimeError("pip: no such package")
        return ""

    monkeypatch.setattr(matrix, "run", run)
    monkeypatch.setattr(matrix, "find", lambda version: sys.executable)
    assert matrix.main(["--python", "3.11", "--packages", "newest"]) == 1
    assert "newest packages, extras -: FAILS: pip: no such package" in capsys.readouterr().out


def test_the_commands_are_verbs() -> None:
    from jepa.__main__ import VERBS

    assert all(any(command.startswith(verb) for verb in VERBS) for command in matrix.COMMANDS)
    assert (ROOT / "pyproject.toml").exists()
