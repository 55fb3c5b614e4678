"""Where settings come from: defaults, then a preset, then a file, then key=value."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from jepa.config.config import Config
from jepa.config.keys import to_yaml
from jepa.config.layers import Layer, flat, resolved
from jepa.config.old import spelled_out
from jepa.config.reading import parse, read, shown
from jepa.errors import ConfigError
from jepa.text import did_you_mean


def presets() -> list[str]:
    """Return the names that `load(preset=...)` knows."""
    return sorted(path.name[: -len(".yaml")] for path in _preset_folder().iterdir() if path.name.endswith(".yaml"))


def _preset_folder() -> resources.abc.Traversable:
    return resources.files("jepa") / "presets"


def load(preset: str | None = None, file: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration: defaults <- `preset` <- `file` (YAML) <- `overrides` ("optimizer.lr=0.001").

    A file may also use the short names of `jepa.config.old` (epochs, batch_size, learning_rate, mask_ratio, ...).

    Raises ConfigError for a preset, file or key that does not exist, a key that the chosen kind does not have, a value
    of the wrong type, and a broken rule.

    >>> load(overrides=["optimizer.lr=3e-4", "encoder.widths=16,32"]).encoder.settings.widths
    (16, 32)
    >>> load(overrides=["optimizer.lrr=1"])
    Traceback (most recent call last):
        ...
    jepa.errors.ConfigError: there is no setting 'optimizer.lrr'. Did you mean 'optimizer.lr'?
    """
    layers = []
    if preset is not None:
        if preset not in presets():
            known = f"Presets: {', '.join(presets())}"
            raise ConfigError(f"there is no preset {shown(preset)!r}.{did_you_mean(preset, presets())} {known}")
        text = (_preset_folder() / f"{preset}.yaml").read_text("utf-8")
        layers.append(Layer(flat(parse(text, f"preset {preset}")), f"preset {preset}: "))
    said = _words(overrides)
    if file is not None:
        layers.append(_file(file))
    try:
        return resolved([*layers, Layer(said)])
    except ConfigError as error:
        text, where = str(error), layers[-1].where if file is not None else ""
        at_fault = not text.startswith(where) and any(f"{key}=" in text for key in layers[-1].given if key not in said)
        raise ConfigError(f"{where if at_fault else ''}{text}") from None


def _file(file: str | Path) -> Layer:
    where = f"{shown(file)}: "
    try:
        return Layer(spelled_out(flat(read(file))), where)
    except ConfigError as error:
        raise ConfigError(str(error) if shown(file) in str(error) else f"{where}{error}") from None


def changed(config: Config, overrides: Sequence[str]) -> Config:
    """Return a configuration with some settings changed ("optimizer.lr=0.001"); raises ConfigError as `load` does.

    >>> changed(Config(), ["source=folder", "source.root=/x/Photos #1"]).source.settings.root
    '/x/Photos #1'
    """
    words = _words(overrides)
    return resolved([Layer(flat(parse(to_yaml(config), "settings"))), Layer(words)]) if words else config


def from_yaml(path: str | Path) -> Config:
    """Return the configuration in a YAML file, such as the config.yaml of a run; what it leaves out has its default."""
    return load(file=path)


def _words(overrides: Sequence[str]) -> dict[str, str]:
    """Return {key: text} of words key=value, in their order; of one key the last counts."""
    if isinstance(overrides, str | Mapping):
        raise ConfigError(f"overrides={overrides!r}: give a list of texts key=value, such as ['optimizer.lr=0.001']")
    found: dict[str, str] = {}
    for item in overrides:
        if not isinstance(item, str):
            raise ConfigError(f"overrides has {shown(repr(item))}: give texts key=value, such as 'optimizer.lr=0.001'")
        key, equals, text = item.partition("=")
        if not equals:
            meant = f" Did you mean source={shown(item)}?" if "/" in item or _exists(item) else ""
            raise ConfigError(f"{shown(item)!r} is no setting: write key=value, such as optimizer.lr=0.001.{meant}")
        found.pop(key.removesuffix(".kind"), None)
        found |= flat({key: text})
    return found


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False
