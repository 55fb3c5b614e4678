"""The settings of a run: typed, documented, layered from defaults, preset, file and command line."""

from jepa.config.config import DEFAULTS, Config, EvaluationSettings, FinetuneSettings, PlanSettings, TrainSettings
from jepa.config.keys import differences, every_key, keys, kinds, to_yaml, value_of
from jepa.config.load import changed, from_yaml, load, presets
from jepa.parts import Choice

__all__ = ["DEFAULTS", "Choice", "Config", "EvaluationSettings", "FinetuneSettings", "PlanSettings", "TrainSettings"]
__all__ += ["changed", "differences", "every_key", "from_yaml", "keys", "kinds", "load", "presets", "to_yaml"]
__all__ += ["value_of"]
