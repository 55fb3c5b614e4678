"""The names that one knows: pairs of inputs and any two layers, the first sketch's model, I-JEPA and H-JEPA."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

import jepa
import minitensor as mt
from jepa.encoders import CNN, ViT
from jepa.errors import ConfigError, JEPAError
from jepa.masks import from_binary
from jepa.names import (
    HJEPA,
    IJEPA,
    JEPA,
    ContextEncoder,
    JEPAConfig,
    JEPAModel,
    Predictor,
    SequenceEncoder,
    TargetEncoder,
    create_hjepa,
    create_hjepa_from_config,
    extract_features,
    update_target_encoder,
)
from jepa.objectives import L2, Cosine, InfoNCE, SmoothL1, VICReg
from jepa.sources import Arrays
from jepa.tasks import Crops, Masked, Views, generators
from jepa.tasks.masked import Masked as MaskedTask

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((6, 3, 16, 16)).astype(np.float32)


def test_all_are_importable_from_the_package() -> None:
    for name in ("ContextEncoder", "HJEPA", "IJEPA", "JEPA", "JEPAConfig", "JEPAModel", "Predictor", "TargetEncoder"):
        assert getattr(jepa, name) is globals()[name]
    for name in ("create_hjepa", "create_hjepa_from_config", "extract_features", "update_target_encoder"):
        assert getattr(jepa, name) is globals()[name]


# -- any two layers ----------------------------------------------------------------------------------------------------


def fall(model: JEPA, *pair: Any, steps: int = 60) -> float:
    """Return the loss after some steps on one batch, as a share of the first one."""
    optimizer = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    course = []
    for _ in range(steps):
        loss = model.loss(*model(*pair))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_target(0.99)
        course.append(float(loss))
    return course[-1] / course[0]


@pytest.mark.parametrize(
    "encoder",
    [lambda: ContextEncoder(3, (8, 12), 16), lambda: mt.nn.Sequential(mt.nn.Flatten(), mt.nn.Linear(768, 16))],
)
def test_one_view_is_predicted_from_another(encoder: Callable[[], Any]) -> None:
    mt.manual_seed(0)
    x, y = mt.Tensor(IMAGES), mt.Tensor(np.roll(IMAGES, 2, axis=3))
    assert fall(JEPA(encoder(), Predictor(16)), x, y) < 0.7


def test_a_predictor_that_is_told_the_geometry_learns_more_than_one_that_is_not() -> None:
    shifts = RNG.integers(0, 8, (24, 1))
    images = np.repeat(IMAGES, 4, axis=0)
    views = np.stack([np.roll(image, int(s), axis=2) for image, s in zip(images, shifts[:, 0], strict=True)])
    geometry = mt.Tensor((shifts / 8).astype(np.float32))
    shares = []
    for told in (0, 1):
        mt.manual_seed(0)
        encoder = mt.nn.Sequential(mt.nn.Flatten(), mt.nn.Linear(768, 32), mt.nn.ReLU(), mt.nn.Linear(32, 16))
        model = JEPA(encoder, Predictor(16, told=told), target="stopgrad", objective=L2(normalize=False))
        model.context.requires_grad_(False)  # only the predictor learns: the targets stay where they are
        shares.append(fall(model, mt.Tensor(images), mt.Tensor(views), *([geometry] * told), steps=400))
    assert shares[1] < 0.3 * shares[0]  # several views of one image: without being told, only their mean


@pytest.mark.parametrize("target", ["ema", "stopgrad", "shared", "own"])
def test_where_gradients_go(target: str) -> None:
    mt.manual_seed(0)
    model = JEPA(ContextEncoder(3, (4, 8), 16), Predictor(16), target=target, objective=VICReg())
    prediction, true = model(mt.Tensor(IMAGES), mt.Tensor(IMAGES[::-1].copy()))
    assert true.requires_grad == (target in ("shared", "own"))
    model.loss(prediction, true).backward()
    assert all(p.grad is not None for p in model.context.parameters())


def test_the_target_follows_by_the_momentum_and_stays_without_one_of_its_own() -> None:
    mt.manual_seed(0)
    model = JEPA(mt.nn.Linear(2, 3), mt.nn.Linear(3, 3))
    weight: Any = model.encoders["target"].layer.weight  # type: ignore[attr-defined]
    before = weight.numpy().copy()
    with mt.no_grad():
        model.context.encoder.layer.weight[...] = before + 4
    model.update_target(0.75)
    assert np.allclose(weight.numpy(), before + 1)
    model.update_target(0.5)
    assert np.allclose(weight.numpy(), before + 2.5)
    shared = JEPA(mt.nn.Linear(2, 3), mt.nn.Linear(3, 3), target="stopgrad")
    shared.update_target(0.5)
    assert shared.encoders["target"] is shared.encoders["context"]


Z, S = (mt.Tensor(RNG.standard_normal((8, 3)).astype(np.float32)) for _ in range(2))


@pytest.mark.parametrize("objective", [SmoothL1(), L2(normalize=False), Cosine(), InfoNCE(), VICReg()])
def test_the_loss_of_a_pair_is_that_of_one_target_each(objective: Any) -> None:
    model = JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), objective=objective)
    by_hand = objective.compare(Z[:, None], objective.targets(S[:, None]), [Z], np.random.default_rng(0))["loss"]
    assert float(model.loss(Z, S)) == pytest.approx(float(by_hand), rel=1e-6)


def test_a_shared_encoder_collapses_where_nothing_spreads() -> None:
    with pytest.raises(ConfigError, match="target=shared with objective=smooth_l1 must collapse"):
        JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), target="shared")
    spread = []
    for objective in (L2(normalize=False), VICReg()):
        mt.manual_seed(0)
        model = JEPA(mt.nn.Linear(6, 4), mt.nn.Identity(), target="shared", objective=VICReg())
        model.objective = objective  # what the check is for
        optimizer, rng = mt.optim.Adam(model.parameters(), lr=1e-2), np.random.default_rng(0)
        for _ in range(150):
            x = rng.standard_normal((32, 6)).astype(np.float32)
            y = x + 0.5 * rng.standard_normal((32, 6)).astype(np.float32)
            prediction, target = model(mt.Tensor(x), mt.Tensor(y))
            optimizer.zero_grad()
            model.loss(prediction, target).backward()
            optimizer.step()
        spread.append(prediction.numpy().std(axis=0).mean())
    assert spread[0] < 0.01 and spread[1] > 0.8


@pytest.mark.parametrize("task", [Crops(target_size=16, targets=2), Views()])
def test_two_layers_are_asked_by_tasks_without_places(task: Any) -> None:
    mt.manual_seed(0)
    model = JEPA(ContextEncoder(3, (4, 8), 16), Predictor(16))
    source = Arrays(RNG.random((16, 3, 16, 16)).astype(np.float32))
    assert jepa.fit(model, source, task, out=None, epochs=1, batch_size=8, quiet=True).steps == 1
    parts, z = model.loss(task.ask(IMAGES, (1,), generators(6)))
    assert z.context.shape == (6, 1, 16) and np.isfinite(float(parts["loss"]))


def test_a_layer_has_no_places_to_hide() -> None:
    model = JEPA(ContextEncoder(3, (4, 8), 16), Predictor(16))
    source = Arrays(RNG.random((16, 3, 16, 16)).astype(np.float32))
    with pytest.raises(ConfigError, match="task"):
        jepa.fit(model, source, Masked(), out=None, epochs=1, batch_size=8, quiet=True)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: JEPA(mt.nn.Linear(3, 4), mt.nn.Linear(4, 2))(Z, S),
            r"the predictor returns \(8, 2\) and the target encoder \(8, 4\): the shapes must be the same",
        ),
        (
            lambda: JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3)).loss(Z, S[:4]),
            r"\(8, 3\) and the target encoder \(4, 3\)",
        ),
        (lambda: JEPA(mt.nn.Linear(3, 8), Predictor(8, told=4))(Z, S), "is told 4 numbers about each target; got 0"),
        (
            lambda: JEPA(CNN((3, 16, 16), widths=(4, 8)), jepa.predictors.MLP(8, (8, 8)))(IMAGES, IMAGES),
            "predictor MLP is asked with a batch of a task",
        ),
        (lambda: SequenceEncoder(8)(mt.zeros((5, 2, 3))), r"takes sequences \(steps, n, 8\); got \(5, 2, 3\) float32"),
        (lambda: SequenceEncoder(7), "hidden_dim must be even; got 7"),
    ],
)
def test_what_does_not_fit_is_said_with_both_shapes(make: Callable[[], Any], text: str) -> None:
    with pytest.raises((ValueError, JEPAError), match=text):
        make()


def test_sequences_of_numbers_and_of_ids() -> None:
    mt.manual_seed(0)
    encoder = SequenceEncoder(8, input_dim=3, vocab_size=20, depth=1, heads=2)
    x = RNG.standard_normal((7, 4, 3)).astype(np.float32)
    valid = np.arange(7) < np.array([7, 3, 5, 1])[:, None]
    whole = encoder(mt.Tensor(x), mt.Tensor(valid)).numpy()
    assert np.allclose(whole[1], encoder(mt.Tensor(x[:3, 1:2])).numpy()[0], atol=1e-5)
    assert not np.allclose(encoder(mt.Tensor(x)).numpy(), encoder(mt.Tensor(x[::-1].copy())).numpy(), atol=1e-3)
    ids = mt.Tensor(RNG.integers(0, 20, (7, 4)))
    assert encoder(ids).shape == (4, 8) and encoder.tokens(ids).shape == (4, 7, 8)
    first = SequenceEncoder(8, input_dim=3, depth=1, heads=2, batch_first=True)
    first.load_state_dict({k: v for k, v in encoder.state_dict().items() if k != "table.weight"})
    assert np.allclose(first(mt.Tensor(x.swapaxes(0, 1).copy())).numpy(), encoder(mt.Tensor(x)).numpy(), atol=1e-6)


# -- the first sketch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
def test_the_model_of_crops(told: bool) -> None:
    mt.manual_seed(0)
    config = JEPAConfig(
        image_size=16, widths=(4, 8), embedding_dim=8, predictor_width=16, predictor_depth=1, geometry=told
    )
    model = JEPAModel(config).eval()
    context, target, geometry = (
        mt.Tensor(RNG.standard_normal(s).astype(np.float32)) for s in ((6, 3, 16, 16), (6, 2, 3, 16, 16), (6, 2, 4))
    )
    z = model(context, target, geometry)
    assert (z.context.shape, z.predictions[0].shape, z.targets[0].shape) == ((6, 1, 8), (6, 2, 8), (6, 2, 8))
    other = model(context, target, geometry + 0.3).predictions[0]
    assert np.array_equal(z.predictions[0].numpy(), other.numpy()) == (not told)


def test_encoder_of_any_size_of_image() -> None:
    encoder = ContextEncoder(1, (4, 8), 5, norm="none")
    for size in (8, 12, 16):
        assert encoder(mt.zeros((2, 1, size, size))).shape == (2, 5)


def test_the_target_encoder_follows() -> None:
    context = ContextEncoder(3, (4, 8), 5)
    target, x = TargetEncoder(context), mt.Tensor(IMAGES)
    before = target(x).numpy()
    with mt.no_grad():
        context.head.bias[...] = context.head.bias + 1
    target.update(0.75)
    assert np.allclose(target(x).numpy(), before + 0.25, atol=1e-5) and not target(x).requires_grad


# -- I-JEPA and H-JEPA -------------------------------------------------------------------------------------------------


def test_ijepa_asks_as_the_task_does() -> None:
    mt.manual_seed(0)
    model = IJEPA(ViT((3, 16, 16), patch=4, dim=16, depth=1, heads=2), dim=8, depth=1, heads=2)
    task = MaskedTask(min_keep=2, targets=3)
    masks = task.masks((4, 4), 6, generators(6).batch)
    z, asked = model(mt.Tensor(IMAGES), masks), model.embed(task.ask(IMAGES, (4, 4), generators(6)))
    for a, b in zip(z.predictions + z.targets, asked.predictions + asked.targets, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    assert extract_features(model, IMAGES, level=1).shape == (6, 4, 16)
    assert update_target_encoder(model, 0, 100) == 0.99


def tiny(**settings: Any) -> Any:
    mt.manual_seed(0)
    return create_hjepa(
        "vit_tiny_patch4_32",
        **{"dim": 16, "depth": 1, "heads": 2, "predictor_dim": 16, "predictor_depth": 1, "predictor_heads": 2}
        | settings,
    )


LARGE = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))
HALF = np.zeros((2, 64), bool)
HALF[:, :32] = True


def test_targets_are_normalized_means_of_the_target_encoder() -> None:
    model = tiny(num_hierarchies=3)
    outputs = model(LARGE, HALF)
    truth = model.encoders["target"].tokens(LARGE).numpy().reshape(2, 8, 8, 16)
    for level, target in enumerate(outputs["targets"]):
        size = 2**level
        means = truth.reshape(2, 8 // size, size, 8 // size, size, 16).mean(axis=(2, 4))[:, : 4 // size]
        means = means.reshape(2, -1, 16)
        normal = (means - means.mean(-1, keepdims=True)) / np.sqrt(means.var(-1, keepdims=True) + 1e-5)
        assert np.allclose(target.numpy(), normal, atol=1e-5)
        assert outputs["predictions"][level].shape == target.shape and not target.requires_grad
    assert len(model(LARGE, HALF, return_all_levels=False)["predictions"]) == 1


def test_the_context_never_sees_what_is_hidden_and_targets_do() -> None:
    model = tiny(num_hierarchies=2)
    changed = LARGE.numpy().copy()
    changed[:, :, :16] += 3  # the hidden half
    before, after = model(LARGE, HALF), model(mt.Tensor(changed), HALF)
    for a, b in zip(before["predictions"], after["predictions"], strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert not np.allclose(before["targets"][0].numpy(), after["targets"][0].numpy())


def test_masks_may_hide_different_numbers_of_patches() -> None:
    model, mask = tiny(num_hierarchies=2), HALF.copy()
    mask[1, 16:] = False
    together, alone = model(LARGE, mask), model(LARGE[1:], mask[1:])
    for level in range(2):
        kept = together["valid"][level][1].sum()
        assert kept == alone["predictions"][level].shape[1] < together["predictions"][level].shape[1]
        mine = together["predictions"][level].numpy()[1, :kept]
        assert np.allclose(mine, alone["predictions"][level].numpy()[0], atol=1e-5)
    assert together["context"].shape[1] == from_binary(~mask)[0].shape[1]


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.zeros((2, 64)), "hides nothing, or everything"),
        (np.ones((2, 64)), "hides nothing, or everything"),
        (np.ones((2, 49)), r"mask is \(2, 64\), 1 where a patch is hidden; got \(2, 49\)"),
    ],
)
def test_masks_that_leave_nothing(mask: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tiny(num_hierarchies=2)(LARGE, mask)


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_levels_outside_2_to_4_are_refused(levels: int) -> None:
    with pytest.raises(ConfigError, match=f"levels={levels}: must be at least 2 and at most 4"):
        tiny(num_hierarchies=levels)


# -- the snippets of the page of wishes, with other imports ------------------------------------------------------------

PAGE = """
model:
  encoder_type: "vit_base_patch16_224"
  embed_dim: 768
  num_hierarchies: 3
  predictor:
    depth: 6
    num_heads: 12
    mlp_ratio: 4.0
  ema:
    momentum: 0.996
    momentum_end: 1.0
    momentum_warmup_epochs: 30
"""


def test_basic_usage_on_a_14x14_grid() -> None:
    model = create_hjepa(
        encoder_type="vit_base_patch16_224",
        img_size=224,
        embed_dim=768,
        predictor_depth=6,
        num_hierarchies=3,
    )
    model.eval()
    images = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 224, 224)).astype(np.float32))
    mask = mt.zeros((2, 196))  # 196 = (224/16)^2 patches
    mask[:, :98] = 1  # Mask 50% of patches
    with mt.no_grad():
        outputs = model(images, mask, return_all_levels=True)
        assert [p.shape for p in outputs["predictions"]] == [(2, 98, 768), (2, 28, 768), (2, 8, 768)]
        assert [t.shape for t in outputs["targets"]] == [p.shape for p in outputs["predictions"]]
        fine_features = model.extract_features(images, level=0)
        coarse_features = model.extract_features(images, level=2)
    assert fine_features.shape == (2, 196, 768) and coarse_features.shape == (2, 16, 768)
    assert 0.996 <= model.update_target_encoder(current_step=100) < 0.9961


def test_config_based_usage() -> None:
    config = yaml.safe_load(PAGE)
    config["model"] |= {"encoder_type": "vit_tiny_patch16_224", "embed_dim": 192}  # the same, in a second
    model = create_hjepa_from_config(config, steps_per_epoch=10)
    assert isinstance(model, HJEPA)
    assert model.predictor.settings.heads == 12 and model.predictor.settings.levels == 3
    momenta = [model.update_target_encoder(step) for step in (0, 150, 300, 400)]
    assert momenta[0] == 0.996 and abs(momenta[1] - 0.998) < 1e-9 and momenta[2:] == [1.0, 1.0]  # rises, and stays
    with pytest.raises(ConfigError, match="no setting predictor.heads"):
        create_hjepa_from_config({"model": {"predictor": {"heads": 3}}})
    with pytest.raises(ConfigError, match="embed_dim=64, but vit_tiny_patch16_224 has 192"):
        create_hjepa("vit_tiny_patch16_224", embed_dim=64)
