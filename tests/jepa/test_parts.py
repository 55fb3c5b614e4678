"""The registry: every kind loads, is made from its settings, and is named again; parts of one's own."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.config.settings import fields_of
from jepa.errors import ConfigError
from jepa.objectives import InfoNCE
from jepa.parts import ROLES, Choice, chosen, load, made, settings_of

EVERY = [(role, kind) for role, kinds in ROLES.items() for kind in kinds]
GIVEN: dict[str, tuple[Any, ...]] = {
    "encoder": ((3, 32, 32),),
    "projector": (8,),
    "predictor": (8, (8, 8)),
    "task": (None,),
}
SHAPES = {
    "cnn1d": (3, 32),
    "rnn": (3, 32),
    "frames": (3, 4, 32, 32),
    "impala": (3, 4, 32, 32),
    "maps": (3, 4, 32, 32),
    "states": (3, 8),
    "columns": (3, 8),
    "words": (1, 16),
    "bag": (1, 16),
    **dict.fromkeys(("pair", "crossmodal"), {"first": (3, 32, 32), "second": (8,)}),
}
"""of the examples of encoders that take no images"""


@pytest.mark.parametrize(("role", "kind"), EVERY)
def test_each_kind_has_settings_with_help(role: str, kind: str) -> None:
    schema = settings_of(load(role, kind))
    assert dataclasses.is_dataclass(schema) and schema.__dataclass_params__.frozen
    for field in fields_of(schema).values():
        assert field.help, f"{role}.{field.name} of {kind} says nothing of itself"
    assert schema() == schema()  # all have defaults, and none breaks a rule
    assert hash(schema()) == hash(schema())


@pytest.mark.parametrize(
    ("role", "kind"), [(r, k) for r, k in EVERY if r in (*GIVEN, "augment", "target", "objective")]
)
def test_what_is_made_names_its_choice_again(role: str, kind: str) -> None:
    choice = Choice(kind, settings_of(load(role, kind))())
    part = made(choice, role, *((SHAPES[kind],) if role == "encoder" and kind in SHAPES else GIVEN.get(role, ())))
    assert chosen(role, part) == choice
    assert load(role, kind).__doc__


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(
        ConfigError, match=r"objective=infonec: there is no such kind. Did you mean 'infonce'\?.* Kinds: l2"
    ):
        load("objective", "infonec")
    with pytest.raises(ConfigError, match="named by its module and class, encoder=mymodule:MyClass"):
        load("encoder", "transformer")


OWN = '''
from dataclasses import dataclass, replace
import numpy as np
import minitensor as mt
from jepa.config.settings import Settings, between, setting
from jepa.encoders.base import Encoder

@dataclass(frozen=True)
class RowsSettings(Settings):
    """Of rows."""

    dim: int = setting(8, between(1, 100))
    """numbers in a token"""

class Rows(Encoder):
    """One token for each row."""

    Settings = RowsSettings

    def __init__(self, shape, settings=None, /, **changes):
        self.settings = replace(settings or RowsSettings(), **changes)
        self.dim, self.grid = self.settings.dim, (shape[1],)
        self.map = mt.nn.Linear(shape[0] * shape[2], self.dim)

    def tokens(self, x, keep=None):
        n, c, h, w = x.shape
        return self.map(x.transpose(0, 2, 1, 3).reshape(n, h, c * w))

class Outer:
    class Inner(Rows):
        """One in another."""
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "rows_of_mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "rows_of_mine"
    sys.modules.pop("rows_of_mine", None)


@pytest.mark.parametrize("name", ["Rows", "Outer.Inner"])
def test_a_part_of_ones_own_in_the_working_folder(module: str, name: str) -> None:
    kind = f"{module}:{name}"
    schema = settings_of(load("encoder", kind))
    part = made(Choice(kind, schema(dim=4)), "encoder", (3, 8, 6))
    assert (part.dim, part.grid) == (4, (8,))
    assert chosen("encoder", part) == Choice(kind, schema(dim=4))
    assert fields_of(schema)["dim"].help == "numbers in a token"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("nowhere_at_all:Rows", "No module named 'nowhere_at_all'; the module must lie in the folder"),
        ("rows_of_mine:Columns", "has no attribute 'Columns'; the module must lie"),
    ],
)
def test_a_part_that_cannot_be_imported(module: str, kind: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load("encoder", kind)


def test_an_object_without_settings_is_named_and_cannot_be_made() -> None:
    class Plain:
        pass

    choice = chosen("encoder", Plain())
    assert choice.kind.endswith("Plain")
    assert chosen("objective", InfoNCE(0.2)) == Choice("infonce", InfoNCE(0.2))
    with pytest.raises(ConfigError, match=r"cannot be imported|has no attribute|has no Settings"):
        made(choice, "encoder", (3, 8, 8))


def test_no_settings_are_shared_between_parts() -> None:
    one, two = (made(Choice("mlp", settings_of(load("projector", "mlp"))(dim=4)), "projector", 8) for _ in range(2))
    assert not np.array_equal(one.mlp[0].weight.numpy(), two.mlp[0].weight.numpy())
