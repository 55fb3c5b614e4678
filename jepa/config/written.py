"""A configuration in words: as a file that reads back equal, and every kind of every role with its settings."""

import inspect
from collections.abc import Iterator

from jepa.config.config import Config, schema_of
from jepa.config.keys import GROUPS, keys, value_of
from jepa.config.settings import fields_of
from jepa.config.values import written
from jepa.parts import ROLES, load


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
