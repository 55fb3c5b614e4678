"""From a text to the value of a setting, by the setting's type; and back to a text that YAML reads as the same."""

import contextlib
import json
import math
import re
import types
import typing
from typing import Any

import yaml

WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
NOTHING = ("", "null", "none", "~")
WHOLE = re.compile(r"[+-]?[0-9][0-9_]{0,29}")
NUMBER = re.compile(
    r"[+-]?([0-9][0-9_]*\.?[0-9_]*([eE][+-]?[0-9]+)?|\.[0-9_]+([eE][+-]?[0-9]+)?|\.?(inf|nan|infinity))"
)


def converted(kind: Any, given: Any) -> Any:
    """Return the value that a text, a list of texts or None (null in a file) means for a setting of this type.

    Raises ValueError if it means none.

    >>> converted(tuple[float, float], "(0.8, 0.9)"), converted(str, "1e3 # [a]"), converted(int | None, "null")
    ((0.8, 0.9), '1e3 # [a]', None)
    """
    options = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):  # a kind or another, or null
        nothing = given is None or (isinstance(given, str) and _word(given) in NOTHING)
        kinds = [option for option in options if option is not type(None)]
        return None if nothing and len(kinds) < len(options) else _first(kinds, given)
    if typing.get_origin(kind) is tuple:
        parts = given if isinstance(given, list) else _parts(given)
        if Ellipsis not in options and len(parts) != len(options):
            raise ValueError
        return tuple(converted(options[0], part) for part in parts)
    if options or kind is str:  # one of some texts, or any
        text = "" if given is None else given
        if not isinstance(text, str):
            raise ValueError
        return {str(option): option for option in options}.get(text.strip()) or _no_value() if options else text
    word = _word(given)
    if kind is bool:
        return WORDS[word] if word in WORDS else _no_value()
    pattern = WHOLE if kind is int else NUMBER
    if not pattern.fullmatch(word):
        raise ValueError
    return int(word) if kind is int else float(word.replace(".inf", "inf").replace(".nan", "nan"))


def _first(kinds: list[Any], given: Any) -> Any:
    for kind in kinds:
        with contextlib.suppress(ValueError):
            return converted(kind, given)
    raise ValueError


def _no_value() -> typing.NoReturn:
    raise ValueError


def _word(given: Any) -> str:
    if given is None:
        return ""
    return given.strip().lower() if isinstance(given, str) else _no_value()


def _parts(given: Any) -> list[str]:
    """Split '[0.8, 0.9]', '(0.8, 0.9)' or '0.8,0.9': brackets mean something to some shells."""
    text = given.strip() if isinstance(given, str) else _no_value()
    if text[:1] + text[-1:] in ("[]", "()"):
        text = text[1:-1]
    parts = [part.strip() for part in text.split(",")]
    return parts[:-1] if parts[-1] == "" else parts


def matches(kind: Any, value: Any) -> bool:
    """Whether a value is of a setting's type.

    >>> matches(float, 1), matches(int, True), matches(tuple[float, float], (1, 2))
    (True, False, True)
    """
    options = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return any(value is None if option is type(None) else matches(option, value) for option in options)
    if typing.get_origin(kind) is tuple:
        fits = isinstance(value, tuple | list) and (Ellipsis in options or len(value) == len(options))
        return fits and all(matches(options[0], part) for part in value)
    if options:
        return any(type(value) is type(option) and value == option for option in options)
    number = int if kind is int else (int, float)
    return isinstance(value, number if kind in (int, float) else kind) and (kind is bool or not isinstance(value, bool))


def written(value: Any) -> str:
    r"""Return a value as YAML: as JSON, but for characters in a text that JSON leaves alone and YAML does not.

    >>> written((1.0, 2.5)), written("a b # \x80")
    ('[1.0, 2.5]', '"a b # \\x80"')
    """
    if isinstance(value, str) and not value.isprintable():
        return yaml.dump(value, default_style='"', allow_unicode=True, width=math.inf).rstrip("\n")
    return json.dumps(value, ensure_ascii=False)
