"""The page of `minitensor`: its reading order against the imports, and its recipes, applied and run."""

import ast
import re
from pathlib import Path

import pytest

from tests.recipes import ROOT, Recipe, recipes, run

ROOM = ROOT / "minitensor"
PAGE = ROOM / "README.md"
LONGEST = 2500  # lines to read up to a trained network, docstrings included
MOST = 6  # files and folders taken on trust


def listed(pattern: str) -> list[str]:
    """Return the files and folders that a list of the page names first."""
    return re.findall(rf"^{pattern} `([\w./]+)`:", PAGE.read_text("utf-8"), re.MULTILINE)


ORDER, TRUST = listed(r"\d+\."), listed("-")


def imported(file: str) -> set[str]:
    """Return the files of the room that one imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse((ROOM / file).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "minitensor":
            module = (node.module or "").replace(".", "/")
            for path in {module, *(f"{module}/{name.name}" for name in node.names)}:
                files = [f"{path}.py"] if path == "minitensor" else [f"{path}.py", f"{path}/__init__.py"]
                found |= {file.removeprefix("minitensor/") for file in files if (ROOT / file).is_file()}
    return found


def faults(order: list[str], trust: list[str]) -> list[str]:
    """Return a line for each import of a file that neither stands above it nor is taken on trust."""
    found = []
    for place, file in enumerate(order):
        known = {*order[:place], *trust}
        for other in sorted(imported(file)):
            if other not in known and not any(name.endswith("/") and other.startswith(name) for name in trust):
                found.append(f"{file} imports {other}")
    return found


def test_what_a_file_imports_stands_above_it_or_is_taken_on_trust() -> None:
    assert {"graph.py", "engine.py", "op.py", "composite.py", "nn/linear.py", "optim/sgd.py"} <= set(ORDER)
    assert all((ROOM / name).exists() for name in (*ORDER, *TRUST))
    assert len(TRUST) <= MOST
    assert faults(ORDER, TRUST) == []


def test_the_test_catches() -> None:
    assert "engine.py imports graph.py" in faults(["engine.py", "graph.py"], [])
    assert "nn/linear.py imports nn/base/layer.py" in faults(["nn/linear.py"], ["tensor.py"])
    assert "nn/linear.py imports nn/functional/__init__.py" in faults(["nn/linear.py"], ["tensor.py", "nn/base/"])
    assert not faults(["graph.py"], ["backend.py"])


def test_it_is_read_in_an_afternoon() -> None:
    lines = {file: len((ROOM / file).read_text("utf-8").splitlines()) for file in ORDER}
    assert sum(lines.values()) <= LONGEST, lines


def test_there_are_four_recipes_of_ten_to_fifty_lines() -> None:
    found = recipes(PAGE, "python")
    assert [r.name for r in found] == ["An op", "A kernel", "An optimizer", "A layer"]
    for r in found:
        assert 10 <= len(re.findall(r"^\+(?!\+\+)", r.diff, re.MULTILINE)) <= 40 and len(r.files) <= 2, r.name


@pytest.mark.parametrize("recipe", recipes(PAGE, "python"), ids=lambda r: r.name)
def test_a_recipe_works(recipe: Recipe, tmp_path: Path) -> None:
    recipe.apply("minitensor", tmp_path)
    run(tmp_path, "-c", f"import minitensor\nassert minitensor.__file__.startswith({str(tmp_path)!r})\n{recipe.code}")
    modules = [file.removesuffix(".py").replace("/", ".") for file in recipe.files if "__init__" not in file]
    assert len(modules) == 1
    run(tmp_path, "-c", f"import doctest, {modules[0]} as m\nassert not doctest.testmod(m).failed")
