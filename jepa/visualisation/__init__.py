"""Pictures of a run: arrays in, a matplotlib Figure out; `draw` gathers them in a report."""

from jepa.visualisation.curves import plot_curriculum, plot_health, plot_loss, plot_schedules
from jepa.visualisation.embedding import plot_embedding
from jepa.visualisation.masks import plot_masks
from jepa.visualisation.projection import pca, project
from jepa.visualisation.reconstruction import plot_reconstruction
from jepa.visualisation.records import read_metrics
from jepa.visualisation.regions import plot_regions
from jepa.visualisation.report import draw
from jepa.visualisation.similarity import cosine_matrix, plot_similarity
from jepa.visualisation.style import save
from jepa.visualisation.summary import summary
from jepa.visualisation.table import plot_probes

__all__ = [
    "cosine_matrix",
    "draw",
    "pca",
    "plot_curriculum",
    "plot_embedding",
    "plot_health",
    "plot_loss",
    "plot_masks",
    "plot_probes",
    "plot_reconstruction",
    "plot_regions",
    "plot_schedules",
    "plot_similarity",
    "read_metrics",
    "save",
    "summary",
    "project",
]
