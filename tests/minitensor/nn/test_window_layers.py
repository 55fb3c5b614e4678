"""The layers over windows against PyTorch's: keys, attributes, values, gradients of both orders; what they refuse."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 7, 8), (1, 4, 4, 5, 3)
SHAPE = {1: LINE, 2: IMAGE, 3: VOLUME}
NAMES = """in_channels out_channels kernel_size stride padding dilation groups output_padding padding_mode ceil_mode
    return_indices count_include_pad divisor_override norm_type output_size size scale_factor mode align_corners
    recompute_scale_factor upscale_factor downscale_factor groups value""".split()

LAYERS = {}
for n_ in (1, 2, 3):
    for conv_ in (f"Conv{n_}d", f"ConvTranspose{n_}d"):
        LAYERS[conv_] = (lambda m, c=conv_: getattr(m, c)(4, 6, 3), SHAPE[n_])
        LAYERS[f"{conv_}, one"] = (lambda m, c=conv_: getattr(m, c)(4, 6, 2, bias=False), SHAPE[n_][1:])
        LAYERS[f"{conv_}, settings"] = (
            lambda m, c=conv_: getattr(m, c)(4, 6, 2, 2, 1, groups=2, dilation=2),
            SHAPE[n_],
        )
        LAYERS[f"{conv_}, tuples"] = (
            lambda m, c=conv_, n=n_: getattr(m, c)(4, 2, (3, 2, 1)[:n], (1, 2, 1)[:n], (1, 0, 0)[:n]), SHAPE[n_],
        )  # fmt: skip
    LAYERS[f"ConvTranspose{n_}d, open"] = (
        lambda m, n=n_: getattr(m, f"ConvTranspose{n}d")(4, 2, 3, 2, 1, 1), SHAPE[n_],
    )  # fmt: skip
    for padding_ in ("same", "valid", 1):
        for mode_ in ("zeros", "reflect", "replicate", "circular"):
            kw_ = {"kernel_size": (3, 2, 2)[:n_], "padding": padding_, "padding_mode": mode_}
            LAYERS[f"Conv{n_}d, {padding_}, {mode_}"] = (
                lambda m, n=n_, s=kw_: getattr(m, f"Conv{n}d")(4, 2, **s), SHAPE[n_],
            )  # fmt: skip
    for pool_, settings_ in (
        ("MaxPool", {"kernel_size": 2}),
        ("MaxPool", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "ceil_mode": True}),
        ("AvgPool", {"kernel_size": 2}),
        ("AvgPool", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
        ("LPPool", {"norm_type": 2, "kernel_size": 2, "stride": 1}),
        ("AdaptiveAvgPool", {"output_size": 2}),
        ("AdaptiveMaxPool", {"output_size": 2}),
    ):
        LAYERS[f"{pool_}{n_}d, {settings_}"] = (
            lambda m, n=n_, p=pool_, s=settings_: getattr(m, f"{p}{n}d")(**s), SHAPE[n_],
        )  # fmt: skip
    for pad_ in ("ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"):
        for width_ in (1, tuple(range(1, 2 * n_ + 1)) if n_ == 1 else (2, 1, 0, 2, 1, 1)[: 2 * n_]):
            LAYERS[f"{pad_}{n_}d, {width_}"] = (lambda m, n=n_, p=pad_, w=width_: getattr(m, f"{p}{n}d")(w), SHAPE[n_])
    LAYERS[f"ConstantPad{n_}d"] = (lambda m, n=n_: getattr(m, f"ConstantPad{n}d")(2, 0.5), SHAPE[n_])
    LAYERS[f"ConstantPad{n_}d, cut"] = (lambda m, n=n_: getattr(m, f"ConstantPad{n}d")((-1, 2) * n, -3), SHAPE[n_])
LAYERS |= {
    "AvgPool2d, divisor": (lambda m: m.AvgPool2d(2, divisor_override=3), IMAGE),
    "AdaptiveAvgPool2d, None": (lambda m: m.AdaptiveAvgPool2d((3, None)), IMAGE),
    "AdaptiveMaxPool2d, None": (lambda m: m.AdaptiveMaxPool2d((None, 3)), IMAGE),
    "AdaptiveAvgPool3d, None": (lambda m: m.AdaptiveAvgPool3d((None, 2, 1)), VOLUME),
    "Unfold": (lambda m: m.Unfold((2, 3), 1, 1, 2), IMAGE),
    "Fold": (lambda m: m.Fold((4, 5), 2), (2, 8, 12)),
    "Upsample": (lambda m: m.Upsample(scale_factor=2), LINE),
    "Upsample, size": (lambda m: m.Upsample((5, 9), mode="bilinear"), IMAGE),
    "Upsample, align": (lambda m: m.Upsample(scale_factor=(2, 1.5), mode="bicubic", align_corners=True), IMAGE),
    "Upsample, volume": (lambda m: m.Upsample(scale_factor=1.5, mode="trilinear", recompute_scale_factor=True), VOLUME),
    "UpsamplingNearest2d": (lambda m: m.UpsamplingNearest2d(scale_factor=2), IMAGE),
    "UpsamplingBilinear2d": (lambda m: m.UpsamplingBilinear2d((9, 3)), IMAGE),
    "PixelShuffle": (lambda m: m.PixelShuffle(2), IMAGE),
    "PixelUnshuffle": (lambda m: m.PixelUnshuffle(2), (2, 3, 4, 6)),
    "ChannelShuffle": (lambda m: m.ChannelShuffle(2), IMAGE),
    "a network": (
        lambda m: m.Sequential(
            m.ZeroPad2d(1), m.Conv2d(4, 4, 3, groups=4), m.AvgPool2d(2), m.ConvTranspose2d(4, 2, 2, 2),
            m.Upsample(scale_factor=2, mode="bilinear"), m.AdaptiveAvgPool2d(3),
        ),
        IMAGE,
    ),
}  # fmt: skip


def _same_attributes(ours, theirs):
    for name in NAMES:
        if hasattr(theirs, name):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert a == b and type(a) is type(b), name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, dtype):
    from tests.minitensor.parity.twins import agree, twins

    make, shape = LAYERS[name]
    ours, theirs = twins(make, dtype)
    _same_attributes(ours, theirs)
    x = np.random.default_rng(3).standard_normal(shape)
    x = abs(x) + 0.1 if name.startswith("LP") else x
    agree(ours, theirs, x, dtype=dtype, order=2 if dtype == "float64" else 1)
    agree(copy.deepcopy(ours), theirs, x, dtype=dtype, order=0 if not list(ours.parameters()) else 1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_indices_and_unpooling(n):
    x = np.random.default_rng(4).standard_normal(SHAPE[n])
    for m, wrap in ((nn, mt.Tensor), (torch.nn, torch.tensor)):
        pool, unpool = getattr(m, f"MaxPool{n}d")(2, return_indices=True), getattr(m, f"MaxUnpool{n}d")(2)
        y, i = pool(wrap(x))
        back = unpool(y, i, output_size=SHAPE[n])
        z, j = getattr(m, f"AdaptiveMaxPool{n}d")(2, True)(wrap(x))
        results = [v.numpy() for v in (y, i, back, z, j)]
        if m is nn:
            kept = results
    for a, b in zip(kept, results, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_output_size(n):
    from tests.minitensor.parity.twins import agree, twins

    ours, theirs = twins(lambda m: getattr(m, f"ConvTranspose{n}d")(4, 2, 3, 3, 1))
    x = np.random.default_rng(5).standard_normal(SHAPE[n])
    least = [3 * (m - 1) + 1 for m in SHAPE[n][2:]]
    for size in (least, [m + 2 for m in least], [2, 2, *(m + 1 for m in least)]):
        agree(ours, theirs, x, output_size=size)
        agree(ours, theirs, x[0], output_size=size[-n:])
    for size in ([m - 1 for m in least], [m + 3 for m in least], [1] * (n + 1)):
        with pytest.raises(ValueError, match="output_size is"):
            ours(mt.Tensor(x), output_size=size)
        with pytest.raises(ValueError):
            theirs(torch.tensor(x), output_size=size)


@pytest.mark.parametrize(
    "name", ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
)
def test_initial_laws(name):
    """Same bounds and spread; 6,000 draws or more, or 60."""
    mt.manual_seed(0), torch.manual_seed(0)
    ours, theirs = (getattr(m, name)(40, 60, 5, groups=2).state_dict() for m in (nn, torch.nn))
    for k, a in ours.items():
        b = theirs[k].numpy()
        assert abs(a.std() / b.std() - 1) < (0.03 if a.size > 5000 else 0.3), k
        assert abs(a).max() == pytest.approx(abs(b).max(), rel=0.1), k


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}], ids=str)
def test_the_gradient_of_a_convolution_is_the_transposed_one(n, settings):
    rng = np.random.default_rng(6)
    x = mt.Tensor(rng.standard_normal((2, 4, *(9, 7, 5)[:n])), requires_grad=True)
    w = mt.Tensor(rng.standard_normal((6, 4 // settings.get("groups", 1), *(3,) * n)))
    y = getattr(nn.functional, f"conv{n}d")(x, w, **settings)
    v = mt.Tensor(rng.standard_normal(y.shape))
    (g,) = mt.grad(y, x, v)
    back = getattr(nn.functional, f"conv_transpose{n}d")(v, w, **settings)
    np.testing.assert_allclose(g.numpy(), back.numpy(), atol=1e-12)


def test_repr_says_what_is_not_the_default():
    assert (
        repr(nn.Conv2d(3, 4, (3, 3), padding=(1, 1), bias=False))
        == "Conv2d(3 -> 4, kernel_size=3, padding=1, bias=False)"
    )
    assert repr(nn.Conv1d(2, 2, 3, padding="same", padding_mode="circular")) == (
        "Conv1d(2 -> 2, kernel_size=3, padding='same', padding_mode='circular')"
    )
    assert repr(nn.ConvTranspose2d(3, 4, (3, 2), 2, 1, (1, 0), dilation=3)) == (
        "ConvTranspose2d(3 -> 4, kernel_size=(3, 2), stride=2, padding=1, output_padding=(1, 0), dilation=3)"
    )
    assert repr(nn.MaxPool2d(2, return_indices=True)) == "MaxPool2d(kernel_size=2, return_indices=True)"
    assert repr(nn.AvgPool2d(3, 2, divisor_override=4)) == "AvgPool2d(kernel_size=3, stride=2, divisor_override=4)"
    assert repr(nn.LPPool1d(2, 3)) == "LPPool1d(norm_type=2, kernel_size=3)"
    assert repr(nn.MaxUnpool3d(2, 1)) == "MaxUnpool3d(kernel_size=2, stride=1)"
    assert repr(nn.AdaptiveMaxPool2d((3, None))) == "AdaptiveMaxPool2d(output_size=(3, None))"
    assert repr(nn.ReflectionPad2d(1)) == "ReflectionPad2d((1, 1, 1, 1))"
    assert repr(nn.ConstantPad1d(1, 2.0)) == "ConstantPad1d(padding=(1, 1), value=2.0)"
    assert repr(nn.Upsample(scale_factor=2, mode="bilinear")) == "Upsample(scale_factor=2.0, mode='bilinear')"
    assert repr(nn.UpsamplingNearest2d(5)) == "UpsamplingNearest2d(size=5, mode='nearest')"
    assert repr(nn.Unfold(2)) == "Unfold(kernel_size=2, dilation=1, padding=0, stride=1)"
    assert repr(nn.Fold(4, 2)) == "Fold(output_size=4, kernel_size=2, dilation=1, padding=0, stride=1)"
    assert repr(nn.PixelShuffle(2)) == "PixelShuffle(upscale_factor=2)"
    assert repr(nn.PixelUnshuffle(2)) == "PixelUnshuffle(downscale_factor=2)"
    assert repr(nn.ChannelShuffle(2)) == "ChannelShuffle(groups=2)"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda m: m.Conv2d(3, 4, 3, groups=2), "Conv2d: 3 and 4 channels cannot be cut into 2 groups"),
        (lambda m: m.Conv2d(2, 4, 3, groups=0), "Conv2d: groups is 1 or more; got 0"),
        (lambda m: m.ConvTranspose1d(4, 3, 3, groups=2), "ConvTranspose1d: 4 and 3 channels cannot be cut"),
        (lambda m: m.Conv2d(2, 4, 3, padding="same", stride=2), "padding='same' is for stride 1; got stride=2"),
        (lambda m: m.Conv1d(2, 4, 3, padding="full"), "padding is numbers, 'same' or 'valid'; got 'full'"),
        (lambda m: m.Conv3d(2, 4, 3, padding_mode="mirror"), "padding_mode is one of zeros, reflect, replicate"),
        (lambda m: m.ConvTranspose2d(2, 4, 3, padding_mode="reflect"), "padding_mode is 'zeros'; got 'reflect'"),
    ],
)  # fmt: skip
def test_refused_settings(make, text):
    with pytest.raises(ValueError, match=text):
        make(nn)
    with pytest.raises((ValueError, RuntimeError, ZeroDivisionError)):
        make(torch.nn)


def test_refused_settings_that_pytorch_finds_in_the_call():
    for make, text in (
        (lambda: nn.Conv2d(2, 4, (3, 3, 3)), "Conv2d: kernel_size is one integer, or one for each of 2 axes"),
        (lambda: nn.Conv2d(2, 4, 3, stride=0), "Conv2d: stride is 1 or more; got 0"),
        (lambda: nn.ReflectionPad2d((1, 2, 3)), "ReflectionPad2d: padding is one integer, or one for each of 4 axes"),
    ):
        with pytest.raises(ValueError, match=text):
            make()
    for mode in ("zeros", "reflect"):
        with pytest.raises(ValueError, match=r"takes \(n, c, ...\) or \(c, ...\)"):
            nn.Conv2d(2, 2, 3, padding_mode=mode)(mt.ones((3, 3)))
