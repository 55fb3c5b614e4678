"""The settings by full key, those of the chosen kinds and those of all; and a configuration in words, as YAML."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from jepa.config.config import Config, EvaluationSettings, FinetuneSettings, PlanSettings, TrainSettings, schema_of
from jepa.config.reading import shown
from jepa.config.settings import Field, fields_of
from jepa.config.values import written
from jepa.parts import ROLES, load
from jepa.text import did_you_mean

GROUPS: dict[str, type] = {
    "train": TrainSettings,
    "evaluation": EvaluationSettings,
    "finetune": FinetuneSettings,
    "plan": PlanSettings,
}
"""the settings that are no part's, by the first word of their keys"""


def fields_at(group: str, kinds: Mapping[str, str]) -> dict[str, Field]:
    """Return the settings of a role or a group, by name, of the kinds that are chosen."""
    return fields_of(GROUPS[group] if group in GROUPS else schema_of(group, kinds[group]))


def keys(config: Config) -> dict[str, Field]:
    """Return every setting of a configuration by its full key, in the order of a file; a role's own key is its kind.

    >>> keys(Config())["train.epochs"].help
    'passes over the examples'
    """
    found: dict[str, Field] = {}
    for name, item in fields_of(Config).items():
        if name not in GROUPS:
            found[name] = item
        if name in GROUPS or name in ROLES:  # not `fields_at`: a class of one's own need not be importable
            settings: Any = getattr(config, name) if name in GROUPS else getattr(config, name).settings
            schema: Any = type(settings)
            found |= {f"{name}.{inner}": field for inner, field in fields_of(schema).items()}
    return found


def every_key() -> dict[str, list[str]]:
    """Return every setting of every kind by its full key, with the kinds that have it; it loads them all."""
    found: dict[str, list[str]] = {name: [] for name in fields_of(Config) if name not in GROUPS}
    for role, kinds in ROLES.items():
        for kind in kinds:
            for name in fields_of(schema_of(role, kind)):
                found.setdefault(f"{role}.{name}", []).append(kind)
    return found | {f"{group}.{name}": [] for group, schema in GROUPS.items() for name in fields_of(schema)}


def unknown(key: str, kinds: Mapping[str, str]) -> str:
    """Say why a key is none of the chosen kinds': which kind has it, or which key was meant."""
    role, _, name = key.partition(".")
    every = every_key()
    if having := every.get(key):
        has = "has" if len(having) == 1 else "have"
        return f"{role}={kinds[role]} has no setting {name}; {_named(key, having)} {has} it"
    guess = did_you_mean(key, every)
    meant = guess.removeprefix(" Did you mean '").removesuffix("'?")
    owners = every.get(meant, [])
    of = (
        f" It is a setting of {_named(meant, owners)}"
        if owners and kinds[meant.partition(".")[0]] not in owners
        else ""
    )
    return f"there is no setting {shown(key)!r}.{guess or ' `python -m jepa config` lists them all'}{of}"


def _named(key: str, kinds: list[str]) -> str:
    *most, last = (f"{key.partition('.')[0]}={kind}" for kind in kinds)
    return f"{', '.join(most)} and {last}" if most else last


def value_of(config: Config, key: str) -> Any:
    """Return the value of the setting with this full key.

    >>> value_of(Config(), "train.epochs"), value_of(Config(), "encoder"), value_of(Config(), "encoder.norm")
    (20, 'cnn', 'batch')
    """
    group, _, name = key.partition(".")
    found = getattr(config, group)
    if group in ROLES:
        return getattr(found.settings, name) if name else found.kind
    return getattr(found, name) if name else found


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """Return {key: (value in a, value in b)} for every setting in which two configurations differ.

    A setting that only one of them has is not named: their kinds differ, and that is.
    """
    shared = keys(a).keys() & keys(b).keys()
    pairs = {key: (value_of(a, key), value_of(b, key)) for key in keys(a) if key in shared}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def to_yaml(config: Config, *, comments: bool = False) -> str:
    """Return the configuration as YAML that `from_yaml` reads back equal; `comments` adds each setting's help.

    >>> print(to_yaml(Config()).splitlines()[0])
    name: "run"
    """
    return "\n".join(_lines(config, comments)) + "\n"


def _lines(config: Config, comments: bool) -> Iterator[str]:
    group = ""
    for key, field in keys(config).items():
        first, _, name = key.partition(".")
        if first != group and (first in ROLES or first in GROUPS):
            group = first
            yield f"{group}:"
        text = written(value_of(config, key))
        if first in ROLES and not name:
            line, said = f"  kind: {text}", f"{field.help}: {', '.join(ROLES[first])}"
        else:
            line, said = f"  {name}: {text}" if name else f"{first}: {text}", field.help
        yield f"{line:<40}  # {' '.join(said.split())}" if comments and said else line


def kinds() -> str:
    """Return every kind of every role, what it is, and its settings with their defaults and their help."""
    return "\n".join(_kinds()) + "\n"


def _kinds() -> Iterator[str]:
    for role, known in ROLES.items():
        yield f"{role}: {fields_of(Config)[role].help}"
        for kind in known:
            what = (inspect.getdoc(load(role, kind)) or "").partition("\n")[0]
            yield f"  {role}={kind:<{24 - len(role)}}{what}"
            for name, field in fields_of(schema_of(role, kind)).items():
                yield f"    {f'{role}.{name}={written(field.default)}':<44}  {' '.join(field.help.split())}"
        yield ""
