"""Every encoder exports to ONNX and agrees in onnxruntime to 1e-5, on another input and another batch."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import CNN, MLP, ConvNeXt, EnergyTransformer, ResNet, ViT

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from tests.minitensor.interop.onnx_check import check  # noqa: E402

SMALL = {"patch": 4, "dim": 24, "depth": 2, "heads": 2}
ENCODERS = {
    "cnn": lambda: CNN((3, 16, 16), widths=(8, 12)),
    "resnet": lambda: ResNet((3, 16, 16), width=8),
    "convnext": lambda: ConvNeXt((3, 16, 16), depths=(1, 2), dims=(8, 12)),
    "mlp": lambda: MLP((3, 16, 16), width=24),
    "vit": lambda: ViT((3, 16, 16), **SMALL),
    "energy": lambda: EnergyTransformer((3, 16, 16), **SMALL),
    "series": lambda: ViT((3, 32), **SMALL),
    "clips": lambda: ViT((2, 4, 8, 8), **{**SMALL, "patch": (2, 4, 4)}),
}


def examples(shape, n=2):
    return mt.Tensor(np.random.default_rng(0).standard_normal((n, *shape)).astype(np.float32))


class Part(mt.nn.Layer):
    """A method of an encoder as a model."""

    def __init__(self, encoder, method, *args):
        self.encoder, self.method, self.args = encoder, method, args

    def forward(self, x):
        return self.method(x, *self.args)


@pytest.mark.parametrize("kind", ENCODERS)
def test_tokens_and_every_pool(kind, tmp_path):
    mt.manual_seed(0)
    encoder = ENCODERS[kind]()
    encoder(examples(encoder.shape, 8))  # running statistics that are not 0 and 1
    assert check(encoder, [examples(encoder.shape)], tmp_path / "tokens.onnx") == ([], True)
    for pool in encoder.pools:
        part = Part(encoder, encoder.pooled, pool)
        assert check(part, [examples(encoder.shape)], tmp_path / "pooled.onnx") == ([], True)


@pytest.mark.parametrize("positions", ["sincos", "learned"])
@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("kind", [ViT, EnergyTransformer])
def test_tokens_of_patches(kind, class_token, positions, tmp_path):
    encoder = kind((3, 16, 16), **SMALL, class_token=class_token, positions=positions)
    assert check(encoder, [examples((3, 16, 16))], tmp_path / "vit.onnx") == ([], True)
    if class_token:
        part = Part(encoder, encoder.pooled, "cls")
        assert check(part, [examples((3, 16, 16))], tmp_path / "cls.onnx") == ([], True)


def test_kept_places(tmp_path):
    encoder, keep = ViT((3, 32), **SMALL), Keep(np.array([[[0, 3, 5]]]))
    part = Part(encoder, lambda x: encoder.tokens(x[:1], keep))
    assert check(part, [examples((3, 32))], tmp_path / "kept.onnx", axes=None) == ([], False)
