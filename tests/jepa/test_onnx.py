"""Every encoder exports to ONNX and agrees in onnxruntime to 1e-5, on another input and another batch."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig
from jepa.models.configured import image_encoder, token_encoder
from jepa.models.sequence import SequenceEncoder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from tests.minitensor.interop.onnx_check import check  # noqa: E402

SMALL = {"channels": 3, "image_size": 16, "embedding_dim": 8, "widths": (8, 12)}
VIT = {"dim": 24, "depth": 2, "heads": 2}


def images(n=2, side=16):
    return mt.Tensor(np.random.default_rng(0).standard_normal((n, 3, side, side)).astype(np.float32))


@pytest.mark.parametrize("encoder, n", [("cnn", 1), ("resnet18", 2), ("convnext", 2), ("mlp", 2), ("vit", 1)])
def test_image_encoders(encoder, n, tmp_path):
    mt.manual_seed(0)
    model = image_encoder(JEPAConfig(encoder=encoder, **SMALL), ViTConfig(**VIT))
    model(images(8))  # running statistics that are not 0 and 1
    assert check(model, [images(n)], tmp_path / "encoder.onnx") == ([], True)


@pytest.mark.parametrize("encoder", ["cnn", "resnet18", "convnext"])
def test_tokens_and_pooled(encoder, tmp_path):
    config = JEPAConfig(encoder=encoder, **SMALL)
    assert check(token_encoder(config, ViTConfig(**VIT)), [images()], tmp_path / "tokens.onnx") == ([], True)
    model = image_encoder(config, ViTConfig(**VIT))
    assert check(Part(model, model.pooled), [images()], tmp_path / "pooled.onnx") == ([], True)


class Part(mt.nn.Layer):
    """A method of an encoder as a model."""

    def __init__(self, encoder, method):
        self.encoder, self.method = encoder, method

    def forward(self, x):
        return self.method(x)


@pytest.mark.parametrize("positions", ["sincos", "learned"])
@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("body", ["transformer", "energy"])
def test_tokens_of_patches(body, class_token, positions, tmp_path):
    vit = ViTConfig(**VIT, body=body, class_token=class_token, positions=positions)
    model = token_encoder(JEPAConfig(encoder="vit", **SMALL), vit)
    assert check(model, [images()], tmp_path / "vit.onnx") == ([], True)


def test_sequences(tmp_path):
    draw = np.random.default_rng(0)
    steps = mt.Tensor(draw.standard_normal((2, 7, 3)).astype(np.float32))
    model = SequenceEncoder(hidden_dim=8, input_dim=3, depth=2, heads=2, batch_first=True)
    assert check(model, [steps], tmp_path / "steps.onnx") == ([], True)
    valid = mt.Tensor(np.array([[True] * 7, [True] * 4 + [False] * 3]))
    assert check(model, [steps, valid], tmp_path / "valid.onnx") == ([], True)
    assert check(Part(model, model.tokens), [steps], tmp_path / "tokens.onnx") == ([], True)
    ids = SequenceEncoder(hidden_dim=8, vocab_size=9, depth=1, heads=2)
    words = mt.Tensor(draw.integers(0, 9, (7, 2)))
    assert check(ids, [words], tmp_path / "ids.onnx", axes=1) == ([], True)
