"""The settings of a run: typed, documented, layered from defaults, preset, file and command line."""

from jepa.config.encoders import encoder_name, patch_size
from jepa.config.fields import fields, value_of
from jepa.config.load import changed, differences, from_yaml, load, presets, to_yaml
from jepa.config.masked import HierarchyConfig, MaskConfig, ViTConfig
from jepa.config.rules import check
from jepa.config.schema import (
    AugmentConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    JEPAConfig,
    LossConfig,
    OptimConfig,
    RegionConfig,
    TrainConfig,
)

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "HierarchyConfig",
    "JEPAConfig",
    "LossConfig",
    "MaskConfig",
    "OptimConfig",
    "RegionConfig",
    "TrainConfig",
    "ViTConfig",
    "changed",
    "check",
    "differences",
    "encoder_name",
    "fields",
    "from_yaml",
    "load",
    "patch_size",
    "presets",
    "to_yaml",
    "value_of",
]
