"""The settings of a run: typed, documented, layered from defaults, preset, file and command line."""

from jepa.config.config import DEFAULTS, Config, EvaluationSettings, FinetuneSettings, TrainSettings
from jepa.config.keys import differences, every_key, keys, kinds, to_yaml, value_of
from jepa.config.load import changed, from_yaml, load, presets
from jepa.parts import Choice

__all__ = ["DEFAULTS", "Choice", "Config", "EvaluationSettings", "FinetuneSettings", "TrainSettings", "changed"]
__all__ += ["differences", "every_key", "from_yaml", "keys", "kinds", "load", "presets", "to_yaml", "value_of"]
