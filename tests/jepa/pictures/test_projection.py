import sys

import numpy as np
import pytest

from jepa.errors import JEPAError
from jepa.pictures.embedding import plot_embedding, project

Z = np.concatenate([np.random.default_rng(k).normal(6 * k, 1, (30, 5)) for k in range(3)])
LABELS = np.repeat(np.arange(3), 30)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_planted_groups_stay_together(method):
    if method == "tsne":
        pytest.importorskip("sklearn")
    points = project(Z, method)
    assert points.shape == (90, 2)
    centers = np.stack([points[LABELS == k].mean(axis=0) for k in range(3)])
    nearest = np.linalg.norm(points[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest == LABELS).mean() > 0.95
    assert np.array_equal(project(Z, method), points)


def test_what_is_missing_names_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)  # as if it were not installed
    with pytest.raises(JEPAError, match=r"UMAP needs umap-learn: pip install 'minitensor-jepa\[viz\]'"):
        project(Z, "umap")
    with pytest.raises(JEPAError, match="projected by pca, tsne, umap; got 'lda'"):
        project(Z, "lda")


def test_axes_say_what_they_are():
    assert "% of the variance" in plot_embedding(Z, LABELS).axes[0].get_xlabel()
    pytest.importorskip("sklearn")
    assert plot_embedding(Z, LABELS, method="tsne").axes[0].get_xlabel() == "t-SNE 1"
