"""Which way the doors open: every import of the packages against the plan, and every file against its size."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("minitensor", "jepa")
LONGEST = 320  # lines of a file
LISTS = {"minitensor/tensor.py": 600, "jepa/contracts.py": 380}  # an entry for each operator, method and contract
ONLY_BACKEND = {"cupy", "cupyx"}
NEVER = {"torch", "tensorflow", "jax", "pickle", "tests", "benchmarks", "examples"}

IGNORED = 30  # places of both packages where the type checker is told to look away, at most
PARAMETERS = 6  # of a function of jepa, at most
LINES = 40  # of the body of a function of either package
SIGNATURES = {"create_hjepa", "SequenceEncoder"}  # as the documents that they come from have them
LONG = {  # a value and its gradient by hand, in one function: the gradient uses the arrays of the value
    "minitensor/kernels/compiled/lanes.py": {"sums"},  # the signature and the instructions of one intrinsic
    "minitensor/kernels/cpu/layer_norm.py": {"layer_norm_cpu"},
    "minitensor/kernels/cpu/normalization.py": {"normalize"},
    "minitensor/kernels/cpu/recurrent.py": {"gru_cpu"},
}

RESULT = "from minitensor.tensor import Tensor"  # the one import for types alone: what a call of an op returns

# A room is a file or folder directly below its package; each may import itself and the rooms on its right.
PLAN: dict[str, dict[str, str]] = {
    "minitensor": {
        "errors": "",
        "backend": "errors",
        "sums": "backend",
        "graph": "errors backend",
        "hooks": "errors backend graph",
        "modes": "graph",
        "notices": "backend graph",
        "team": "backend",
        "teams": "errors backend team",
        "arrivals": "graph",
        "generators": "errors graph team",
        "trees": "backend graph",
        "promotion": "errors backend graph",
        "engine": "errors backend sums graph modes hooks promotion",
        "kernel_sets": "",
        "operands": "backend graph promotion",
        "declaration": "errors backend graph operands kernel_sets",
        "precision": "errors backend graph modes",
        "pullback": "errors backend graph promotion",
        "rules": "backend graph operands declaration promotion pullback",
        "op": "errors backend graph notices operands declaration precision promotion rules",
        "composite": "errors backend graph operands declaration precision promotion engine pullback op",
        "threads": "errors backend team",
        "ops": "errors backend sums graph declaration notices promotion engine op composite team threads",
        "doors": "errors backend graph modes notices promotion engine op composite ops",
        "viz": "errors backend graph modes hooks promotion engine",
        "tensor": "errors backend graph modes notices hooks promotion engine op composite ops doors viz",
        "functions": "errors backend graph operands declaration generators promotion engine op composite ops tensor",
        "kernels": "errors backend sums graph declaration promotion engine op composite threads ops",
        "parallel": "errors backend graph generators trees modes promotion engine team threads",
        "saving": "errors backend graph promotion engine op composite ops tensor functions",
        "nn": "errors backend graph modes declaration hooks generators promotion engine op composite team threads "
        "ops tensor functions viz",
        "optim": "errors backend graph arrivals modes kernel_sets promotion engine op composite ops tensor functions "
        "kernels nn threads",
        "derivatives": "errors backend graph modes promotion engine op composite ops tensor",
        "function": "errors backend graph modes",
        "interop": "errors backend graph declaration modes notices hooks generators promotion engine op composite ops "
        "doors tensor functions nn",
        "anomaly": "errors backend graph modes",
        "memory": "",
        "profiler": "errors backend graph modes",
        "recompute": "errors backend graph generators trees modes promotion engine",
        "gradcheck": "errors backend graph modes promotion engine op composite ops tensor functions",
    },
    "jepa": {
        "text": "",
        "errors": "text",
        "terminal": "text",
        "progress": "",
        "files": "errors text",
        "several": "",
        "worlds": "",
        "contracts": "several",
        "health": "contracts",
        "parts": "errors text",
        "config": "errors text parts",
        "masks": "errors text several contracts",
        "transforms": "errors text config",
        "encoders": "errors text several contracts parts config masks",
        "projectors": "config",
        "objectives": "contracts config",
        "targets": "errors contracts parts config",
        "tasks": "errors text several contracts parts config masks transforms encoders",
        "predictors": "errors contracts config masks encoders projectors tasks",
        "learner": "errors text several contracts health parts projectors objectives targets",
        "sources": "errors text worlds contracts progress files parts config",
        "assembly": "errors text contracts parts tasks encoders learner sources",
        "frozen": "errors several",
        "pretrained": "errors text files parts encoders learner assembly",
        "names": "errors contracts parts masks encoders projectors targets tasks predictors learner",
        "runs": "errors text files several contracts parts config encoders tasks learner assembly frozen sources",
        "evaluation": "errors text progress files several contracts health parts config masks transforms objectives "
        "learner assembly frozen sources pretrained runs",
        "training": "errors text files contracts health parts config encoders tasks learner assembly frozen sources "
        "pretrained runs evaluation",
        "planning": "errors text progress files contracts parts config worlds sources frozen runs evaluation",
        "estimator": "errors text config assembly frozen sources training",
        "pictures": "errors text progress files contracts health config masks transforms objectives encoders tasks "
        "frozen sources runs evaluation planning",
        "explore": "errors text progress files contracts health frozen runs evaluation pictures",
        "finetuning": "errors text progress files contracts health parts config transforms encoders tasks learner "
        "frozen sources pretrained runs evaluation training",
        "downloads": "errors text progress files",
        "doctor": "errors",
    },
}
TOP = {"__init__", "__main__", "commands"}  # these see every room


def files() -> list[Path]:
    """Return every module of the two packages, relative to the root."""
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def room(path: Path) -> str:
    return path.with_suffix("").parts[1]


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, full dotted name) of each import, those inside functions too."""
    tree = ast.parse(source)
    for block in [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]:
        block.body = [n for n in block.body if ast.unparse(n) != RESULT]  # runs nowhere
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from jepa import masks` imports a room; `from jepa.masks import Box` a name in one
            names = [f"{module}.{name.name}" for name in node.names] if module in PACKAGES else [module]
            yield from ((node.lineno, name) for name in names)


def faults(path: Path, source: str) -> list[str]:
    """Return a line for each import that goes against the plan."""
    package, here, found = path.parts[0], room(path), []
    for line, name in imports(source):
        top, _, rest = name.partition(".")
        there = rest.partition(".")[0]
        where = f"{path}:{line}: imports {name}"
        if name.startswith("."):
            found.append(f"{where}: relative imports hide the room")
        if top in NEVER:
            found.append(f"{where}: never in the packages")
        if top in ONLY_BACKEND and path != Path("minitensor/backend.py"):
            found.append(f"{where}: only minitensor/backend.py may")
        if package == "minitensor" and top == "jepa":
            found.append(f"{where}: the engine does not know its user")
        if package == "jepa" and name != "minitensor" and top == "minitensor":
            found.append(f"{where}: jepa sees the engine only as `import minitensor as mt`")
        if top == package and there and here not in TOP:
            known = PLAN[package]
            if here not in known:
                found.append(f"{path}: the room {here!r} is not in the plan: add it to PLAN and to CONTRIBUTING.md")
            elif there in TOP or (there in known and there != here and there not in known[here].split()):
                found.append(f"{where}: {here} may import {known[here] or 'nothing'}")
    return found


@pytest.mark.parametrize("path", files(), ids=str)
def test_imports_follow_the_plan(path: Path) -> None:
    assert not faults(path, (ROOT / path).read_text("utf-8"))


@pytest.mark.parametrize("path", files(), ids=str)
def test_files_are_short(path: Path) -> None:
    lines = len((ROOT / path).read_text("utf-8").splitlines())
    longest = LISTS.get(path.as_posix(), LONGEST)
    assert lines <= longest, f"{path} has {lines} lines; more than {longest} is more than one concept"


def long_functions(source: str) -> Iterator[str]:
    """Yield the functions with more parameters, or a longer body, than a reader keeps in mind."""
    for node in ast.walk(ast.parse(source)):
        owner = node.name if isinstance(node, ast.ClassDef | ast.FunctionDef) else ""
        for part in node.body if isinstance(node, ast.ClassDef | ast.Module) else ():
            if not isinstance(part, ast.FunctionDef) or {owner, part.name} & SIGNATURES:
                continue
            names = [a.arg for a in (*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > PARAMETERS or lines(part) > LINES:
                yield f"{part.name}: {count} parameters, {lines(part)} lines"


def lines(function: ast.FunctionDef) -> int:
    """Return the length of a function's body, its docstring left out."""
    body = function.body[ast.get_docstring(function) is not None :] or function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", [path for path in files() if path.parts[0] == "jepa"], ids=str)
def test_functions_are_short(path: Path) -> None:
    assert not list(long_functions((ROOT / path).read_text("utf-8")))


def test_functions_of_the_engine_are_short() -> None:
    found: dict[str, set[str]] = {}
    for path in [path for path in files() if path.parts[0] == "minitensor"]:
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and lines(node) > LINES:
                found.setdefault(path.as_posix(), set()).add(node.name)
    assert found == LONG  # one that was cut has to leave the list


def test_long_functions_are_found() -> None:
    assert list(long_functions("class A:\n    def f(self, a, b, c, /, d, *, e, g, h): ..."))
    assert not list(long_functions("class A:\n    def f(self, a, b, c, /, d, *, e, g): ..."))
    assert list(long_functions('def f():\n    """Say."""\n' + "    a = 1\n" * 41))
    assert not list(long_functions('def f():\n    """Say."""\n' + "    a = 1\n" * 40))


@pytest.mark.parametrize("path", files(), ids=str)
def test_names_name_a_concept(path: Path) -> None:
    assert not {"utils", "util", "helpers", "misc", "common"} & set(path.with_suffix("").parts)


def test_types_are_checked_almost_everywhere() -> None:
    marks = [line for path in files() for line in (ROOT / path).read_text().splitlines() if "type: ignore" in line]
    assert len(marks) <= IGNORED


def unmarked(source: str) -> list[str]:
    """Return the tests that are skipped without torch, and left out where it is: they have no mark `parity`."""
    tree = ast.parse(source)
    needs = [node for node in tree.body if "importorskip('torch')" in ast.unparse(node)]
    whole = any("pytestmark" in ast.unparse(node) and "mark.parity" in ast.unparse(node) for node in tree.body)
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    skipped = tests if any(node not in tests for node in needs) else [test for test in tests if test in needs]
    return [t.name for t in skipped if not whole and "mark.parity" not in " ".join(map(ast.unparse, t.decorator_list))]


def test_what_needs_torch_is_run_where_it_is() -> None:
    left = {path.name: unmarked(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py")}
    assert not {name: tests for name, tests in left.items() if tests}


def test_an_unmarked_test_is_found() -> None:
    inside = "def test_a():\n    pytest.importorskip('torch')\n\ndef test_b(): pass\n"
    assert unmarked(inside) == ["test_a"] and unmarked(f"@pytest.mark.parity\n{inside}") == []
    above = "torch = pytest.importorskip('torch')\ndef test_a(): pass\n"
    assert unmarked(above) == ["test_a"] and unmarked(f"pytestmark = pytest.mark.parity\n{above}") == []


def test_every_room_is_in_the_plan() -> None:
    rooms = {(path.parts[0], room(path)) for path in files()} - {(p, r) for p in PACKAGES for r in TOP}
    assert rooms <= {(package, name) for package, plan in PLAN.items() for name in plan}


def test_the_plan_has_no_cycle() -> None:
    for plan in PLAN.values():
        seen: set[str] = set()
        for name, below in plan.items():
            assert set(below.split()) <= seen, f"{name} imports a room that comes later in the plan"
            seen.add(name)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("minitensor/engine.py", "import jepa"),
        ("minitensor/engine.py", "from minitensor.tensor import Tensor"),
        ("minitensor/engine.py", "from minitensor import nn"),
        ("minitensor/ops/linalg/solving.py", "import cupy as cp"),
        ("minitensor/ops/linalg/solving.py", "def f():\n    from cupyx import jit"),
        ("minitensor/ops/linalg/solving.py", "from . import reduce"),
        ("jepa/encoders/cnn.py", "import torch.nn"),
        ("jepa/encoders/cnn.py", "from minitensor import nn"),
        ("jepa/encoders/cnn.py", "import minitensor.nn as nn"),
        ("jepa/encoders/cnn.py", "def f():\n    from jepa.training.run import train"),
        ("jepa/masks/crops.py", "from jepa import __main__"),
        ("jepa/masks/crops.py", "import pickle"),
        ("jepa/utils.py", "from jepa.errors import DataError"),
    ],
)
def test_the_test_catches(path: str, source: str) -> None:
    assert faults(Path(path), source)


def test_the_test_lets_pass() -> None:
    assert not faults(Path("jepa/encoders/cnn.py"), "import minitensor as mt\nfrom jepa.config import Config")
    assert not faults(Path("minitensor/backend.py"), "import cupy")
