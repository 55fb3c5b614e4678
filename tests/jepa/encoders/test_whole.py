"""Encoders that see the whole example: their sizes, shapes, names, what a token sees, and what they refuse."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import CNN, MLP, ConvNeXt, ResNet, ResNet9, convnext, resnet18
from jepa.encoders.base import ImageEncoder
from jepa.encoders.convnext import ConvNeXtBlock
from jepa.errors import ConfigError

SHAPE = (3, 16, 24)
IMAGES = np.random.default_rng(0).standard_normal((3, *SHAPE)).astype(np.float32)

ENCODERS: dict[str, tuple[Callable[..., ImageEncoder], tuple[int, int], int]] = {
    "cnn": (lambda shape=SHAPE: CNN(shape, widths=(4, 6, 8)), (4, 6), 8),
    "cnn without norm": (lambda shape=SHAPE: CNN(shape, widths=(4, 6, 8), norm="none"), (4, 6), 8),
    "resnet": (lambda shape=SHAPE: ResNet(shape, layers=(1, 1, 1), width=4), (4, 6), 16),
    "resnet bottleneck": (lambda shape=SHAPE: ResNet(shape, layers=(1, 2), width=2, block="bottleneck"), (8, 12), 16),
    "resnet9": (lambda shape=SHAPE: ResNet9(shape, width=2), (2, 3), 16),
    "resnet imagenet": (lambda shape=SHAPE: ResNet(shape, layers=(1, 1), width=4, stem="imagenet"), (2, 3), 8),
    "convnext": (lambda shape=SHAPE: ConvNeXt(shape, depths=(1, 1), dims=(4, 8), patch=4), (2, 3), 8),
    "convnext layer scale": (lambda s=SHAPE: ConvNeXt(s, depths=(1, 2), dims=(4, 8), scale="layer"), (4, 6), 8),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_tokens_are_the_places_of_the_map_in_raster_order_and_their_mean_the_embedding(name: str) -> None:
    make, grid, dim = ENCODERS[name]
    mt.manual_seed(0)
    encoder = make().eval()
    images = mt.Tensor(IMAGES)
    feature_map, tokens = encoder.feature_map(images).numpy(), encoder.tokens(images).numpy()
    assert encoder.grid == grid and encoder.dim == dim and encoder.pools == ("mean", "max")
    assert tokens.shape == (3, math.prod(grid), dim)
    assert np.array_equal(tokens[:, 1 * grid[1] + 2], feature_map[:, :, 1, 2])  # row 1, column 2
    assert np.allclose(encoder.pooled(images).numpy(), tokens.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("side", [17, 23, 24, 31])
def test_the_grid_of_any_size_is_told_right(name: str, side: int) -> None:
    encoder = ENCODERS[name][0]((3, side, 40)).eval()
    found = encoder.feature_map(mt.zeros((1, 3, side, 40))).shape[2:]
    assert found == encoder.grid == ENCODERS[name][0]().grid_of((3, side, 40))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    mt.manual_seed(0)
    encoder = ENCODERS[name][0]()
    (encoder(mt.Tensor(IMAGES)) ** 3).sum().backward()
    # a ReLU after a norm may be off everywhere for one channel, never for all
    assert not [n for n, p in encoder.named_parameters() if p.grad is None or not np.abs(p.grad.numpy()).max() > 0]


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_not_kept_is_never_seen_and_padding_is_not_kept(name: str) -> None:
    mt.manual_seed(0)
    encoder = ENCODERS[name][0]().eval()
    index = np.array([[[0, 1, 0], [2, 3, 4]]] * 3)
    keep = Keep(index, np.array([[[True, True, False], [True, True, True]]] * 3))
    found = encoder.tokens(mt.Tensor(IMAGES), keep).numpy()
    assert found.shape == (6, 3, encoder.dim)
    rows, columns = encoder.grid
    noise = np.random.default_rng(1).standard_normal(IMAGES.shape).astype(np.float32)
    place = np.arange(16)[:, None] * rows // 16 * columns + np.arange(24) * columns // 24
    for e, kept in ((0, [0, 1]), (1, [2, 3, 4])):
        seen = np.isin(place, kept)
        other = encoder.tokens(mt.Tensor(np.where(seen, IMAGES, noise)), keep).numpy()
        assert np.array_equal(other[e::2], found[e::2])  # all but the kept places of this context changed
        blank = encoder.tokens(mt.Tensor(np.where(seen, IMAGES, 0).astype(np.float32))).numpy()
        assert np.allclose(found[e::2], blank[:, index[0, e]], atol=1e-5)
        other = encoder.tokens(mt.Tensor(np.where(seen, noise, IMAGES)), keep).numpy()
        assert not np.allclose(other[e::2], found[e::2])


def test_resnet9_has_the_multiply_adds_that_it_says() -> None:
    for width in (4, 28):
        encoder, side, total = ResNet9((3, 32, 32), width=width), 32, 0
        for part in encoder.layers():
            if isinstance(part, mt.nn.MaxPool2d):
                side //= 2
            if isinstance(part, mt.nn.Conv2d):
                total += part.weight.size * side * side
        assert total == 50_688 * width**2 + 27_648 * width
    assert total == 40_513_536 and encoder.dim == 224 and encoder.grid == (4, 4)


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
    encoder = convnext(f"convnext_{size}", patch=4)
    head = 1000 * (encoder.dim + 1)
    assert round((sum(p.size for p in encoder.parameters()) + head) / 1e6, 1) == millions


def test_a_convnext_block_is_the_identity_but_for_a_small_branch_at_first() -> None:
    mt.manual_seed(0)
    x = mt.randn((2, 8, 5, 5))
    change = np.abs((ConvNeXtBlock(8, scale="layer")(x) - x).numpy()).max()
    assert 0 < change < 1e-4  # layer scale starts at 1e-6
    assert np.abs((ConvNeXtBlock(8, scale="grn")(x) - x).numpy()).max() > 1e-4


def test_a_depthwise_kernel_sees_seven_pixels_and_a_stage_without_neighbors_one_patch() -> None:
    mt.manual_seed(0)
    encoder = ConvNeXt((3, 32, 32), depths=(1,), dims=(8,), scale="layer").eval()
    with mt.no_grad():
        block: Any = encoder.stages[0]
        block[0].gamma[...] = 1.0
    changed = np.zeros((1, 3, 32, 32), np.float32)
    before = encoder.feature_map(mt.Tensor(changed)).numpy()
    changed[0, :, 16, 16] = 1
    moved = np.abs(encoder.feature_map(mt.Tensor(changed)).numpy() - before).max(axis=(0, 1)) > 0
    rows, columns = np.nonzero(moved)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 11, 5, 11)  # place 8, three to each side


@pytest.mark.parametrize("shape", [(7,), (2, 9), (3, 16, 24), (1, 3, 4, 5)])
def test_the_mlp_takes_any_shape_as_one_token(shape: tuple[int, ...]) -> None:
    encoder = MLP(shape, width=8, depth=1).eval()
    x = mt.randn((2, *shape))
    assert encoder.grid == (1,) * (len(shape) - 1) and encoder.dim == 8
    assert encoder.tokens(x).shape == (2, 1, 8)
    assert np.array_equal(encoder.tokens(x).numpy()[:, 0], encoder.pooled(x).numpy())
    keep = Keep(np.zeros((2, 3, 1), np.int64))
    assert np.allclose(encoder.tokens(x, keep).numpy(), np.repeat(encoder.tokens(x).numpy(), 3, axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ResNet(SHAPE, stem="small"), "stem='small': expected one of 'cifar', 'imagenet'"),
        (lambda: ConvNeXt(SHAPE, depths=(1, 1), dims=(8,)), r"depths=\[1, 1\]: one number for each stage"),
        (lambda: ConvNeXt(SHAPE, scale="both"), "scale='both': expected one of 'grn', 'layer'"),
        (lambda: ConvNeXt(SHAPE, dims=()), r"dims=\[\]: needs 1 to 8 values"),
        (
            lambda: convnext("convnext_atto", (3, 16, 16), patch=4),
            "encoder=convnext has 32 x 32 pixels, .* only 16 x 16",
        ),
        (lambda: convnext("tiny"), "a ConvNeXt is named convnext_SIZE, SIZE one of micro, atto"),
        (lambda: CNN((3, 4, 9), widths=(1,) * 4), r"encoder.widths=\[1, 1, 1, 1\]: 4 stages, .* of 4 x 9 .* at most 3"),
        (lambda: MLP(SHAPE, norm="layer"), "norm='layer': expected one of 'batch', 'none'"),
        (lambda: MLP((3, 4, 4))(mt.zeros((1, 3, 4, 5))), "one shape alone, 3 x 4 x 4; these are 3 x 4 x 5"),
    ],
)
def test_settings_that_do_not_fit(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()


@pytest.mark.parametrize("kind", ["cnn", "resnet", "convnext"])
@pytest.mark.parametrize("shape", [(2, 64), (1, 4, 16, 16)])
def test_what_is_no_image_is_refused_when_the_encoder_is_made(kind: str, shape: tuple[int, ...]) -> None:
    text = rf"encoder={kind} takes images \(channels, height, width\); an example is {re.escape(str(shape))}: see vit"
    with pytest.raises(ConfigError, match=text):
        {"cnn": CNN, "resnet": ResNet, "convnext": ConvNeXt}[kind](shape)
