"""A part's settings: a frozen dataclass beside its class, each field with its rule and the help below it."""

import ast
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from jepa.config.reading import shown
from jepa.config.values import matches
from jepa.errors import ConfigError

Rule = tuple[Callable[[Any], bool], str]
Range = tuple[float, float]
COUNT = 10**9  # of what is gone through one by one: more is no number that was meant


class SettingError(ConfigError):
    """Settings that are refused: one sentence for each, that begins with the field's name."""

    def __init__(self, owner: str, problems: list[str]) -> None:
        super().__init__(f"{owner}: " + "; ".join(problems))
        self.problems = problems


def setting(default: Any, rule: Rule | None = None) -> Any:
    """Return a field of `Settings`: its default, and the rule that a value must keep."""
    return dataclasses.field(default=default, metadata={"rule": rule} if rule else {})


def between(low: float, high: float = COUNT) -> Rule:
    """Return the rule low <= value <= high.

    >>> between(1, 4)[1]
    'must be at least 1 and at most 4'
    """
    said = (f"{v:,}" if isinstance(v, int) and v < 2**31 else f"{v:g}" for v in (low, high))
    return (lambda v: low <= v <= high), "must be at least {} and at most {}".format(*said)


def ordered(low: float, high: float, *, above: bool = False) -> Rule:
    """Return the rule of [smallest, largest]; above: `low` itself is too small."""
    sign = "<" if above else "<="
    text = f"must be [smallest, largest] with {low:g} {sign} smallest <= largest <= {high:g}"
    return (lambda v: (low < v[0] if above else low <= v[0]) and v[0] <= v[1] <= high), text


def each(rule: Rule, most: int = 64) -> Rule:
    """Return the rule of a list of 1 to `most` values that each keep a rule."""
    test, text = rule
    return (lambda v: 0 < len(v) <= most and all(map(test, v))), f"needs 1 to {most} values; each {text}"


PROBABILITY = between(0, 1)
SHARE: Rule = (lambda v: 0 <= v < 1), "must be at least 0 and less than 1"
AREAS, SHARES, ASPECTS = ordered(0, 1, above=True), ordered(0, 1), ordered(0.01, 100)
PATH: Rule = (lambda v: v != "" and "\0" not in v), "must be the name of a file or a folder"  # ~: the home folder
WIDTH, DEPTH, TIMES, OR_NONE = between(1, 16_384), between(1, 256), between(1), between(0)


class Settings:
    """Base of the settings of parts: a frozen dataclass that checks itself when it is made.

    Each field has its help below it, and may have a `Rule` (`setting`). What fields must satisfy together is in
    `problems`. `usual` has the kinds of other roles that go with a source or a task where nobody names one (the task's
    before the source's); `needs`, of a source, those without which its examples cannot be read; `counts`,
    of each field that does nothing with some values of another one, that one and the values with which it counts: set
    all the same, it is refused. Raises SettingError with one sentence for each rule that is broken.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Size(Settings):
    ...     width: int = setting(8, between(1, 100))
    >>> Size(width=0)
    Traceback (most recent call last):
        ...
    jepa.config.settings.SettingError: Size: width=0: must be at least 1 and at most 100
    """

    usual: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[Mapping[str, str]] = {}
    counts: ClassVar[Mapping[str, tuple[str, Sequence[str]]]] = {}

    def __post_init__(self) -> None:
        found = list(self._mistyped()) or list(self._broken()) or [*self._idle(), *self.problems()]
        if found:
            raise SettingError(type(self).__qualname__, found)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each rule on several fields that is broken; each begins with a field's name."""
        return iter(())

    def _idle(self) -> Iterator[str]:
        for name, (other, values) in self.counts.items():
            given, chosen = getattr(self, name), getattr(self, other)
            if chosen not in values and given != getattr(type(self), name):
                yield f"{name}={_said(given)}: counts with {other}={' or '.join(values)} alone; got {other}={chosen}"

    def _mistyped(self) -> Iterator[str]:
        for name, kind in _hints(type(self)).items():  # type: ignore[arg-type]
            value = getattr(self, name)
            if isinstance(value, list):  # as it comes from a call
                value = tuple(value)
                object.__setattr__(self, name, value)
            if not matches(kind, value):
                yield f"{name}={shown(repr(value))}: expected {in_words(kind)}"

    def _broken(self) -> Iterator[str]:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value, rule = getattr(self, field.name), field.metadata.get("rule")
            if rule is not None and value is not None and not rule[0](value):
                off = ", or null" if field.default is None else ""
                yield f"{field.name}={_said(value)}: {rule[1]}{off}"


@dataclasses.dataclass(frozen=True)
class NoSettings(Settings):
    """Of a kind without settings."""


def _said(value: Any) -> str:
    return shown(list(value) if isinstance(value, tuple) else value)


class Field(typing.NamedTuple):
    """One setting: its name, its type, its value if nothing is said, and what it is."""

    name: str
    type: Any
    default: Any
    help: str
    rule: Rule | None


@functools.cache
def _hints(schema: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(schema)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}


@functools.cache
def fields_of(schema: type) -> dict[str, Field]:
    """Return the fields of settings by name, those of their bases first.

    >>> from jepa.objectives import InfoNCE
    >>> fields_of(InfoNCE)["temperature"].help
    'divides the cosines'
    """
    helps: dict[str, str] = {}
    for base in reversed(schema.__mro__):
        helps |= _helps(base) if dataclasses.is_dataclass(base) else {}
    hints = _hints(schema)
    return {
        item.name: Field(item.name, hints[item.name], item.default, helps.get(item.name, ""), item.metadata.get("rule"))
        for item in dataclasses.fields(schema)
    }


def _helps(schema: type) -> dict[str, str]:
    """Return the docstring below each field: the compiler drops them, the source has them, if there is one."""
    try:
        body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(schema))).body[0]
    except (OSError, TypeError):
        return {}
    assert isinstance(body, ast.ClassDef)
    return {
        item.target.id: inspect.cleandoc(following.value.value)
        for item, following in zip(body.body, body.body[1:], strict=False)
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
        and isinstance(following.value.value, str)
    }


def in_words(kind: Any) -> str:
    """Say a type in words: 'a number', 'one of a, b', 'a list of 2 numbers'."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return ", or ".join("null" if kind is type(None) else in_words(kind) for kind in arguments)
    if typing.get_origin(kind) is tuple:
        count = "" if Ellipsis in arguments else f"{len(arguments)} "
        example = list(range(1, 1 + (2 if Ellipsis in arguments else len(arguments))))
        return f"a list of {count}{'whole numbers' if arguments[0] is int else 'numbers'}, such as {example}"
    if arguments:
        return f"one of {', '.join(repr(a) for a in arguments)}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(kind) or str(
        kind.__name__
    )
