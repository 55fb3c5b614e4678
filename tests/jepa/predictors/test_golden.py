"""I-JEPA against one official computation: images, weights, masks, outputs, loss and all gradients, in float64."""

from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Batch, Keep
from jepa.encoders import ViT
from jepa.learner import JEPA
from jepa.predictors import Places
from jepa.tasks.masked import Places as Asked

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "ijepa-golden.npz")
ASKED = Asked(np.stack([GOLDEN[f"masks.target.{k}"] for k in range(4)], axis=1))
KEEP = Keep(GOLDEN["masks.context.0"][:, None])


def made() -> JEPA:
    encoder = ViT((3, 32, 32), patch=4, dim=48, depth=3, heads=4)
    return JEPA(encoder, Places(48, encoder.grid, dim=24, depth=2, heads=4))


def official(dtype: str) -> JEPA:
    model = made().to(dtype=dtype)
    parts = {
        "encoder": model.context.encoder,
        "predictor": model.predictor,
        "target_encoder": model.encoders["target"],
    }
    for name, part in parts.items():
        stem = f"{name}."
        state = {k.removeprefix(stem): v for k, v in GOLDEN.items() if k.startswith(stem) and k != f"{stem}output"}
        part.load_state_dict(state)  # strict: official names, nothing missing, nothing else
    return model


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_the_official_numbers(dtype: str, tolerance: float) -> None:
    model = official(dtype)
    images = GOLDEN["images"].astype(dtype)
    parts, z = model.loss(Batch(images, KEEP, images[:, None], ASKED))
    parts["loss"].backward()
    encoders = model.encoders
    found = {
        "target_encoder.output": encoders["target"].tokens(mt.Tensor(images)),
        "context_encoder.output": encoders["context"].tokens(mt.Tensor(images), KEEP),
        "targets": model.objective.targets(mt.concatenate(z.targets)),
        "prediction": mt.concatenate(z.predictions),  # first all images of the first block, as there
        "loss": parts["loss"],
    }
    for name, value in found.items():
        assert np.abs(value.numpy() - GOLDEN[name]).max() <= tolerance * np.abs(GOLDEN[name]).max(), name
    compared = set()
    for part, layer in (("encoder", encoders["context"]), ("predictor", model.predictor)):
        gradients = {k: p.grad.numpy() for k, p in layer.named_parameters() if p.grad is not None}
        for name, g in gradients.items():
            reference = GOLDEN[f"grad.{part}.{name}"]
            scale = np.abs(reference).max()
            if name.endswith("qkv.bias"):  # a third of it, the keys', is zero but for rounding
                scale = max(np.abs(GOLDEN[f"grad.{part}.{k}"]).max() for k in gradients if k[:8] == name[:8])
            assert np.abs(g - reference).max() <= tolerance * scale, name
            compared.add(f"grad.{part}.{name}")
    assert compared == {k for k in GOLDEN if k.startswith("grad.")}


def test_the_fixed_positions_are_the_official_ones() -> None:
    model = made()
    assert np.allclose(model.context.encoder.pos_embed.numpy(), GOLDEN["encoder.pos_embed"], atol=1e-6)
    assert np.allclose(model.predictor.predictor_pos_embed.numpy(), GOLDEN["predictor.predictor_pos_embed"], atol=1e-6)
