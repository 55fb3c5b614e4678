"""Joint-Embedding Predictive Architectures on `minitensor`: learn from a folder of images what no label says.

    import jepa
    result = jepa.train(jepa.load_config("demo"), out="runs/demo")
    print(jepa.evaluate("runs/demo")["linear"])

Names are loaded when they are first used: `import jepa` loads neither NumPy nor anything heavier, so that the command
line can still set the number of threads.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa.config import Config as Config
    from jepa.config import JEPAConfig as JEPAConfig
    from jepa.config import load as load_config
    from jepa.data.folder import ImageFolder as ImageFolder
    from jepa.errors import JEPAError as JEPAError
    from jepa.evaluation.embed import embed as embed
    from jepa.evaluation.evaluate import evaluate_run as evaluate
    from jepa.models.generic import JEPA as JEPA
    from jepa.models.hjepa import HJEPA as HJEPA
    from jepa.models.hjepa import create_hjepa as create_hjepa
    from jepa.models.hjepa import create_hjepa_from_config as create_hjepa_from_config
    from jepa.models.ijepa import IJEPA as IJEPA
    from jepa.models.jepa import JEPAModel as JEPAModel
    from jepa.runs.run import load_run as load_run
    from jepa.training.run import train as train

__version__ = "0.1.0"

_HOMES = {
    "Config": "jepa.config:Config",
    "HJEPA": "jepa.models.hjepa:HJEPA",
    "IJEPA": "jepa.models.ijepa:IJEPA",
    "ImageFolder": "jepa.data.folder:ImageFolder",
    "JEPA": "jepa.models.generic:JEPA",
    "JEPAConfig": "jepa.config:JEPAConfig",
    "JEPAError": "jepa.errors:JEPAError",
    "JEPAModel": "jepa.models.jepa:JEPAModel",
    "embed": "jepa.evaluation.embed:embed",
    "create_hjepa": "jepa.models.hjepa:create_hjepa",
    "create_hjepa_from_config": "jepa.models.hjepa:create_hjepa_from_config",
    "evaluate": "jepa.evaluation.evaluate:evaluate_run",
    "load_config": "jepa.config:load",
    "load_run": "jepa.runs.run:load_run",
    "train": "jepa.training.run:train",
}

__all__ = [
    "Config",
    "HJEPA",
    "IJEPA",
    "ImageFolder",
    "JEPA",
    "JEPAConfig",
    "JEPAError",
    "JEPAModel",
    "__version__",
    "create_hjepa",
    "create_hjepa_from_config",
    "embed",
    "evaluate",
    "load_config",
    "load_run",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'jepa' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return __all__
