"""A part's choice in one text, as it stands on the command line, for parts that are made of parts."""

import dataclasses
import shlex
from typing import Any

from jepa.config.layers import Layer, resolved
from jepa.config.reading import shown
from jepa.config.values import written
from jepa.errors import ConfigError
from jepa.parts import Choice


def choice_of(role: str, words: str, where: str) -> Choice:
    """Return the kind and the settings that a text says: the kind, of a source also its path, then NAME=VALUE.

    where: the setting that the text is the value of, which errors begin with. Raises ConfigError for a text without a
    kind, and for what the role's own settings refuse.

    >>> choice_of("encoder", "cnn widths=[8,16]", "encoder.first").settings.widths
    (8, 16)
    """
    try:
        kind, *said = shlex.split(words) or [""]
        given: dict[str, Any] = {role: kind}
        for word in said:
            name, equals, value = word.partition("=")
            if not equals:
                raise ConfigError(f"{shown(word)!r} is no setting: say the kind, then NAME=VALUE")
            given[f"{role}.{name}"] = value
        found: Choice = getattr(resolved([Layer(given)]), role)
        return found
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{where}={shown(words)}: {error}") from error


def words_of(choice: Choice) -> str:
    """Return the text that says a choice: its kind, and the settings that are not the kind's own.

    >>> words_of(choice_of("encoder", "cnn widths=8,16 norm=batch", "encoder.first"))
    "cnn 'widths=[8, 16]'"
    """
    settings = choice.settings
    own = {field.name: field.default for field in dataclasses.fields(settings)}
    given = {name: value for name, default in own.items() if (value := getattr(settings, name)) != default}
    said = (f"{name}={value if isinstance(value, str) else written(value)}" for name, value in given.items())
    return shlex.join([choice.kind, *said])
