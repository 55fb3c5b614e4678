"""The settings as a flat list: full key, type, default and the help that stands below the field in `schema.py`."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import types
import typing
from collections.abc import Iterable
from typing import Any

from jepa.config.schema import Config

__all__ = ["Field", "did_you_mean", "fields", "value_of"]


class Field(typing.NamedTuple):
    """One setting: its full key, its type, its value if nothing is said, and what it is."""

    key: str
    type: Any
    default: Any
    help: str

    def expected(self) -> str:
        """Say in words what a value of this setting looks like."""
        return _in_words(self.type)


def _docs(schema: type) -> dict[str, str]:
    """Return the docstring below each field: the compiler drops them, the source has them."""
    body = ast.parse(inspect.getsource(schema)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for item, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(following, ast.Expr):
            docs[item.target.id] = inspect.cleandoc(ast.literal_eval(following.value))
    return docs


@functools.cache
def _fields(schema: type, prefix: str = "") -> dict[str, Field]:
    docs, hints = _docs(schema), typing.get_type_hints(schema)
    found: dict[str, Field] = {}
    for item in dataclasses.fields(schema):
        key = prefix + item.name
        if dataclasses.is_dataclass(hints[item.name]):
            found |= _fields(hints[item.name], key + ".")
        else:
            found[key] = Field(key, hints[item.name], item.default, docs[item.name])
    return found


def fields() -> dict[str, Field]:
    """Return every setting by its full key.

    >>> fields()["train.epochs"].help
    'passes over the training images'
    """
    return dict(_fields(Config))


def value_of(config: Config, key: str) -> Any:
    """Return the value of the setting with this full key.

    >>> value_of(Config(), "train.epochs")
    20
    """
    return functools.reduce(getattr, key.split("."), config)


def _in_words(kind: Any) -> str:
    """Say a type in words: 'a number', 'one of a, b', 'a list of 2 numbers'."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is types.UnionType:
        return f"{_in_words(arguments[0])}, or null"
    if typing.get_origin(kind) is tuple:
        count = "" if Ellipsis in arguments else f"{len(arguments)} "
        example = list(range(1, 1 + (2 if Ellipsis in arguments else len(arguments))))
        return f"a list of {count}{'whole numbers' if arguments[0] is int else 'numbers'}, such as {example}"
    if arguments:
        return f"one of {', '.join(repr(a) for a in arguments)}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Name the nearest word; for settings also by the last part alone: `lr` means `optim.lr`.

    >>> did_you_mean("optim.lrr", ["optim.lr", "train.epochs"]), did_you_mean("xyz", ["optim.lr"])
    (" Did you mean 'optim.lr'?", '')
    """
    words = list(words)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if not near:
        last = {w.rpartition(".")[2]: w for w in reversed(words)}
        near = [last[n] for n in difflib.get_close_matches(word.rpartition(".")[2], last, n=1, cutoff=0.7)]
    return f" Did you mean {near[0]!r}?" if near else ""
