"""Tasks: from examples to a question about each. `jepa.contracts.Task` is the contract."""

from jepa.tasks.base import Task, generators
from jepa.tasks.crops import Crops

__all__ = ["Crops", "Task", "generators"]
