"""Joint-Embedding Predictive Architectures on `minitensor`: learn from examples what no label says.

    import jepa
    result = jepa.train(jepa.load_config("demo"), out="runs/demo")
    print(jepa.evaluate("runs/demo")["linear"])

The same from parts, of any kinds that fit, or of one's own:

    source = jepa.sources.Arrays(x, labels)
    encoder = jepa.encoders.ViT(source.shape, patch=8, dim=64, depth=2, heads=2)
    model = jepa.JEPA(encoder, jepa.predictors.Places(encoder.dim, encoder.grid, dim=32, depth=1, heads=2))
    result = jepa.fit(model, source, jepa.tasks.Masked(), out="runs/mine", epochs=10)

Names are loaded when they are first used: `import jepa` loads neither NumPy nor anything heavier, so that the command
line can still set the number of threads.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa import encoders as encoders
    from jepa import objectives as objectives
    from jepa import predictors as predictors
    from jepa import projectors as projectors
    from jepa import sources as sources
    from jepa import targets as targets
    from jepa import tasks as tasks
    from jepa.config import Config as Config
    from jepa.config import load as load_config
    from jepa.errors import JEPAError as JEPAError
    from jepa.estimator import JEPAFeatures as JEPAFeatures
    from jepa.evaluation.embed import embed as embed
    from jepa.evaluation.evaluate import evaluate_run as evaluate
    from jepa.names import HJEPA as HJEPA
    from jepa.names import IJEPA as IJEPA
    from jepa.names import JEPA as JEPA
    from jepa.names import ContextEncoder as ContextEncoder
    from jepa.names import JEPAConfig as JEPAConfig
    from jepa.names import JEPAModel as JEPAModel
    from jepa.names import Predictor as Predictor
    from jepa.names import TargetEncoder as TargetEncoder
    from jepa.names import create_hjepa as create_hjepa
    from jepa.names import create_hjepa_from_config as create_hjepa_from_config
    from jepa.names import extract_features as extract_features
    from jepa.names import update_target_encoder as update_target_encoder
    from jepa.runs.run import load_run as load_run
    from jepa.sources import ImageFolder as ImageFolder
    from jepa.training.fit import fit as fit
    from jepa.training.run import train as train

__version__ = "0.1.0"

_ROOMS = ("encoders", "objectives", "predictors", "projectors", "sources", "targets", "tasks")
_HOMES = {
    **{room: f"jepa.{room}" for room in _ROOMS},
    "Config": "jepa.config:Config",
    "ContextEncoder": "jepa.names:ContextEncoder",
    "HJEPA": "jepa.names:HJEPA",
    "IJEPA": "jepa.names:IJEPA",
    "ImageFolder": "jepa.sources:ImageFolder",
    "JEPA": "jepa.names:JEPA",
    "JEPAConfig": "jepa.names:JEPAConfig",
    "JEPAError": "jepa.errors:JEPAError",
    "JEPAFeatures": "jepa.estimator:JEPAFeatures",
    "JEPAModel": "jepa.names:JEPAModel",
    "Predictor": "jepa.names:Predictor",
    "TargetEncoder": "jepa.names:TargetEncoder",
    "create_hjepa": "jepa.names:create_hjepa",
    "create_hjepa_from_config": "jepa.names:create_hjepa_from_config",
    "embed": "jepa.evaluation.embed:embed",
    "evaluate": "jepa.evaluation.evaluate:evaluate_run",
    "extract_features": "jepa.names:extract_features",
    "fit": "jepa.training.fit:fit",
    "load_config": "jepa.config:load",
    "load_run": "jepa.runs.run:load_run",
    "train": "jepa.training.run:train",
    "update_target_encoder": "jepa.names:update_target_encoder",
}

__all__ = [
    "Config",
    "ContextEncoder",
    "HJEPA",
    "IJEPA",
    "ImageFolder",
    "JEPA",
    "JEPAConfig",
    "JEPAError",
    "JEPAFeatures",
    "JEPAModel",
    "Predictor",
    "TargetEncoder",
    "__version__",
    "create_hjepa",
    "create_hjepa_from_config",
    "embed",
    "encoders",
    "evaluate",
    "extract_features",
    "fit",
    "load_config",
    "load_run",
    "objectives",
    "predictors",
    "projectors",
    "sources",
    "targets",
    "tasks",
    "train",
    "update_target_encoder",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'jepa' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    module, _, attribute = _HOMES[name].partition(":")
    value: object = importlib.import_module(module)
    value = getattr(value, attribute) if attribute else value
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return __all__
