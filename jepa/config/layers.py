"""Layers of settings become a configuration: which kind each role has, and which setting counts.

The kind of a role is the last one that is named; the kinds of roles that nobody names are those that usually go with
the source and the task (`Settings.usual`). What an earlier layer says of another kind than the chosen one is dropped,
and what counts for nothing with the new value of another setting (`Settings.counts`).
"""

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jepa.config.config import DEFAULTS, Config, schema_of
from jepa.config.keys import GROUPS, fields_at, unknown
from jepa.config.old import now
from jepa.config.reading import shown
from jepa.config.settings import PATH, Field, SettingError, fields_of, in_words
from jepa.config.values import converted
from jepa.errors import ConfigError
from jepa.parts import OFF, ROLES, Choice, kind_of, load
from jepa.text import did_you_mean


class Layer(NamedTuple):
    """What a preset, a file or the command line says."""

    given: dict[str, Any]
    """full key -> a text, a list of texts or None"""
    where: str = ""
    """what an error begins with: the name of the file"""


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {full key: given} of a tree; a role's own key is its kind; a group with nothing below it says nothing.

    >>> flat({"encoder": {"kind": "vit", "patch": "4"}, "task": "masked", "train": None})
    {'encoder': 'vit', 'encoder.patch': '4', 'task': 'masked'}
    """
    found: dict[str, Any] = {}
    for name, value in tree.items():
        key = prefix + name
        if key.removesuffix(".kind") in ROLES:
            key = key.removesuffix(".kind")
        inner = flat(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
        if not prefix and value is None and (name in GROUPS or OFF not in ROLES.get(name, [OFF])):
            continue
        if twice := found.keys() & inner.keys():
            raise ConfigError(f"{shown(min(twice))} is set twice")
        found |= inner
    return found


def resolved(layers: Sequence[Layer]) -> Config:
    """Return the configuration of layers, the last of which counts most.

    Raises ConfigError for a key that its layer's kind does not have, a value of the wrong type, and a broken rule.
    """
    named: dict[str, str] = {}
    readied, then = [], []
    for layer in layers:
        readied.append(_readied(layer))
        named |= {role: kind for role, kind in readied[-1].items() if role in ROLES}
        then.append(_partnered(named))
    kinds = then[-1] if then else _partnered({})
    values: dict[str, dict[str, Any]] = {"": {}, **{group: {} for group in (*ROLES, *GROUPS)}}
    for layer, given, earlier in zip(layers, readied, then, strict=True):
        said: dict[str, dict[str, Any]] = {group: {} for group in values}
        for key, text in given.items():
            group, _, name = key.rpartition(".")
            field = _field(key, kinds, earlier, layer.where)
            if field is not None:
                said[group][name] = _value(key, field, text, layer.where)
        for group, new in said.items():
            counts = schema_of(group, kinds[group]).counts if group in ROLES else {}
            idle = {name for name, (other, allowed) in counts.items() if other in new and new[other] not in allowed}
            values[group] = {name: value for name, value in values[group].items() if name not in idle} | new
    return _built(values, kinds)


def _readied(layer: Layer) -> dict[str, Any]:
    """Return what a layer says with each role's own key holding the name of a kind."""
    found: dict[str, Any] = {}
    for key, given in layer.given.items():
        if key in GROUPS:
            names = ", ".join(f"{key}.{name}" for name in fields_of(GROUPS[key]))
            raise ConfigError(f"{layer.where}{key} is a group of settings; set one of them: {names}")
        if why := now(key, given):
            raise ConfigError(f"{layer.where}{why}")
        if key in ROLES:
            if given in (None, "null") and OFF in ROLES[key]:
                given = OFF
            if not isinstance(given, str):
                raise ConfigError(f"{layer.where}{key}={_show(given)}: expected a kind, one of {', '.join(ROLES[key])}")
            found |= _located(given, layer.where) if key == "source" else {key: given.strip()}
        else:
            found[key] = given
    return found


def _located(given: str, where: str) -> dict[str, Any]:
    """Return the kind of source that a word names, which may be the path of one."""
    path = os.path.expanduser(given)
    known_as = path.replace("\0", "")
    if given not in ROLES["source"] and (os.path.exists(known_as) or {*"*?{"} & {*known_as}):  # or a pattern of files
        kind = kind_of(path)
        return {"source": kind, f"source.{load('source', kind).place}": path}
    given = given.strip()
    if ":" not in given and given not in ROLES["source"]:
        known = f"{did_you_mean(given, ROLES['source'])} Kinds: {', '.join(ROLES['source'])}"
        raise ConfigError(f"{where}source={shown(given)}: there is no such folder or file, and no such kind.{known}")
    return {"source": given}


def _partnered(named: Mapping[str, str]) -> dict[str, str]:
    """Return the kind of each role: the named ones, the usual partners of source and task, the defaults."""
    kinds = {**DEFAULTS, **named}
    for role in ("source", "task"):
        kinds = {**kinds, **schema_of(role, kinds[role]).usual, **named}
    return {**kinds, **schema_of("source", kinds["source"]).needs, **named}


def _field(key: str, kinds: Mapping[str, str], earlier: Mapping[str, str], where: str) -> Field | None:
    """Return the setting of a key, or None for one that counts for the kind of an earlier layer only.

    A setting that both kinds have counts if it is the same: declared once, by a class that both derive from.
    """
    group, _, name = key.rpartition(".")
    if not group or group in GROUPS:
        found = fields_of(Config if not group else GROUPS[group]).get(name)
    elif group in ROLES:
        found = fields_at(group, kinds).get(name)
        before = schema_of(group, earlier[group])
        if kinds[group] != earlier[group] and name in fields_of(before):
            same = found is not None and _declared(before, name) is _declared(schema_of(group, kinds[group]), name)
            return found if same else None
    else:
        found = None
    if found is None:
        raise ConfigError(f"{where}{unknown(key, kinds)}")
    return found


def _declared(schema: type, name: str) -> type:
    return next(base for base in schema.__mro__ if name in inspect.get_annotations(base))


def _value(key: str, field: Field, given: Any, where: str) -> Any:
    if key in ROLES:
        return given
    try:
        value = converted(field.type, given)
    except ValueError:
        raise ConfigError(f"{where}{key}={_show(given)}: expected {in_words(field.type)}") from None
    return os.path.expanduser(value) if field.rule is PATH and isinstance(value, str) else value


def _show(given: Any) -> str:
    return shown("null" if given is None else f"[{', '.join(map(_show, given))}]" if isinstance(given, list) else given)


def _built(values: Mapping[str, dict[str, Any]], kinds: Mapping[str, str]) -> Config:
    """Return the configuration that has these values; raise ConfigError with a sentence for each broken rule."""
    problems: list[str] = []
    made: dict[str, Any] = {role: Choice(kind, None) for role, kind in kinds.items()}
    for group in (*ROLES, *GROUPS):
        schema = GROUPS[group] if group in GROUPS else schema_of(group, kinds[group])
        try:
            settings = schema(**values[group])
            made[group] = settings if group in GROUPS else Choice(kinds[group], settings)
        except SettingError as error:
            problems += _qualified(group, schema, error.problems)
    top = {name: value for name, value in values[""].items() if name not in ROLES}
    try:
        config = Config(**top, **made)
    except SettingError as error:
        problems = [*error.problems, *problems]
    if problems:
        raise ConfigError("; ".join(problems))
    return config


def _qualified(group: str, schema: type, problems: Sequence[str]) -> Iterator[str]:
    """Yield sentences about settings with their full keys; a name that is a word of its own needs its = to be one."""
    names = fields_of(schema)
    pattern = "|".join(rf"{re.escape(name)}(?!\w)" if "_" in name else rf"{re.escape(name)}(?==)" for name in names)
    for problem in problems:
        yield re.sub(rf"(?<![\w.])({pattern})", rf"{group}.\1", problem) if names else problem
