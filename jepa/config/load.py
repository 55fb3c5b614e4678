"""Layers of settings: defaults, then a preset, then a file, then key=value."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jepa.config.aliases import spelled_out
from jepa.config.fields import did_you_mean, fields, value_of
from jepa.config.reading import parse, read, shown
from jepa.config.rules import check
from jepa.config.schema import Config
from jepa.config.values import converted, written
from jepa.errors import ConfigError

_GROUPS = tuple(item.name for item in dataclasses.fields(Config) if item.name not in fields())
_LISTED = " `python -m jepa config` lists them all"


def _projector(given: Any) -> str:
    """Say why a width is refused; 0, which the files of older runs have, was what all of them did."""
    return "" if given in ("0", None) else " Nothing has ever read it, and it is gone: leave it away"


GONE = {"model.projector": _projector}
"""Settings of older versions: from a text to why it is refused, or to nothing if it changes nothing"""

__all__ = ["changed", "differences", "from_yaml", "load", "presets", "to_yaml"]


def presets() -> list[str]:
    """Return the names that `load(preset=...)` knows."""
    return sorted(path.name[: -len(".yaml")] for path in _preset_folder().iterdir() if path.name.endswith(".yaml"))


def _preset_folder() -> resources.abc.Traversable:
    return resources.files("jepa") / "presets"


def load(preset: str | None = None, file: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration: defaults <- `preset` <- `file` (YAML) <- `overrides` ("optim.lr=0.001").

    A file may also use the short names of `jepa.config.aliases` (epochs, batch_size, learning_rate, mask_ratio, ...).

    Raises ConfigError for a preset, file or key that does not exist, a value of the wrong type, and a broken rule.

    >>> load(overrides=["optim.lr=3e-4", "model.widths=16,32"]).model.widths
    (16, 32)
    >>> load(overrides=["optim.lrr=1"])
    Traceback (most recent call last):
        ...
    jepa.errors.ConfigError: there is no setting 'optim.lrr'. Did you mean 'optim.lr'?
    """
    values = {key: field.default for key, field in fields().items()}
    if preset is not None:
        if preset not in presets():
            known = f"Presets: {', '.join(presets())}"
            raise ConfigError(f"there is no preset {shown(preset)!r}.{did_you_mean(preset[:100], presets())} {known}")
        text = (_preset_folder() / f"{preset}.yaml").read_text("utf-8")
        values |= _layer(_flat(parse(text, f"preset {preset}")), f"preset {preset}: ")
    if file is None:
        return changed(_nested(values), overrides)
    source = f"{shown(file)}: "
    values |= (given := _layer(spelled_out(_flat(read(file), source=source), source), source))
    try:
        return changed(_nested(values), overrides)
    except ConfigError as error:
        said = [item.partition("=")[0] for item in overrides if isinstance(item, str)]
        at_fault = any(f"{key}=" in str(error) for key in given if key not in said)
        raise ConfigError(f"{source if at_fault else ''}{error}") from None


def changed(config: Config, overrides: Sequence[str]) -> Config:
    """Return a configuration with some settings changed ("optim.lr=0.001"); raises ConfigError as `load` does.

    >>> changed(Config(), ["data.root=/x/Photos #1"]).data.root
    '/x/Photos #1'
    """
    if isinstance(overrides, str | Mapping):
        raise ConfigError(f"overrides={overrides!r}: give a list of texts key=value, such as ['optim.lr=0.001']")
    values = {key: value_of(config, key) for key in fields()}
    for item in overrides:
        if not isinstance(item, str):
            raise ConfigError(f"overrides has {shown(repr(item))}: give texts key=value, such as 'optim.lr=0.001'")
        key, equals, text = item.partition("=")
        if not equals:
            meant = f" Did you mean data.root={shown(item)}?" if "/" in item or _exists(item) else ""
            raise ConfigError(f"{shown(item)!r} is no setting: write key=value, such as optim.lr=0.001.{meant}")
        values |= _layer({key: text})
    config = _nested(values)
    check(config)
    return config


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False


def from_yaml(path: str | Path) -> Config:
    """Return the configuration in a YAML file, such as the config.yaml of a run; what it leaves out has its default."""
    return load(file=path)


def _flat(tree: Mapping[str, Any], prefix: str = "", source: str = "") -> dict[str, Any]:
    """Return {full key: given}; a group with nothing below it says nothing."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if value is None and name in _GROUPS:
            continue
        inner = _flat(value, f"{prefix}{name}.", source) if isinstance(value, Mapping) else {f"{prefix}{name}": value}
        if twice := flat.keys() & inner.keys():
            raise ConfigError(f"{source}{shown(min(twice))} is set twice")
        flat |= inner
    return flat


def _layer(given: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """Return the values of settings that are given as texts."""
    known, values = fields(), {}
    for key, text in given.items():
        if key in _GROUPS:
            names = ", ".join(k for k in known if k.startswith(f"{key}."))
            raise ConfigError(f"{source}{key} is a group of settings; set one of them: {names}")
        if key in GONE and not GONE[key](text):
            continue
        if key not in known:
            why = GONE[key](text) if key in GONE else did_you_mean(key[:100], known) or _LISTED
            raise ConfigError(f"{source}there is no setting {shown(key)!r}.{why}")
        try:
            values[key] = converted(known[key], text)
        except ValueError:
            raise ConfigError(f"{source}{key}={_show(text)}: expected {known[key].expected()}") from None
    return values


def _nested(values: Mapping[str, Any]) -> Config:
    """Return the configuration that has these values, by full key."""
    groups: dict[str, dict[str, Any]] = {name: {} for name in _GROUPS}
    top: dict[str, Any] = {}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        (groups[group] if group else top)[name] = value
    kinds = typing.get_type_hints(Config)
    return Config(**top, **{name: kinds[name](**inner) for name, inner in groups.items()})


def _show(given: Any) -> str:
    return shown("null" if given is None else f"[{', '.join(map(_show, given))}]" if isinstance(given, list) else given)


def to_yaml(config: Config, *, comments: bool = False) -> str:
    """Return the configuration as YAML that `from_yaml` reads back equal; `comments` adds each setting's help.

    >>> print(to_yaml(Config()).splitlines()[0])
    name: "run"
    """
    docs = {key: field.help for key, field in fields().items()} if comments else {}
    return "\n".join(_lines(config, "", docs)) + "\n"


def _lines(group: Any, prefix: str, docs: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for item in dataclasses.fields(group):
        value, key = getattr(group, item.name), prefix + item.name
        if dataclasses.is_dataclass(value):
            yield f"{indent}{item.name}:"
            yield from _lines(value, key + ".", docs)
        else:
            line = f"{indent}{item.name}: {written(value)}"
            yield f"{line:<40}  # {docs[key]}" if key in docs else line


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """Return {key: (value in a, value in b)} for every setting in which two configurations differ.

    >>> differences(Config(), load(overrides=["seed=1"]))
    {'seed': (0, 1)}
    """
    pairs = {key: (value_of(a, key), value_of(b, key)) for key in fields()}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
