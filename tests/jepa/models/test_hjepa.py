from typing import Any

import numpy as np
import pytest
import yaml

import minitensor as mt
from jepa.config import load
from jepa.data.masked import MaskedBatch
from jepa.errors import ConfigError
from jepa.masks import MultiBlockMasks
from jepa.methods import HierarchicalJEPA
from jepa.models import create_hjepa, create_hjepa_from_config
from jepa.models.hierarchy import groups


@pytest.mark.parametrize("grid", [(8, 8), (7, 5), (14, 14), (3, 9)])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_groups_are_squares_of_patches(grid: tuple[int, int], level: int) -> None:
    made, size = groups(grid, level), 2**level
    for g, row in enumerate(made.members):
        top, left = g // made.grid[1] * size, g % made.grid[1] * size
        square = np.zeros(grid, np.float32)
        square[top : top + size, left : left + size] = 1  # cut off at the border
        assert np.array_equal(row, square.reshape(-1))
        assert np.allclose(made.centres[g], np.argwhere(square).mean(axis=0))
    assert np.array_equal(made.members.sum(axis=0), np.ones(grid[0] * grid[1]))  # each patch in one group
    assert np.allclose(made.pool().sum(axis=1), 1)


def test_a_group_is_a_target_if_half_of_it_is_hidden() -> None:
    level = groups((3, 4), 1)  # 2 x 2 groups; the lower two have one row only
    mask = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]], bool)
    assert level.hidden(mask).tolist() == [[True, False, True, False]]  # 2 of 4; 1 of 4; 1 of 2; 0 of 2
    weights = level.hidden_mean(mask)[0]
    assert np.allclose(weights[0], [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])  # the mean of the hidden ones


def tiny(**settings: Any) -> Any:
    mt.manual_seed(0)
    return create_hjepa(
        "vit_tiny_patch4_32",
        **{"dim": 16, "depth": 1, "heads": 2, "predictor_dim": 16, "predictor_depth": 1, "predictor_heads": 2}
        | settings,
    )


IMAGES = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))
HALF = np.zeros((2, 64), bool)
HALF[:, :32] = True


def test_targets_are_normalised_means_of_the_target_encoder() -> None:
    model = tiny(num_hierarchies=3)
    outputs = model(IMAGES, HALF)
    truth = model.encode_target(IMAGES).numpy().reshape(2, 8, 8, 16)
    for level, target in enumerate(outputs["targets"]):
        size = 2**level
        means = truth.reshape(2, 8 // size, size, 8 // size, size, 16).mean(axis=(2, 4))[:, : 4 // size]
        means = means.reshape(2, -1, 16)
        normal = (means - means.mean(-1, keepdims=True)) / np.sqrt(means.var(-1, keepdims=True) + 1e-5)
        assert np.allclose(target.numpy(), normal, atol=1e-5)
        assert outputs["predictions"][level].shape == target.shape and not target.requires_grad


def test_the_context_never_sees_what_is_hidden_and_targets_do() -> None:
    model = tiny(num_hierarchies=2)
    changed = IMAGES.numpy().copy()
    changed[:, :, :16] += 3  # the hidden half
    before, after = model(IMAGES, HALF), model(mt.Tensor(changed), HALF)
    for a, b in zip(before["predictions"], after["predictions"], strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert not np.allclose(before["targets"][0].numpy(), after["targets"][0].numpy())


def test_rows_of_different_sizes_are_padded() -> None:
    model, mask = tiny(num_hierarchies=2), HALF.copy()
    mask[1, 16:] = False
    together = model(IMAGES, mask)
    alone = model(IMAGES[1:], mask[1:])
    for level in range(2):
        kept = together["valid"][level][1].sum()
        assert kept == alone["predictions"][level].shape[1] < together["predictions"][level].shape[1]
        mine = together["predictions"][level].numpy()[1, :kept]
        assert np.allclose(mine, alone["predictions"][level].numpy()[0], atol=1e-5)


def test_fusion_carries_the_coarse_prediction_down() -> None:
    model = tiny(num_hierarchies=2, fusion=True)
    before = model(IMAGES, HALF)["predictions"]
    with mt.no_grad():
        model.predictor.mask_tokens[1] = model.predictor.mask_tokens[1] + 5  # of the coarse level alone
    after = model(IMAGES, HALF)["predictions"]
    assert not np.allclose(before[0].numpy(), after[0].numpy())
    plain = tiny(num_hierarchies=2)
    before = plain(IMAGES, HALF)["predictions"]
    with mt.no_grad():
        plain.predictor.mask_tokens[1] = plain.predictor.mask_tokens[1] + 5
    assert np.array_equal(before[0].numpy(), plain(IMAGES, HALF)["predictions"][0].numpy())


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_levels_outside_2_to_4_are_refused(levels: int) -> None:
    with pytest.raises(ValueError, match=f"a hierarchy has 2 to 4 levels .* got {levels}"):
        tiny(num_hierarchies=levels)
    with pytest.raises(ConfigError, match="hierarchy.levels=.*must be 2, 3 or 4"):
        load(overrides=["method=hjepa", f"hierarchy.levels={levels}"])


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
        tiny(num_hierarchies=2)(IMAGES, mask)


def test_each_level_has_a_part_in_the_loss() -> None:
    words = "method=hjepa loss.name=smooth_l1 model.image_size=32 vit.dim=16 vit.depth=1 vit.heads=2".split()
    words += "vit.predictor_dim=8 vit.predictor_depth=1 vit.predictor_heads=2 hierarchy.weights=1,0.5,0.25".split()
    mt.manual_seed(0)
    made = HierarchicalJEPA(load(overrides=words), steps=10)
    masks = MultiBlockMasks().sample((8, 8), 2, np.random.default_rng(0))
    parts, embeddings = made.loss(MaskedBatch(IMAGES.numpy(), IMAGES.numpy(), masks, np.arange(2)))
    expected = sum(w * float(parts[f"level {k}"]) for k, w in enumerate((1, 0.5, 0.25)))
    assert abs(float(parts["loss"]) - expected) < 1e-6
    parts["loss"].backward()
    assert all(p.grad is not None for p in made.model.predictor.parameters() if p.requires_grad)
    assert embeddings.context.shape == (2, 16)


SMALL = (
    "method=hjepa model.image_size=32 vit.dim=16 vit.depth=1 vit.heads=2 vit.predictor_dim=8 vit.predictor_depth=1 "
    "vit.predictor_heads=2 hierarchy.levels=2 hierarchy.weights=1,0.5"
).split()


def made_with(*words: str) -> tuple[HierarchicalJEPA, MaskedBatch]:
    mt.manual_seed(0)
    made = HierarchicalJEPA(load(overrides=[*SMALL, *words]), steps=10)
    masks = MultiBlockMasks().sample((8, 8), 2, np.random.default_rng(0))
    return made, MaskedBatch(IMAGES.numpy(), IMAGES.numpy(), masks, np.arange(2))


@pytest.mark.parametrize(
    ("loss", "names"),
    [("infonce", {"accuracy"}), ("vicreg", {"invariance", "variance", "covariance"}), ("smooth_l1", set())],
)
def test_each_levels_parts_are_told_in_training_and_held_out(loss: str, names: set[str]) -> None:
    made, batch = made_with(f"loss.name={loss}")
    levels = {f"level {k}" for k in range(2)}
    wanted = levels | {f"{level}/{name}" for level in levels for name in names}
    assert made.loss(batch)[0].keys() == wanted | {"loss"}
    held_out = made.held_out([batch])
    assert held_out["parts"].keys() == wanted
    finest = "level 0/invariance" if loss == "vicreg" else "level 0"
    assert held_out["loss"] == held_out["parts"][finest] and held_out["ratio"] > 0


@pytest.mark.parametrize("loss", ["smooth_l1", "infonce"])
def test_targets_are_normalised_only_if_the_setting_says_so(loss: str) -> None:
    for setting, deviation in (("true", 1.0), ("false", None)):
        made, batch = made_with(f"loss.name={loss}", f"loss.normalize_targets={setting}")
        found = made.levels(batch)[1].target.numpy().std(axis=-1)  # of the encoder's tokens alone it is 1 anyway
        assert (np.abs(found - 1).max() < 1e-2) == (deviation is not None)
        tokens = made.normalized(mt.Tensor(np.random.default_rng(0).normal(size=(2, 3, 16)) * 5)).numpy()
        assert (np.abs(tokens.std(axis=-1) - 1).max() < 1e-2) == (deviation is not None)


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
    assert model.predictor.blocks[0].attn.heads == 12 and len(model.groups) == 3
    momenta = [model.update_target_encoder(step) for step in (0, 150, 300, 400)]
    assert momenta[0] == 0.996 and abs(momenta[1] - 0.998) < 1e-9 and momenta[2:] == [1.0, 1.0]  # rises, and stays
    with pytest.raises(ValueError, match="no setting predictor.heads"):
        create_hjepa_from_config({"model": {"predictor": {"heads": 3}}})
    with pytest.raises(ValueError, match="embed_dim=64, but vit_tiny_patch16_224 has 192"):
        create_hjepa("vit_tiny_patch16_224", embed_dim=64)
