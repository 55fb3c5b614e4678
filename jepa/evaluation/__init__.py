"""Measuring a frozen encoder: probes beside their baselines, and the health of the representation."""

from jepa.evaluation.embed import embed, write_embeddings
from jepa.evaluation.evaluate import evaluate_run
from jepa.evaluation.knn import knn, nearest_classes
from jepa.evaluation.linear_probe import ProbeResult, linear_probe
from jepa.evaluation.protocol import chance, probe_table
from jepa.evaluation.quality import alignment, cosine, effective_rank, feature_std, is_collapsed, uniformity

__all__ = [
    "ProbeResult",
    "alignment",
    "chance",
    "cosine",
    "effective_rank",
    "embed",
    "evaluate_run",
    "feature_std",
    "is_collapsed",
    "knn",
    "linear_probe",
    "nearest_classes",
    "probe_table",
    "uniformity",
    "write_embeddings",
]
