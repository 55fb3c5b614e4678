"""`jepa embed --pretrained`: weights in a folder; checkpoints as published are in tests/jepa/pretrained."""

from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from jepa.encoders import MLP, ViT
from jepa.errors import ConfigError, RunError
from jepa.evaluation.embed import embed_pretrained
from jepa.pretrained import save_pretrained
from jepa.pretrained.published import IMAGENET
from jepa.sources import ImageFolder


def test_embeddings_by_a_transformer(shapes_folder: Path, tmp_path: Path) -> None:
    mt.manual_seed(0)
    encoder = ViT((3, 24, 24), patch=8, dim=12, depth=2, heads=2, class_token=True).eval()
    save_pretrained(encoder, tmp_path / "vit")
    found = np.load(embed_pretrained(tmp_path / "vit", shapes_folder, tmp_path / "z.npz"))
    images = ImageFolder(shapes_folder, size=24).read(range(5))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in IMAGENET)
    with mt.no_grad():
        expected = encoder.tokens(mt.Tensor((images - mean) / std)).numpy().mean(axis=1)
    assert np.allclose(found["embeddings"][:5], expected, atol=1e-5) and len(found["names"]) == 80
    few = embed_pretrained(tmp_path / "vit", shapes_folder, tmp_path / "few.csv", settings=["source.limit=10"])
    assert len(few.read_text().splitlines()) == 11


def test_what_cannot_be_embedded_is_refused_in_a_sentence(shapes_folder: Path, tmp_path: Path) -> None:
    small = {"patch": 4, "dim": 8, "depth": 1, "heads": 2}
    for name, encoder, text in (
        ("mlp", MLP((3, 8, 8)), "vision transformer"),
        ("gray", ViT((1, 8, 8), **small), "only images in color, of 3 channels"),
        ("wide", ViT((3, 8, 16), **small), "images of 8 x 16 pixels; only squares"),
    ):
        save_pretrained(encoder, tmp_path / name)
        with pytest.raises(RunError, match=text):
            embed_pretrained(tmp_path / name, shapes_folder, tmp_path / "z.npz")
    with pytest.raises(RunError, match="there are no weights nothing"):
        embed_pretrained("nothing", shapes_folder, tmp_path / "z.npz")
    save_pretrained(ViT((3, 8, 8), **small), tmp_path / "vit")
    with pytest.raises(ConfigError, match=r"source\.sizes"):
        embed_pretrained(tmp_path / "vit", shapes_folder, tmp_path / "z.npz", settings=["source.sizes=1"])
