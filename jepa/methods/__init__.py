"""Methods: what one batch costs, which parameters learn, and what happens after a step. The loop knows only this."""

from typing import Any

from jepa.config import Config
from jepa.methods.base import Method
from jepa.methods.crops import CropJEPA
from jepa.methods.hjepa import HierarchicalJEPA
from jepa.methods.ijepa import MaskedJEPA

__all__ = ["CropJEPA", "HierarchicalJEPA", "MaskedJEPA", "Method", "build"]


def build(config: Config, steps: int) -> Method[Any]:
    """Return the method that the config names, for a training of so many steps."""
    methods: dict[str, type[Method[Any]]] = {"crops": CropJEPA, "ijepa": MaskedJEPA, "hjepa": HierarchicalJEPA}
    return methods[config.method](config, steps)
