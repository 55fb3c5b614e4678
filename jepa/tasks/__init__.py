"""Tasks: from examples to a question about each. `jepa.contracts.Task` is the contract."""

from jepa.tasks.base import Task, generators
from jepa.tasks.batches import Batches
from jepa.tasks.crops import Crops
from jepa.tasks.forecast import Forecast
from jepa.tasks.future import Future
from jepa.tasks.halves import Halves
from jepa.tasks.levels import Levels
from jepa.tasks.masked import Masked
from jepa.tasks.multiview import MultiView
from jepa.tasks.saccade import Saccade
from jepa.tasks.views import Views

__all__ = [
    "Batches",
    "Crops",
    "Forecast",
    "Future",
    "Halves",
    "Levels",
    "Masked",
    "MultiView",
    "Saccade",
    "Task",
    "Views",
    "generators",
]
