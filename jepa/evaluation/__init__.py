"""Measuring a frozen encoder: probes beside their baselines, and the health of the representation."""

from jepa.evaluation.embed import embed, embed_pretrained, write_embeddings
from jepa.evaluation.evaluate import evaluate_run
from jepa.evaluation.linear import linear_probe
from jepa.evaluation.neighbors import knn, nearest_classes
from jepa.evaluation.probes import FIGURES, PROBES, Protocol, chance, probe_table

__all__ = ["FIGURES", "PROBES", "Protocol", "chance", "embed", "embed_pretrained", "evaluate_run", "knn"]
__all__ += ["linear_probe", "nearest_classes", "probe_table", "write_embeddings"]
