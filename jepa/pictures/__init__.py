"""Pictures of a run: arrays in, a matplotlib Figure out; `report.draw` gathers them in a report.

What a picture shows is asked of the run's parts. A source names the module that draws its examples, as `pictures`:
`jepa.pictures.image` (images and clips) or `line` (series), or one with the same six functions: `show`, `mark`,
`write`, `boxes`, `thumbnail`, `ratio`. A task names the module that draws its questions and their answers:
`jepa.pictures.crops`, `masked`, `views`, or one with `examples(run, count)`, what the model makes of held-out examples,
and `figures(run, examples)`, pictures of that by name.
"""

from jepa.pictures.report import draw
from jepa.pictures.results import summary

__all__ = ["draw", "summary"]
