"""Measuring a frozen encoder: probes beside their baselines, and the health of the representation."""

from jepa.evaluation.embed import embed, embed_pretrained, write_embeddings
from jepa.evaluation.evaluate import evaluate_run
from jepa.evaluation.linear import ProbeResult, linear_probe
from jepa.evaluation.neighbors import knn, nearest_classes
from jepa.evaluation.probes import FIGURES, PROBES, Protocol, chance, probe_table
from jepa.health import alignment, cosine, effective_rank, feature_std, is_collapsed, uniformity

__all__ = [
    "FIGURES",
    "PROBES",
    "ProbeResult",
    "Protocol",
    "alignment",
    "chance",
    "cosine",
    "effective_rank",
    "embed",
    "embed_pretrained",
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
