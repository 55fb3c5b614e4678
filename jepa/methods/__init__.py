"""Methods: what one batch costs, which parameters learn, and what happens after a step. The loop knows only this."""

from jepa.methods.crops import CropJEPA

__all__ = ["CropJEPA"]
