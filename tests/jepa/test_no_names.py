"""Nobody asks a part for its name: what it can and wants is asked of the part.

Over the syntax tree of every file. Outside its own room none compares with the name of a kind or of its class, or asks
whether something is of that class; and none decides between parts by `hasattr`, a `getattr` with a default or a
signature.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jepa
from jepa.parts import ROLES

ROOT = Path(jepa.__file__).parent
ROOMS = {
    "source": ("sources/",),
    "augment": ("transforms/",),
    "task": ("tasks/",),
    "encoder": ("encoders/", "pretrained/"),  # the weights of a network that others trained are of its kind
    "projector": ("projectors.py",),
    "predictor": ("predictors/",),
    "target": ("targets.py",),
    "objective": ("objectives/",),
    "optimizer": ("training/optimizer.py",),
    "planner": ("planning/",),
}
"""role -> where its kinds may be told apart"""
NAMED = [
    (name, role)
    for role, kinds in ROLES.items()
    for kind, place in kinds.items()
    for name in (kind, place[place.index(":") + 1 :])
]
ASKS = {"hasattr", "signature", "getfullargspec", "getmembers", "getattr", "getattr_static"}
"""calls that find out what an object is"""
THINGS = {"os", "signal", "error", "image", "args", "state", "self._stream"}
"""what these may be asked of: modules of Python's, exceptions, Pillow's images, the command line's words, numbers of a
checkpoint, a stream"""


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def found(source: str, where: str) -> Iterator[str]:
    """Yield what a file asks that it should not, each with its line."""
    tree = ast.parse(source)
    own = {word for node in ast.walk(tree) if _is_literal(node) for word in _texts(node)}  # values of its settings
    for node in ast.walk(tree):
        for name in {*_compared(node)} - own:
            roles = {role for named, role in NAMED if named == name}
            if roles and where != "parts.py" and not any(where.startswith(ROOMS[role]) for role in roles):
                yield f"{where}:{node.lineno}: asks for {name}, a kind of {', '.join(sorted(roles))}"
        if isinstance(node, ast.Call) and (said := _guessed(node)):
            yield f"{where}:{node.lineno}: {said}"


def _is_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal")


def _texts(node: ast.AST) -> Iterator[str]:
    return (x.value for x in ast.walk(node) if isinstance(x, ast.Constant) and isinstance(x.value, str))


def _compared(node: ast.AST) -> Iterator[str]:
    """Yield the texts that something is compared with, and the classes that it is asked to be of."""
    if isinstance(node, ast.Compare) and not all(
        isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops
    ):
        for side in (node.left, *node.comparators):
            plain = isinstance(side, ast.Constant | ast.Tuple | ast.List | ast.Set | ast.Dict)
            yield from _texts(side) if plain else _classes(side)
    elif isinstance(node, ast.MatchValue):
        yield from _texts(node)
    elif isinstance(node, ast.MatchClass):
        yield from _classes(node.cls)
    elif isinstance(node, ast.Call) and _name(node.func) in ("isinstance", "issubclass"):
        yield from (name for x in ast.walk(node.args[1]) for name in _classes(x))
    elif isinstance(node, ast.Call) and _name(node.func) in ("startswith", "endswith", "fullmatch"):
        yield from (name for x in node.args for name in _texts(x))


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _classes(node: ast.AST) -> Iterator[str]:
    """Yield the name of a class; not of those of the engine, which has an MLP or a Linear of its own."""
    if _name(node)[:1].isupper() and not ast.unparse(node).startswith("mt."):
        yield _name(node)


def _guessed(call: ast.Call) -> str:
    """Say what a call finds out about an object that could be asked; nothing if it does not."""
    name = _name(call.func)
    if name not in ASKS or (name == "getattr" and len(call.args) < 3):
        return ""
    thing = ast.unparse(call.args[0]) if call.args else ""
    return "" if thing in THINGS else f"guesses by {name} what {thing} is"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_asks_for_a_name(path: Path) -> None:
    assert list(found(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())) == []


@pytest.mark.parametrize(
    "line",
    [
        "config.task.kind == 'crops'",
        "'vit' != kind",
        "kind in ('masked', 'levels')",
        "kind not in {'ema': 0.9}",
        "type(encoder).__name__ == 'CNN'",
        "type(encoder) is CNN",
        "isinstance(target, EMA | jepa.targets.Own)",
        "issubclass(cls, (int, Levels))",
        "kind.startswith('digits')",
        "match kind:\n    case 'cnn' | 'resnet':\n        pass",
        "match task:\n    case Masked(settings=s):\n        pass",
        "hasattr(encoder, 'patch')",
        "getattr(predictor, 'levels', 1)",
        "inspect.signature(objective.__call__).parameters",
    ],
)
def test_what_asks_for_a_name_is_found(line: str) -> None:
    assert list(found(line, "training/loop.py"))


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("settings.regions == 'crops'", "tasks/crops.py"),
        ("norm: Literal['batch', 'none']\nnorm == 'none'", "encoders/mlp.py"),
        ("isinstance(encoder, Encoder)", "assembly.py"),
        ("isinstance(part, mt.nn.Linear)", "encoders/block.py"),
        ("getattr(settings, name)", "tasks/base.py"),
        ("getattr(error, 'strerror', None)", "config/reading.py"),
    ],
)
def test_what_does_not_is_left_alone(line: str, where: str) -> None:
    assert not list(found(line, where))
