"""Further evaluations, that a task or a source names: of a pose, of what comes next, of what belongs together.

Each is a module with three functions, and a line of `MEASURES`:

    measured(run, twin) -> dict                    the figures of a run and of its untrained twin (None: there is none),
                                                   which stand in ``evaluation.json`` under the name
    sentences(found, rows) -> list[str]            what they say; rows: what rows of tables are called
    tables(found, rows) -> list[Table]             the same for the report
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

MEASURES = {
    "pose": "jepa.evaluation.pose",
    "detection": "jepa.evaluation.detection",
    "forecast": "jepa.evaluation.forecast",
    "rollout": "jepa.evaluation.rollout",
    "energy": "jepa.evaluation.energy",
    "retrieval": "jepa.evaluation.retrieval",
}
"""name -> module"""


class Table(NamedTuple):
    """A table of the report."""

    heads: list[str]
    """of the columns; the first names what the rows are of"""
    rows: list[list[str]]
    note: str = ""
    """a paragraph below it"""
    ours: int | None = 0
    """the row that stands out"""


def of(*parts: Any) -> dict[str, ModuleType]:
    """Return the modules that a task and a source name."""
    names = dict.fromkeys(name for part in parts for name in part.measures)
    return {name: importlib.import_module(MEASURES[name]) for name in names}


def found(evaluation: Mapping[str, Any]) -> list[tuple[ModuleType, Any]]:
    """Return the modules of what an evaluation has, and what it has of each."""
    names = [name for name in MEASURES if evaluation.get(name)]
    return [(importlib.import_module(MEASURES[name]), evaluation[name]) for name in names]
