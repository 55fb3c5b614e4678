"""Encoders beside the vision transformer: their sizes, shapes, names, and what a token sees."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.models import ContextEncoder, ConvNeXt, MLPEncoder, ResNet, convnext, resnet18
from jepa.models.convnext import ConvNeXtBlock

IMAGES = np.random.default_rng(0).standard_normal((3, 3, 16, 24)).astype(np.float32)
SIZE = (16, 24)

ENCODERS: dict[str, tuple[Callable[[], Any], tuple[int, int], int]] = {
    "cnn": (lambda: ContextEncoder(3, (4, 6, 8), 12, image_size=SIZE), (4, 6), 12),
    "resnet": (lambda: ResNet((1, 1, 1), width=4, image_size=SIZE), (4, 6), 16),
    "resnet imagenet": (lambda: ResNet((1, 1), width=4, stem="imagenet", image_size=SIZE), (2, 3), 8),
    "convnext": (lambda: ConvNeXt((1, 1), (4, 8), patch_size=4, image_size=SIZE), (2, 3), 8),
    "convnext layer scale": (lambda: ConvNeXt((1, 2), (4, 8), scale="layer", image_size=SIZE), (4, 6), 8),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_tokens_are_the_places_of_the_map_in_raster_order_and_their_mean_the_embedding(name: str) -> None:
    make, grid, dim = ENCODERS[name]
    mt.manual_seed(0)
    encoder = make().eval()
    images = mt.Tensor(IMAGES)
    feature_map, tokens = encoder.feature_map(images).numpy(), encoder.tokens(images).numpy()
    assert encoder.grid == grid and encoder.dim == dim
    assert tokens.shape == (3, math.prod(grid), dim)
    assert np.array_equal(tokens[:, 1 * grid[1] + 2], feature_map[:, :, 1, 2])  # row 1, column 2
    assert np.allclose(encoder(images).numpy(), tokens.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("side", [17, 23, 24, 31])
def test_the_grid_of_any_size_is_told_right(name: str, side: int) -> None:
    encoder = ENCODERS[name][0]().eval()
    encoder.image_size = (side, 40)
    assert encoder.feature_map(mt.zeros((1, 3, side, 40))).shape[2:] == encoder.grid


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    mt.manual_seed(0)
    encoder = ENCODERS[name][0]()
    (encoder(mt.Tensor(IMAGES)) ** 3).sum().backward()
    # a ReLU after a norm may be off everywhere for one channel, never for all
    assert not [n for n, p in encoder.named_parameters() if p.grad is None or not np.abs(p.grad.numpy()).max() > 0]


def test_resnet18_has_torchvisions_names_and_counts() -> None:
    encoder = resnet18()
    shapes = {name: x.shape for name, x in encoder.state_dict().items()}
    assert sum(p.size for p in encoder.parameters()) == 11_168_832  # 11 689 512, less fc and 7x7 for 3x3 in the stem
    assert len(shapes) == 120  # torchvision's 122 without fc.weight and fc.bias
    assert shapes["conv1.weight"] == (64, 3, 3, 3)
    assert shapes["layer1.0.bn2.running_var"] == (64,) and "layer1.0.downsample.0.weight" not in shapes
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer4.1.conv2.weight"] == (512, 512, 3, 3)
    assert shapes["layer3.0.downsample.1.num_batches_tracked"] == ()
    assert resnet18(stem="imagenet").state_dict()["conv1.weight"].shape == (64, 3, 7, 7)


@pytest.mark.parametrize(("size", "millions"), [("atto", 3.7), ("femto", 5.2), ("pico", 9.1), ("tiny", 28.6)])
def test_convnexts_have_the_counts_of_convnext_v2_with_a_head_of_1000_classes(size: str, millions: float) -> None:
    encoder = convnext(f"convnext_{size}", patch_size=4)
    head = 1000 * (encoder.dim + 1)
    assert round((sum(p.size for p in encoder.parameters()) + head) / 1e6, 1) == millions


def test_a_convnext_block_is_the_identity_but_for_a_small_branch_at_first() -> None:
    mt.manual_seed(0)
    x = mt.randn((2, 8, 5, 5))
    change = np.abs((ConvNeXtBlock(8, scale="layer")(x) - x).numpy()).max()
    assert 0 < change < 1e-4  # layer scale starts at 1e-6
    assert np.abs((ConvNeXtBlock(8, scale="grn")(x) - x).numpy()).max() > 1e-4


def test_a_depthwise_kernel_sees_seven_pixels_and_a_stage_without_neighbours_one_patch() -> None:
    mt.manual_seed(0)
    encoder = ConvNeXt((1,), (8,), patch_size=2, scale="layer", image_size=32).eval()
    with mt.no_grad():
        block: Any = encoder.stages[0]
        block[0].gamma[...] = 1.0
    changed = np.zeros((1, 3, 32, 32), np.float32)
    before = encoder.feature_map(mt.Tensor(changed)).numpy()
    changed[0, :, 16, 16] = 1
    moved = np.abs(encoder.feature_map(mt.Tensor(changed)).numpy() - before).max(axis=(0, 1)) > 0
    rows, columns = np.nonzero(moved)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 11, 5, 11)  # place 8, three to each side


def test_the_mlp_takes_any_shape_as_one_token() -> None:
    encoder = MLPEncoder((3, 16, 24), dim=5, width=8, depth=1).eval()
    assert np.array_equal(encoder.tokens(mt.Tensor(IMAGES)).numpy()[:, 0], encoder(mt.Tensor(IMAGES)).numpy())
    assert MLPEncoder(7, dim=5, norm="none")(mt.ones((2, 7))).shape == (2, 5)
    assert not hasattr(encoder, "grid")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ResNet(stem="small"), "stem is 'cifar' or 'imagenet'; got 'small'"),
        (lambda: ConvNeXt((1, 1), (8,)), r"one number for each stage; got \(1, 1\) and \(8,\)"),
        (lambda: ConvNeXt(scale="both"), "scale is 'grn' or 'layer'; got 'both'"),
        (lambda: convnext("convnext_atto", image_size=16, patch_size=4), "has 32 x 32 pixels; the image only 16 x 16"),
        (lambda: convnext("tiny"), "a ConvNeXt is named convnext_SIZE, SIZE one of micro, atto"),
        (lambda: MLPEncoder(4, 2, norm="layer"), "norm is 'batch' or 'none'; got 'layer'"),
        (lambda: MLPEncoder((3, 4, 4), 2)(mt.zeros((1, 3, 4, 5))), r"of shape \(3, 4, 4\); got \(3, 4, 5\)"),
    ],
)
def test_settings_that_do_not_fit(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()
