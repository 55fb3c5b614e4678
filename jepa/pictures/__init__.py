"""Pictures of a run: arrays in, a matplotlib Figure out; `draw` gathers them in a report.

What a picture shows is asked of the run's parts. A source names the module that draws its examples, as `pictures`:
`jepa.pictures.image`, `line` or `strip`, or one with the same four functions (`show`, `mark`, `write`, `ratio`). A task
names the module that draws its questions and their answers: `jepa.pictures.crops`, `masked`, `views`, or one with
`examples(run, count)`, what the model makes of held-out examples, and `figures(run, examples)`, pictures of that.
"""

from jepa.pictures.curves import plot_curriculum, plot_health, plot_loss, plot_schedules
from jepa.pictures.embedding import plot_embedding
from jepa.pictures.projection import pca, project
from jepa.pictures.records import read_metrics
from jepa.pictures.report import draw
from jepa.pictures.similarity import cosine_matrix, plot_similarity
from jepa.pictures.style import save
from jepa.pictures.summary import summary
from jepa.pictures.table import plot_probes

__all__ = [
    "cosine_matrix",
    "draw",
    "pca",
    "plot_curriculum",
    "plot_embedding",
    "plot_health",
    "plot_loss",
    "plot_probes",
    "plot_schedules",
    "plot_similarity",
    "project",
    "read_metrics",
    "save",
    "summary",
]
