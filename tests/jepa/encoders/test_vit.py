"""The vision transformer: sizes, what is kept and what is padding, the class token, any rank, I-JEPA's numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import ViT, vit
from jepa.encoders.positions import interpolate_positions, sincos_positions
from jepa.encoders.vit import SIZES
from jepa.errors import ConfigError

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "ijepa-golden.npz")


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
        one = ViT((3, 28, 28), **{**s, "patch": 14, "depth": 1})
        count = sum(p.size for p in one.parameters())
        assert count == block + 3 * 14 * 14 * d + d + 4 * d + 2 * d  # a block; patches; 4 positions; the last norm


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_the_official_numbers(dtype: str, tolerance: float) -> None:
    encoder = ViT((3, 32, 32), patch=4, dim=48, depth=3, heads=4)
    assert np.allclose(encoder.pos_embed.numpy(), GOLDEN["encoder.pos_embed"], atol=1e-6)
    encoder.to(dtype=dtype)
    x, keep = mt.Tensor(GOLDEN["images"].astype(dtype)), Keep(GOLDEN["masks.context.0"][:, None])
    for part, given, output in (("encoder", keep, "context_encoder"), ("target_encoder", None, "target_encoder")):
        stem = f"{part}."
        state = {k.removeprefix(stem): v for k, v in GOLDEN.items() if k.startswith(stem) and k != f"{stem}output"}
        encoder.load_state_dict(state)  # strict: official names, nothing missing, nothing else
        expected = GOLDEN[f"{output}.output"]
        found = encoder.tokens(x, given).numpy()
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max(), part


def small(**changes: Any) -> ViT:
    mt.manual_seed(0)
    return ViT((3, 16, 16), **{"patch": 4, "dim": 12, "depth": 3, "heads": 3, **changes})


IMAGES = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)


def tokens(encoder: ViT, index: Any, x: Any = IMAGES, valid: Any = None) -> np.ndarray:
    """Tokens of images at places (n, e, K)."""
    flags = None if valid is None else np.array(valid)
    return encoder.tokens(mt.Tensor(x), Keep(np.array(index), flags)).numpy()


@pytest.mark.parametrize("class_token", [False, True])
def test_what_is_not_kept_is_never_seen(class_token: bool) -> None:
    encoder, index = small(class_token=class_token), [[[0, 5, 6]], [[1, 2, 15]]]
    changed = IMAGES.copy()
    changed[0, :, 8:, 8:] += 5  # patches 10, 11, 14, 15, which the first image does not keep
    assert np.array_equal(tokens(encoder, index)[0], tokens(encoder, index, changed)[0])
    changed[0, :, 4:8, 4:8] += 5  # patch 5, which it keeps
    assert not np.allclose(tokens(encoder, index)[0], tokens(encoder, index, changed)[0])


def test_contexts_of_an_example_come_together_and_keeping_all_is_keeping() -> None:
    encoder = small()
    first, second = np.array([[[0, 1]], [[2, 3]]]), np.array([[[4, 5]], [[6, 7]]])
    both = tokens(encoder, np.concatenate([first, second], axis=1))
    assert np.allclose(both[::2], tokens(encoder, first), atol=1e-5)
    assert np.allclose(both[1::2], tokens(encoder, second), atol=1e-5)
    everything = np.tile(np.arange(16), (2, 1, 1))
    assert np.allclose(encoder.tokens(mt.Tensor(IMAGES)).numpy(), tokens(encoder, everything), atol=1e-6)


@pytest.mark.parametrize("class_token", [False, True])
def test_padding_changes_nothing(class_token: bool) -> None:
    encoder = small(class_token=class_token)
    exact = tokens(encoder, [[[3, 7]]], IMAGES[:1])
    padded = tokens(encoder, [[[3, 7, 0, 0]]], IMAGES[:1], [[[True, True, False, False]]])
    assert np.allclose(padded[:, :2], exact, atol=1e-5)


def test_a_class_token_sees_and_is_seen_and_stays_inside() -> None:
    encoder = small(class_token=True)
    before = encoder.tokens(mt.Tensor(IMAGES)).numpy()
    assert before.shape == (2, 16, 12) and encoder.class_token and not small().class_token
    maps = encoder.attention_maps(mt.Tensor(IMAGES))
    assert [m.shape for m in maps] == [(2, 3, 17, 17)] * 3
    assert all(np.allclose(m.numpy().sum(axis=-1), 1, atol=1e-5) for m in maps)
    with mt.no_grad():
        assert encoder.cls_token is not None
        encoder.cls_token[...] = 5 * mt.randn(encoder.cls_token.shape)
    assert np.abs(encoder.tokens(mt.Tensor(IMAGES)).numpy() - before).max() > 1e-3


def test_pools() -> None:
    encoder, x = small(class_token=True), mt.Tensor(IMAGES)
    assert encoder.pools == ("mean", "max", "cls", "attentive", "last4")
    assert small().pools == ("mean", "max", "attentive", "last4")
    shapes = {pool: encoder.pooled(x, pool).shape for pool in encoder.pools}
    assert shapes == dict.fromkeys(encoder.pools, (2, 12)) | {"last4": (2, 36)}  # it has three blocks
    assert np.allclose(encoder.pooled(x).numpy(), encoder.tokens(x).numpy().mean(axis=1), atol=1e-6)
    weights = encoder.attention_maps(x)[-1].numpy().mean(axis=(1, 2))[:, 1:]
    expected = np.einsum("nk,nkd->nd", weights / weights.sum(1, keepdims=True), encoder.tokens(x).numpy())
    assert np.allclose(encoder.pooled(x, "attentive").numpy(), expected, atol=1e-5)
    with pytest.raises(ValueError, match="pool='cls': ViT has mean, max, attentive, last4"):
        small().pooled(x, "cls")


def test_drop_path_rises_with_depth_and_rests_in_evaluation() -> None:
    encoder = small(drop_path=0.2)
    blocks: list[Any] = list(encoder.blocks)
    assert [round(b.drop_path.p, 3) for b in blocks] == [0.0, 0.1, 0.2]
    encoder.eval()
    assert np.array_equal(encoder(mt.Tensor(IMAGES)).numpy(), encoder(mt.Tensor(IMAGES)).numpy())


def test_the_first_weights() -> None:
    encoder = small(dim=96, patch=8)
    block: Any = encoder.blocks[1]
    for weight, inputs, share in (
        (encoder.patch_embed.proj.weight, 3 * 64, 1.0),
        (block.attn.qkv.weight, 96, 1.0),
        (block.mlp.fc2.weight, 384, 4**-0.5),  # of the second block: divided by √(2 · 2)
    ):
        bound = share * (6 / (inputs + len(weight))) ** 0.5
        assert 0.99 * bound < np.abs(weight.numpy()).max() <= bound * (1 + 1e-6)
    assert not any(p.numpy().any() for name, p in encoder.named_parameters() if name.endswith("bias"))


def test_another_resolution() -> None:
    encoder = small(positions="learned")
    assert encoder(mt.zeros((1, 3, 24, 32))).shape == (1, 48, 12)
    assert encoder.grid_of((3, 24, 32)) == (6, 8)
    # a code that is linear in the row nearly stays so, up to the border (cubics with a = -3/4 bend a line by 0.05)
    rows = np.repeat(np.arange(8.0), 8)[None, :, None]
    wide = interpolate_positions(mt.Tensor(rows), (8, 8), (16, 8)).numpy().reshape(16, 8)
    assert np.allclose(wide[4:12, 0], np.arange(4, 12) / 2 - 0.25, atol=0.06)


@pytest.mark.parametrize("axis", range(3))
def test_positions_are_interpolated_along_each_axis_of_a_grid_of_any_rank(axis: int) -> None:
    grid, to = [3, 2, 2], [3, 2, 2]
    grid[axis], to[axis] = 8, 16
    line = np.moveaxis(np.broadcast_to(np.arange(8.0), (4 * 3 // (3 if axis == 0 else 2), 8)), 1, 0)
    shape = [8, *(n for k, n in enumerate(grid) if k != axis)]
    volume = np.moveaxis(np.broadcast_to(line[:, :1], (8, int(np.prod(shape[1:])))).reshape(shape), 0, axis)
    codes = mt.Tensor(np.stack([volume.reshape(-1), -2 * volume.reshape(-1)], axis=-1)[None])
    found = interpolate_positions(codes, tuple(grid), tuple(to)).numpy().reshape(*to, 2)
    middle = np.moveaxis(found, axis, 0)[4:12].reshape(8, -1, 2)
    assert np.allclose(middle[..., 0], (np.arange(4, 12) / 2 - 0.25)[:, None], atol=0.06)
    assert np.allclose(middle[..., 1], -2 * middle[..., 0], atol=1e-6)
    series = interpolate_positions(mt.Tensor(np.arange(8.0)[None, :, None]), (8,), (16,)).numpy()[0, :, 0]
    assert np.allclose(series[4:12], np.arange(4, 12) / 2 - 0.25, atol=0.06)


def test_sincos_tells_the_last_axis_first() -> None:
    code = sincos_positions((2, 3), 8)  # columns: sin 2, cos 2; rows: sin 2, cos 2
    assert np.allclose(code[4], [np.sin(1), np.sin(0.01), np.cos(1), np.cos(0.01)] * 2)  # row 1, column 1
    assert np.allclose(code[3], [0, 0, 1, 1, np.sin(1), np.sin(0.01), np.cos(1), np.cos(0.01)])  # row 1, column 0
    assert np.allclose(sincos_positions((3,), 4)[2], [np.sin(2), np.sin(0.02), np.cos(2), np.cos(0.02)])
    place = sincos_positions((2, 2, 4), 10)[1 * 8 + 0 * 4 + 3]  # frame 1, row 0, column 3; shares of 4, 4 and 2
    assert np.allclose(place, [np.sin(3), np.sin(0.03), np.cos(3), np.cos(0.03), 0, 0, 1, 1, np.sin(1), np.cos(1)])
    grids: dict[tuple[int, ...], int] = {(40,): 2, (5, 7): 4, (3, 4, 5): 6, (3, 4, 6): 32}
    for grid, dim in grids.items():
        codes = sincos_positions(grid, dim)
        assert codes.shape == (np.prod(grid), dim) and len(np.unique(codes.round(6), axis=0)) == len(codes)


@pytest.mark.parametrize(
    ("shape", "patch", "grid"), [((2, 24), 4, (6,)), ((2, 24), (3,), (8,)), ((1, 4, 8, 12), (2, 4, 4), (2, 2, 3))]
)
@pytest.mark.parametrize("positions", ["sincos", "learned"])
def test_any_rank(shape: tuple[int, ...], patch: Any, grid: tuple[int, ...], positions: str) -> None:
    mt.manual_seed(0)
    encoder = ViT(shape, patch=patch, dim=12, depth=2, heads=2, class_token=True, positions=positions)
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    count = int(np.prod(grid))
    assert encoder.grid == grid and encoder.tokens(mt.Tensor(x)).shape == (3, count, 12)
    # place 3 is the one of these numbers: changed, it is seen at 3 alone where it is kept alone
    place = np.unravel_index(3, grid)
    changed = x.copy()
    changed[
        (slice(None), slice(None), *(slice(i * p, (i + 1) * p) for i, p in zip(place, encoder.patch, strict=True)))
    ] += 1
    alone = [tokens(encoder, np.full((3, 1, 1), 3), y) for y in (x, changed)]
    others = [tokens(encoder, np.tile([k for k in range(count) if k != 3], (3, 1, 1)), y) for y in (x, changed)]
    assert not np.allclose(*alone) and np.array_equal(*others)
    longer = mt.zeros((1, shape[0], *(2 * n for n in shape[1:])))
    assert encoder.tokens(longer).shape == (1, count * 2 ** len(grid), 12)
    (encoder.tokens(mt.Tensor(x)) ** 3).sum().backward()
    assert not [n for n, p in encoder.named_parameters() if p.requires_grad and not np.abs(p.grad.numpy()).max() > 0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: small(patch=5), r"encoder.patch=5 must divide an example's 16 x 16"),
        (lambda: small(patch=(4, 4, 4)), r"encoder.patch=\[4, 4, 4\] must divide an example's 16 x 16"),
        (lambda: small(patch=0), "patch=0: must be at least 1"),
        (lambda: small(patch=32), "encoder.patch=32 must divide an example's 16 x 16"),
        (lambda: small(patch="4"), "patch='4': expected a whole number, or a list of whole numbers"),
        (lambda: small(heads=5), "heads=5 must divide dim=12"),
        (lambda: small(dim=15, heads=3), "encoder.dim=15: sine-cosine positions need an even number, at least 4"),
        (lambda: ViT((1, 4, 4, 4), dim=4, heads=2), "encoder.dim=4: .* an even number, at least 6"),
        (lambda: small(positions="rope"), "positions='rope': expected one of 'sincos', 'learned'"),
        (
            lambda: ViT((7,)),
            r"takes \(channels, \*lengths\) with 1 to 3 lengths; an example is \(7,\): use encoder=mlp",
        ),
        (lambda: ViT((1, 2, 2, 2, 2)), "with 1 to 3 lengths"),
        (lambda: small()(mt.zeros((1, 3, 18, 16))), "encoder.patch=4 must divide an example's 18 x 16"),
        (lambda: vit("vit_medium_patch16_224"), "named vit_SIZE_patchP_SIDE"),
    ],
)
def test_what_does_not_fit(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()


def test_places_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="places are 0 to 15; got 0 to 16"):
        tokens(small(), [[[0, 16]], [[1, 2]]])
    with pytest.raises(ValueError, match=r"indices \(n, e, K\) for n=2 examples"):
        tokens(small(), [[[0, 1]]])


def test_registers_are_seen_and_stay_inside() -> None:
    encoder, x = small(class_token=True, registers=3, mlp="swiglu"), mt.Tensor(IMAGES)
    before = encoder.tokens(x).numpy()
    assert before.shape == (2, 16, 12) and encoder.attention_maps(x)[0].shape == (2, 3, 20, 20)
    assert (
        tokens(encoder, [[[0, 5, 6]], [[1, 2, 15]]]).shape == (2, 3, 12) and encoder.pooled(x, "last4").shape[1] == 36
    )
    assert np.allclose(encoder.pooled(x, "attentive").shape, (2, 12))
    with mt.no_grad():
        encoder.register_tokens[...] = mt.randn((1, 3, 12))
    assert not np.allclose(encoder.tokens(x).numpy(), before)
    (encoder.tokens(x) ** 3).sum().backward()
    assert not [n for n, p in encoder.named_parameters() if p.requires_grad and not np.abs(p.grad.numpy()).max() > 0]
    with pytest.raises(ConfigError, match="registers=3: they stand behind a class token"):
        small(registers=3)
