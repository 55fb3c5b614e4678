import numpy as np
import pytest

import minitensor as mt
from jepa.models.positions import interpolate_positions, sincos_positions
from jepa.models.vit import SIZES, VisionTransformer, gather_tokens, vit


@pytest.mark.parametrize(
    ("name", "millions"),
    [("vit_tiny_patch16_224", 5.5), ("vit_small_patch16_224", 21.7), ("vit_base_patch16_224", 85.8)],
)
def test_parameter_counts(name: str, millions: float) -> None:
    assert round(sum(p.size for p in vit(name).parameters()) / 1e6, 1) == millions


def test_large_sizes_have_the_counts_of_their_formula() -> None:
    for size in ("large", "huge", "giant"):
        s = {"mlp_ratio": 4.0, **SIZES[size]}
        d, hidden = s["dim"], int(s["dim"] * s["mlp_ratio"])
        block = 4 * d * d + 4 * d + 2 * d * hidden + hidden + d + 4 * d
        one = VisionTransformer(28, 14, **{**s, "depth": 1})
        count = sum(p.size for p in one.parameters())
        assert count == block + 3 * 14 * 14 * d + d + 4 * d + 2 * d  # a block; patches; 4 positions; the last norm


def small(**settings: object) -> VisionTransformer:
    mt.manual_seed(0)
    return VisionTransformer(**{"image_size": 16, "patch_size": 4, "dim": 12, "depth": 3, "heads": 3, **settings})


IMAGES = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)


def test_a_masked_patch_is_never_seen() -> None:
    encoder, mask = small(), [np.array([[0, 5, 6], [1, 2, 15]])]
    changed = IMAGES.copy()
    changed[0, :, 8:, 8:] += 5  # patches 10, 11, 14, 15, which the first image's mask leaves out
    assert np.array_equal(encoder(mt.Tensor(IMAGES), mask).numpy()[0], encoder(mt.Tensor(changed), mask).numpy()[0])
    changed[0, :, 4:8, 4:8] += 5  # patch 5, which it keeps
    assert not np.allclose(encoder(mt.Tensor(IMAGES), mask).numpy()[0], encoder(mt.Tensor(changed), mask).numpy()[0])


def test_masks_are_list_major_and_all_patches_are_no_mask() -> None:
    encoder = small()
    first, second = np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 7]])
    both = encoder(mt.Tensor(IMAGES), [first, second]).numpy()
    assert np.allclose(both[:2], encoder(mt.Tensor(IMAGES), [first]).numpy(), atol=1e-5)
    assert np.allclose(both[2:], encoder(mt.Tensor(IMAGES), [second]).numpy(), atol=1e-5)
    everything = np.tile(np.arange(16), (2, 1))
    assert np.allclose(encoder(mt.Tensor(IMAGES)).numpy(), encoder(mt.Tensor(IMAGES), [everything]).numpy(), atol=1e-6)


@pytest.mark.parametrize("class_token", [False, True])
def test_padding_changes_nothing(class_token: bool) -> None:
    encoder = small(class_token=class_token)
    exact = encoder(mt.Tensor(IMAGES[:1]), [np.array([[3, 7]])]).numpy()
    padded = encoder(
        mt.Tensor(IMAGES[:1]), [np.array([[3, 7, 0, 0]])], valid=np.array([[True, True, False, False]])
    ).numpy()
    assert np.allclose(padded[:, : exact.shape[1]], exact, atol=1e-5)


def test_attention_maps_are_distributions_and_see_the_class_token() -> None:
    maps = small(class_token=True).attention_maps(mt.Tensor(IMAGES))
    assert [m.shape for m in maps] == [(2, 3, 17, 17)] * 3
    assert all(np.allclose(m.numpy().sum(axis=-1), 1, atol=1e-5) for m in maps)


def test_drop_path_rises_with_depth_and_rests_in_evaluation() -> None:
    encoder = small(drop_path=0.2)
    assert [round(b.drop_path.p, 3) for b in encoder.blocks] == [0.0, 0.1, 0.2]
    encoder.eval()
    assert np.array_equal(encoder(mt.Tensor(IMAGES)).numpy(), encoder(mt.Tensor(IMAGES)).numpy())


def test_another_resolution() -> None:
    encoder = small(positions="learned")
    assert encoder(mt.zeros((1, 3, 24, 32))).shape == (1, 48, 12)
    # a code that is linear in the row nearly stays so, up to the border (cubics with a = -3/4 bend a line by 0.05)
    rows = np.repeat(np.arange(8.0), 8)[None, :, None]
    wide = interpolate_positions(mt.Tensor(rows), (8, 8), (16, 8)).numpy().reshape(16, 8)
    assert np.allclose(wide[4:12, 0], np.arange(4, 12) / 2 - 0.25, atol=0.06)


def test_sincos_tells_columns_first() -> None:
    code = sincos_positions((2, 3), 8)  # columns: sin 2, cos 2; rows: sin 2, cos 2
    assert np.allclose(code[4], [np.sin(1), np.sin(0.01), np.cos(1), np.cos(0.01)] * 2)  # row 1, column 1
    assert np.allclose(code[3], [0, 0, 1, 1, np.sin(1), np.sin(0.01), np.cos(1), np.cos(0.01)])  # row 1, column 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"patch_size": 5}, "patch_size=5 must divide the image's 16 x 16 pixels"),
        ({"heads": 5}, "heads=5 must divide dim=12"),
        ({"dim": 14, "heads": 2}, "sine-cosine positions need a dim that 4 divides"),
        ({"positions": "rope"}, "positions is 'sincos' or 'learned'; got 'rope'"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        small(**settings)


def test_masks_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="masks name tokens 0 to 15; got 0 to 16"):
        small()(mt.Tensor(IMAGES), [np.array([[0, 16], [1, 2]])])
    with pytest.raises(ValueError, match=r"index arrays \(n, K\) for n=2 images"):
        gather_tokens(mt.zeros((2, 4, 3)), [np.array([[0, 1]])])
    with pytest.raises(ValueError, match="patch_size=4 must divide the images' 18 x 16 pixels"):
        small()(mt.zeros((1, 3, 18, 16)))
    with pytest.raises(ValueError, match="named vit_SIZE_patchP_IMAGE"):
        vit("vit_medium_patch16_224")
