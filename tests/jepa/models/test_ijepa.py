"""I-JEPA against one official computation: images, weights, masks, outputs, loss and all gradients, in float64."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig, load
from jepa.data.masked import MaskedBatch
from jepa.masks import Masks, MultiBlockMasks
from jepa.methods import MaskedJEPA
from jepa.models import IJEPA

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "ijepa-golden.npz")
MASKS = Masks([GOLDEN["masks.context.0"]], [GOLDEN[f"masks.target.{k}"] for k in range(4)], None, None)
VIT = ViTConfig(patch_size=4, dim=48, depth=3, heads=4, predictor_dim=24, predictor_depth=2, predictor_heads=4)


def official(dtype: str) -> IJEPA:
    model = IJEPA(JEPAConfig(image_size=32), VIT)
    model.to(dtype=dtype)
    parts = {
        "encoder": model.context_encoder,
        "predictor": model.predictor,
        "target_encoder": model.encoder("target"),
    }
    for name, part in parts.items():
        stem = f"{name}."
        state = {k.removeprefix(stem): v for k, v in GOLDEN.items() if k.startswith(stem) and k != f"{stem}output"}
        part.load_state_dict(state)  # strict: official names, nothing missing, nothing else
    return model


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_the_official_numbers(dtype: str, tolerance: float) -> None:
    model = official(dtype)
    images = mt.Tensor(GOLDEN["images"].astype(dtype))
    z = model(images, MASKS)
    target = mt.nn.functional.layer_norm(z.target, (48,))
    loss = mt.nn.functional.smooth_l1_loss(z.prediction, target)
    loss.backward()
    found = {
        "target_encoder.output": model.encode_target(images),
        "context_encoder.output": z.context,
        "targets": target,
        "prediction": z.prediction,
        "loss": loss,
    }
    for name, value in found.items():
        assert np.abs(value.numpy() - GOLDEN[name]).max() <= tolerance * np.abs(GOLDEN[name]).max(), name
    compared = set()
    for part, layer in (("encoder", model.context_encoder), ("predictor", model.predictor)):
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
    model = IJEPA(JEPAConfig(image_size=32), VIT)
    assert np.allclose(model.context_encoder.pos_embed.numpy(), GOLDEN["encoder.pos_embed"], atol=1e-6)
    assert np.allclose(model.predictor.predictor_pos_embed.numpy(), GOLDEN["predictor.predictor_pos_embed"], atol=1e-6)


def method(*overrides: str) -> MaskedJEPA:
    words = "method=ijepa loss.name=smooth_l1 model.image_size=16 vit.dim=16 vit.depth=2 vit.heads=2".split()
    words += "vit.predictor_dim=8 vit.predictor_depth=1 vit.predictor_heads=2 masks.min_keep=2".split()
    mt.manual_seed(0)
    return MaskedJEPA(load(overrides=[*words, *overrides]), steps=100)


def batch(seed: int = 0, n: int = 6, **settings: Any) -> MaskedBatch:
    generator = np.random.default_rng(seed)
    images = generator.standard_normal((n, 3, 16, 16)).astype(np.float32)
    sampler = MultiBlockMasks(**{"min_keep": 2, "target_scale": (0.2, 0.3), **settings})
    return MaskedBatch(images, images, sampler.sample((4, 4), n, generator), np.arange(n))


def test_several_contexts_are_each_asked_for_every_target() -> None:
    made = method()
    both = batch(contexts=2, targets=3)
    e = made.embed(both)
    n, kept = both.masks.target[0].shape
    assert e.prediction.shape == e.target.shape == (3 * 2 * n, kept, 16)
    for context in range(2):  # list-major: target, then context, then image
        alone = made.embed(both._replace(masks=both.masks._replace(context=[both.masks.context[context]])))
        for target in range(3):
            rows = slice((target * 2 + context) * n, (target * 2 + context + 1) * n)
            own = slice(target * n, (target + 1) * n)
            assert np.allclose(e.prediction.numpy()[rows], alone.prediction.numpy()[own], atol=1e-5)
            assert np.allclose(e.target.numpy()[rows], alone.target.numpy()[own], atol=1e-5)


def test_padded_masks_give_the_loss_of_each_image_alone() -> None:
    made = method()
    with mt.no_grad():  # larger than at first, so that a look at what is padding shows
        for p in made.model.parameters():
            if p.requires_grad and p.ndim > 1:
                p[...] = 20 * p
    padded = batch(collate="pad", sizes="sample")
    assert padded.masks.context_valid is not None and not padded.masks.context_valid[0].all()
    losses, weights = [], []
    for i in range(6):
        m = padded.masks
        targets = [t[i][v[i]] for t, v in zip(m.target, m.target_valid or [], strict=True)]
        for t in targets:
            own = Masks([m.context[0][i][m.context_valid[0][i]][None]], [t[None]], None, None)
            losses.append(
                float(made.loss(MaskedBatch(*(x[i : i + 1] for x in padded[:2]), own, np.arange(1)))[0]["loss"])
            )
            weights.append(len(t))
    together = float(made.loss(padded)[0]["loss"])
    assert abs(together - np.average(losses, weights=weights)) < 1e-5


def test_it_learns_and_uses_where_the_targets_are() -> None:
    made = method("model.ema_start=0.9")
    optimizer = mt.optim.AdamW([p for p in made.model.parameters() if p.requires_grad], lr=3e-3)
    ramp = np.linspace(-1, 1, 16, dtype=np.float32)
    images = np.stack([a * ramp[:, None] + b * ramp for a, b in np.random.default_rng(1).normal(size=(32, 2))])
    images = np.repeat(images[:, None], 3, axis=1).astype(np.float32)
    losses = []
    for step in range(120):
        masks = MultiBlockMasks(min_keep=2).sample((4, 4), 32, np.random.default_rng(step))
        optimizer.zero_grad()
        loss = made.loss(MaskedBatch(images, images, masks, np.arange(32)))[0]["loss"]
        loss.backward()
        optimizer.step()
        made.after_step(step)
        losses.append(float(loss))
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])
    masks = MultiBlockMasks(min_keep=2).sample((4, 4), 32, np.random.default_rng(999))
    held_out = made.held_out([MaskedBatch(images, images, masks, np.arange(32))])
    assert held_out["ratio"] > 1.05  # told another image's places, it predicts worse


def test_the_moving_average_rises_linearly_or_along_a_cosine() -> None:
    made = method("model.ema_start=0.996", "model.ema_end=1.0", "model.ema_schedule=linear")
    assert np.allclose([made.momentum(s) for s in (0, 50, 100)], [0.996, 0.998, 1.0])
    made = method("model.ema_start=0.996", "model.ema_end=1.0", "model.ema_schedule=cosine")
    rising = [made.momentum(s) for s in range(101)]
    assert rising[0] == 0.996 and rising[-1] == 1.0 and all(np.diff(rising) > 0)


def test_pools() -> None:
    made = method("vit.class_token=true")
    images = batch().images
    shapes = {p: made.model.features(images, pool=p).shape for p in ("mean", "cls", "attentive", "last4")}
    assert shapes == {"mean": (6, 16), "cls": (6, 16), "attentive": (6, 16), "last4": (6, 32)}  # it has two blocks
    assert np.allclose(made.model.features(images), made.model.tokens(images).mean(axis=1), atol=1e-6)
    with pytest.raises(ValueError, match="pool is 'mean', 'cls', 'attentive' or 'last4'; got 'max'"):
        made.model.features(images, pool="max")
    with pytest.raises(ValueError, match="needs an encoder with a class token"):
        method().model.features(images, pool="cls")
