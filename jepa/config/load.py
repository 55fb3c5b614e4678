"""Layers of settings: defaults, then a preset, then a file, then key=value. OmegaConf never leaves this file."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from jepa.config.aliases import spelled_out
from jepa.config.fields import did_you_mean, fields, value_of
from jepa.config.rules import check
from jepa.config.schema import Config
from jepa.errors import ConfigError

_GROUPS = tuple(item.name for item in dataclasses.fields(Config) if item.name not in fields())
_LISTED = " `python -m jepa config` lists them all"

__all__ = ["differences", "from_yaml", "load", "presets", "to_yaml"]


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
    if isinstance(overrides, str | Mapping):
        raise ConfigError(f"overrides={overrides!r}: give a list of texts key=value, such as ['optim.lr=0.001']")
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if preset is not None:
        if preset not in presets():
            known = f"Presets: {', '.join(presets())}"
            raise ConfigError(f"there is no preset {preset!r}.{did_you_mean(preset, presets())} {known}")
        text = (_preset_folder() / f"{preset}.yaml").read_text("utf-8")
        layers.append((f"preset {preset}: ", _flat(_parse(text, f"preset {preset}"))))
    if file is not None:
        layers.append((f"{file}: ", spelled_out(_flat(_parse(_read(Path(file)), str(file))))))
    for item in overrides:
        key, equals, text = item.partition("=")
        if not equals:
            meant = f" Did you mean data.root={item}?" if Path(item).exists() or "/" in item else ""
            raise ConfigError(f"{item!r} is no setting: write key=value, such as optim.lr=0.001.{meant}")
        layers.append(("", {key: _parse_value(key, text)}))
    return _build(layers)


def from_yaml(path: str | Path) -> Config:
    """Return the configuration in a YAML file, such as the config.yaml of a run; what it leaves out has its default."""
    return load(file=path)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error}") from None


def _parse(text: str, source: str) -> Mapping[str, Any]:
    try:
        tree = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} must hold settings as 'key: value' lines, not a list")
    return typing.cast(Mapping[str, Any], tree)


def _parse_value(key: str, text: str) -> Any:
    try:
        container = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=True)
    except (yaml.YAMLError, OmegaConfBaseException):
        raise ConfigError(f"{key}={text}: the value cannot be read; lists are written [1, 2]") from None
    return typing.cast(dict[str, Any], container)["value"]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif not (value is None and name in _GROUPS):  # a group with nothing below it
            flat[f"{prefix}{name}"] = value
    return flat


def _build(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Config:
    known = fields()
    tree = OmegaConf.structured(Config)
    for node in (tree, *(tree[name] for name in _GROUPS)):
        OmegaConf.set_readonly(node, False)  # frozen dataclasses arrive read-only
    for source, key, given in ((source, key, given) for source, layer in layers for key, given in layer.items()):
        if key in _GROUPS:
            names = ", ".join(k for k in known if k.startswith(f"{key}."))
            raise ConfigError(f"{source}{key} is a group of settings; set one of them: {names}")
        if key not in known:
            raise ConfigError(f"{source}there is no setting {key!r}.{did_you_mean(key, known) or _LISTED}")
        field, value = known[key], given
        if value is None and (field.type is str or "" in typing.get_args(field.type)):
            value = ""  # `data.root=` on the command line
        if isinstance(field.default, tuple) or typing.get_origin(field.type) is types.UnionType:
            value = _as_list(value)
        try:
            OmegaConf.update(tree, key, value)
        except (OmegaConfBaseException, ValueError):
            raise ConfigError(f"{source}{key}={_show(given)}: expected {field.expected()}") from None
    config = typing.cast(Config, OmegaConf.to_object(tree))
    check(config)
    return config


def _as_list(value: Any) -> Any:
    """Read '0.8,0.9' and '(0.8, 0.9)' as lists too: brackets mean something to some shells."""
    if isinstance(value, str) and re.fullmatch(r"[\d\s.,()e+-]+", value):
        return [part.strip() for part in value.strip("()").split(",") if part.strip()]
    return value


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
            line = f"{indent}{item.name}: {json.dumps(value, ensure_ascii=False)}"  # JSON is YAML
            yield f"{line:<40}  # {docs[key]}" if key in docs else line


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """Return {key: (value in a, value in b)} for every setting in which two configurations differ.

    >>> differences(Config(), load(overrides=["seed=1"]))
    {'seed': (0, 1)}
    """
    pairs = {key: (value_of(a, key), value_of(b, key)) for key in fields()}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
