"""Settings check themselves when they are made, and say what they are."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from jepa.config.settings import Range, SettingError, Settings, between, each, fields_of, in_words, ordered, setting
from jepa.errors import ConfigError
from jepa.parts import ROLES, load, settings_of


@dataclasses.dataclass(frozen=True)
class Base(Settings):
    """A base."""

    width: int = setting(8, between(1, 100))
    """how wide"""


@dataclasses.dataclass(frozen=True)
class Sample(Base):
    """All types that there are."""

    share: float = setting(0.5, between(0, 1))
    """how much,
    in two lines"""
    kind: Literal["a", "b"] = setting("a")
    """which"""
    on: bool = setting(False)
    """whether"""
    scale: Range = setting((0.1, 1.0), ordered(0, 1, above=True))
    """from, to"""
    widths: tuple[int, ...] = setting((1, 2), each(between(1, 9), 3))
    """several"""
    clip: float | None = setting(1.0, between(0.1, 10))
    """null: off"""
    patch: int | tuple[int, ...] = setting(4)
    """one, or one for each axis"""

    def problems(self) -> Iterator[str]:
        if self.width < 3 and self.on:
            yield f"width={self.width}: too narrow with on=True"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"width": 0}, "width=0: must be at least 1 and at most 100"),
        ({"width": 1.5}, "width=1.5: expected a whole number"),
        ({"width": True}, "width=True: expected a whole number"),
        ({"width": "8"}, "width='8': expected a whole number"),
        ({"share": float("nan")}, "share=nan: "),
        ({"share": 2}, "share=2: must be at least 0 and at most 1"),
        ({"kind": "c"}, "kind='c': expected one of 'a', 'b'"),
        ({"on": 1}, "on=1: expected true or false"),
        ({"scale": (0.0, 1.0)}, r"scale=\[0.0, 1.0\]: must be \[smallest, largest\] with 0 < smallest <= largest <= 1"),
        ({"scale": (0.5, 0.2)}, r"scale=\[0.5, 0.2\]: must be"),
        ({"scale": (0.5,)}, r"scale=\(0.5,\): expected a list of 2 numbers, such as \[1, 2\]"),
        ({"widths": ()}, r"widths=\[\]: needs 1 to 3 values; each must be at least 1 and at most 9"),
        ({"widths": (1, 10)}, r"widths=\[1, 10\]: needs 1 to 3 values"),
        ({"widths": (1, 2, 3, 4)}, "needs 1 to 3 values"),
        ({"clip": 0.0}, "clip=0.0: must be at least 0.1 and at most 10"),
        ({"clip": ""}, "clip='': expected a number, or null"),
        ({"patch": "x"}, "patch='x': expected a whole number, or a list of whole numbers"),
        ({"width": 2, "on": True}, "width=2: too narrow with on=True"),
        ({"width": 0, "share": 2.0}, "width=0: .*; share=2.0: "),
    ],
)
def test_what_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=f"^Sample: .*{text}") as error:
        Sample(**changes)
    assert isinstance(error.value, ConfigError)
    assert all(problem.split("=")[0] in Sample.__dataclass_fields__ for problem in error.value.problems)


def test_what_is_taken() -> None:
    made = Sample(widths=[3, 4], scale=[0.2, 0.4], clip=None, share=1, patch=[2, 3])  # type: ignore[arg-type]
    assert made.widths == (3, 4) and made.scale == (0.2, 0.4) and made.clip is None and made.patch == (2, 3)
    assert hash(made) == hash(dataclasses.replace(made))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.width = 3  # type: ignore[misc]
    with pytest.raises(SettingError):
        dataclasses.replace(made, width=0)


def test_fields_tell_their_help_those_of_bases_first() -> None:
    fields = fields_of(Sample)
    assert list(fields)[0] == "width" and fields["width"].help == "how wide"
    assert fields["share"].help == "how much,\nin two lines"
    assert fields["clip"].default == 1.0 and in_words(fields["clip"].type) == "a number, or null"


@pytest.mark.parametrize(("role", "kind"), [(role, kind) for role, kinds in ROLES.items() for kind in kinds])
def test_each_rule_of_each_kind_holds_for_its_default_and_is_said(role: str, kind: str) -> None:
    schema = settings_of(load(role, kind))
    for field in dataclasses.fields(schema):
        rule = field.metadata.get("rule")
        if rule is None:
            continue
        test, text = rule
        assert field.default is None or test(field.default)
        assert text.startswith(("must", "need"))
        bad = [v for v in (-1, 10**12, "", (), (-1.0, -1.0)) if not _holds(test, v)]
        assert bad, f"{role}.{field.name} of {kind}: the rule refuses nothing"


def _holds(test: Any, value: Any) -> bool:
    try:
        return bool(test(value))
    except (TypeError, IndexError, AttributeError):
        return True  # of another type: that is refused before
