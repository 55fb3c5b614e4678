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
    from jepa import encoders, objectives, planning, predictors, projectors, sources, targets, tasks
    from jepa.config import Config
    from jepa.config import load as load_config
    from jepa.errors import JEPAError
    from jepa.estimator import JEPAFeatures
    from jepa.evaluation.embed import embed
    from jepa.evaluation.evaluate import evaluate_run as evaluate
    from jepa.finetuning.finetune import finetune
    from jepa.finetuning.predict import predict
    from jepa.names import (
        HJEPA,
        IJEPA,
        JEPA,
        ContextEncoder,
        JEPAConfig,
        JEPAModel,
        Predictor,
        TargetEncoder,
        create_hjepa,
        create_hjepa_from_config,
        extract_features,
        update_target_encoder,
    )
    from jepa.planning.control import Agent
    from jepa.planning.plan import plan_run as plan
    from jepa.runs.run import load_run
    from jepa.sources import ImageFolder
    from jepa.training.fit import fit
    from jepa.training.run import train

__version__ = "0.1.0"
__all__ = [
    "Agent", "Config", "ContextEncoder", "HJEPA", "IJEPA", "ImageFolder", "JEPA", "JEPAConfig", "JEPAError",
    "JEPAFeatures", "JEPAModel", "Predictor", "TargetEncoder", "__version__", "create_hjepa",
    "create_hjepa_from_config", "embed", "encoders", "evaluate", "extract_features", "finetune", "fit", "load_config",
    "load_run", "objectives", "plan", "planning", "predict", "predictors", "projectors", "sources", "targets", "tasks",
    "train", "update_target_encoder",
]  # fmt: skip

_ROOMS = "encoders objectives planning predictors projectors sources targets tasks".split()
_HOMES = {
    **{room: f"jepa.{room}:" for room in _ROOMS},
    "Config": "jepa.config:Config",
    "load_config": "jepa.config:load",
    "JEPAError": "jepa.errors:JEPAError",
    "JEPAFeatures": "jepa.estimator:JEPAFeatures",
    "embed": "jepa.evaluation.embed:embed",
    "evaluate": "jepa.evaluation.evaluate:evaluate_run",
    "finetune": "jepa.finetuning.finetune:finetune",
    "predict": "jepa.finetuning.predict:predict",
    "Agent": "jepa.planning.control:Agent",
    "plan": "jepa.planning.plan:plan_run",
    "load_run": "jepa.runs.run:load_run",
    "ImageFolder": "jepa.sources:ImageFolder",
    "fit": "jepa.training.fit:fit",
    "train": "jepa.training.run:train",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'jepa' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, attribute = _HOMES.get(name, f"jepa.names:{name}").partition(":")
    value: object = importlib.import_module(module)
    value = getattr(value, attribute) if attribute else value
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return __all__
