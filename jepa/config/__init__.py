"""The settings of a run: typed, documented, layered from defaults, preset, file and command line."""

from jepa.config.config import DEFAULTS, Config, EvaluationSettings, TrainSettings
from jepa.config.keys import differences, every_key, keys, kinds_of, value_of
from jepa.config.load import changed, from_yaml, load, presets
from jepa.config.written import kinds, to_yaml
from jepa.parts import Choice

__all__ = [
    "DEFAULTS",
    "Choice",
    "Config",
    "EvaluationSettings",
    "TrainSettings",
    "changed",
    "differences",
    "every_key",
    "from_yaml",
    "keys",
    "kinds",
    "kinds_of",
    "load",
    "presets",
    "to_yaml",
    "value_of",
]


def __getattr__(name: str) -> object:
    """What the old rooms ask for, until they go."""
    if name.endswith("Config") or name in ("encoder_name", "patch_size"):
        import importlib

        module = "jepa.config.encoders" if name in ("encoder_name", "patch_size") else "jepa.config.schema"
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'jepa.config' has no attribute {name!r}")
