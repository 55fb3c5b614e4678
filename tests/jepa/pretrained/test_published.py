"""Encoders that others have published: each layout beside PyTorch, and what is said of files that are none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import minitensor as mt
from jepa.errors import RunError
from jepa.pretrained import published
from jepa.pretrained.layouts import LAYOUTS, recognized
from tests.jepa.pretrained import layouts
from tests.jepa.pretrained.layouts import CASES, DIM, HEADS, SIDE
from tests.jepa.pretrained.torch_writer import TorchWriter

X = np.random.default_rng(2).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)


def written(content: Any, path: Path) -> Path:
    """A file of `torch.save`, or of safetensors if nothing is in anything."""
    if path.suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(x) for name, x in content.items()}, path)
        return path
    return TorchWriter().write(path, content)


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_the_original(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    state, made = CASES[name]
    content, expected = made(state), layouts.tokens(state, X)
    flat = all(isinstance(x, np.ndarray) for x in content.values())
    for file in ("x.pth", *(["x.safetensors"] if flat else [])):
        encoder, mean, std, title = published(written(content, tmp_path / file), heads=HEADS)
        own = encoder.tokens(mt.Tensor(X)).numpy()
        assert np.abs(own - expected[:, -own.shape[1] :]).max() < 1e-5 and encoder.shape == (3, SIDE, SIDE)
        if "cls_token" in state:
            assert np.abs(encoder.pooled(mt.Tensor(X), "cls").numpy() - expected[:, 0]).max() < 1e-5
        assert not encoder.training and mean[0] == 0.485 and std[0] == 0.229 and "ViT 12 x 12, patch 4" in title
        assert (
            encoder.settings.positions == "learned"
            and encoder.settings.registers == state.get("reg_token", X[:, :0]).shape[1]
        )


@pytest.mark.parametrize("name", CASES)
def test_every_weight_of_a_layout_has_a_name_and_no_other(name: str) -> None:
    state, made = CASES[name]
    content = made(state)
    flat = next(
        (content[key] for key in ("target_encoder", "teacher", "state_dict", "model") if key in content), content
    )
    found = recognized(flat)
    assert found is not None
    split = {".attn.qkv.": (3, (".query.", ".q_proj.")), ".mlp.fc1.": (2, (".gate_proj.",))}
    apart = {
        n: next((k for x, (k, y) in split.items() if x in n and any(z in m for m in flat for z in y)), 1) for n in state
    }
    assert len(found.names) == sum(apart.values())  # none of the encoder's is left out, none of the others' is taken
    with pytest.raises(
        RunError, match="has the layout of .*, and beside it .*blocks.0.attn.rel_pos_h: relative positions"
    ):
        recognized([*flat, f"{_prefix(flat)}blocks.0.attn.rel_pos_h"])


def _prefix(names: Any) -> str:
    marks = [layout.mark for layout in LAYOUTS.values()]
    return next(name.removesuffix(mark) for name in names for mark in marks if name.endswith(mark))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("block", "layers", "kernel"),
    [
        ("basic", (2, 2, 2, 2), 7),
        ("basic", (3, 4, 6, 3), 7),
        ("bottleneck", (3, 4, 6, 3), 7),
        ("bottleneck", (1, 2), 3),
    ],
)
def test_residual_networks_are_those_of_torchvision(
    block: str, layers: tuple[int, ...], kernel: int, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    state = layouts.network(block, layers, kernel)
    x = np.random.default_rng(3).standard_normal((2, 3, 70, 64)).astype(np.float32)  # 70: rounded up on the way
    expected = layouts.feature_map(state, x)
    for file, content in (
        ("r.safetensors", state),
        ("r.pth", {"state_dict": layouts.prefixed(state, "module.encoder_q.")}),
    ):
        if file == "r.pth":  # 0-dim arrays of whole numbers are nothing that the writer knows
            content = {"state_dict": {n: v for n, v in content["state_dict"].items() if v.ndim}}
        encoder = published(written(content, tmp_path / file)).encoder
        own = encoder.feature_map(mt.Tensor(x)).numpy()
        assert own.shape == expected.shape and np.abs(own - expected).max() < 1e-5 * np.abs(expected).max()
        assert encoder.settings.layers == layers and encoder.settings.block == block


def test_the_description_beside_weights_counts(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    state, made = CASES["Hugging Face, I-JEPA"]
    weights = made(state)
    names = sorted(weights)
    for part, some in enumerate((names[::2], names[1::2])):  # in two pieces
        save_file({n: weights[n] for n in some}, folder / f"model-0000{part + 1}-of-00002.safetensors")
    with pytest.raises(
        RunError, match="has dim 12, .*do not tell the number of heads: name a folder .*heads=..."
    ) as caught:
        published(folder)
    code = str(caught.value).partition("taken instead: ")[2].replace("heads=...", "heads=3")
    exec(code.replace("'folder'", repr(str(tmp_path / "own"))), {})
    assert (tmp_path / "own" / "model.safetensors").exists()
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": 3, "hidden_act": "gelu"}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    found = published(folder)
    assert found.mean == (0.5,) * 3 and found.std == (0.25,) * 3 and found.encoder.settings.heads == 3
    (folder / "config.json").write_text(json.dumps({"hidden_act": "quick_gelu"}))
    with pytest.raises(RunError, match="says hidden_act='quick_gelu': only gelu and SwiGLU"):
        published(folder)
    for text in (
        "[]",
        "{",
        json.dumps({"num_attention_heads": "x"}),
        json.dumps({"pretrained_cfg": {"std": [0, 0, 0]}}),
    ):
        (folder / "config.json").write_text(text)
        (folder / "preprocessor_config.json").unlink(missing_ok=True)
        with pytest.raises(RunError, match="the description beside the weights in .*hf cannot be read"):
            published(folder)
    with pytest.raises(RunError, match="holds own.txt; what was looked for is model.safetensors or pytorch_model.bin"):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "own.txt").write_text("")
        published(tmp_path / "other")


@pytest.mark.parity
def test_half_precision_is_read_as_it_is(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    state = CASES["timm"][0]
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        halves = {name: torch.from_numpy(x).to(dtype) for name, x in state.items()}
        save_torch(halves, tmp_path / "x.safetensors")
        torch.save(halves, tmp_path / "x.pth")
        expected = {name: x.float().numpy() for name, x in halves.items()}["blocks.1.attn.qkv.weight"]
        for file in ("x.safetensors", "x.pth"):
            found = published(tmp_path / file, heads=3).encoder.state_dict()["blocks.1.attn.qkv.weight"]
            assert found.dtype == np.float32 and np.array_equal(found, expected)
    save_torch(
        {name: torch.from_numpy(x).to(torch.float8_e4m3fn) for name, x in state.items()}, tmp_path / "x.safetensors"
    )
    with pytest.raises(RunError, match="as F8_E4M3, which is not read: convert it to F32"):
        published(tmp_path / "x.safetensors", heads=3)


TIMM = CASES["timm"][0]
ONES = np.ones((2, 2), np.float32)
WRONG: dict[str, tuple[Any, str]] = {
    "language": (
        {"transformer.h.0.attn.weight": ONES},
        "found was 1 weights, transformer.h.0.attn.weight: a model of language; what was looked for is an encoder",
    ),
    "not flat": ({"epoch": 3, "net": {"a": ONES}}, "found was a dict of epoch, net; what was looked for"),
    "nothing": ({}, "found was no dict of weights"),
    "CLIP": (TIMM | {"norm_pre.weight": ONES}, "beside it norm_pre.weight: a vision transformer of CLIP or SigLIP"),
    "DINOv3": (TIMM | {"rope_embed.periods": ONES}, "rotary positions"),
    "fine-tuned": (
        {n: x for n, x in TIMM.items() if not n.startswith("norm.")} | {"fc_norm.weight": ONES},
        "one norm behind the mean",
    ),
    "DeiT": (TIMM | {"dist_token": ONES}, "a second class token"),
    "ConvNeXt": ({"stages.0.blocks.0.conv_dw.weight": ONES}, "the names of ConvNeXt"),
    "no grid": (
        TIMM | {"pos_embed": np.ones((1, 8, DIM), np.float32)},
        "pos_embed .1, 8, 12., with no square grid, is missing or odd",
    ),
    "no block": (
        {n: x for n, x in TIMM.items() if "1.attn.qkv.w" not in n},
        "blocks.1.attn.qkv.weight is missing or odd",
    ),
    "a part": (
        {n: x for n, x in CASES["Hugging Face, ViT"][1](TIMM).items() if "1.attention.attention.key.weight" not in n},
        "blocks.1.attn.key.weight is missing",
    ),
    "quantized": (TIMM | {"norm.bias": np.ones(DIM, np.int64)}, "norm.bias of int64 is missing or odd"),
    "NaN": (TIMM | {"norm.bias": np.full(DIM, np.nan, np.float32)}, "norm.bias hold NaN or infinity"),
    "heads": (TIMM, "has dim 12, which no published size has"),
    "ResNeXt": (
        layouts.network("bottleneck", (1, 1)) | {"layer1.0.conv2.weight": np.ones((4, 1, 3, 3), np.float32)},
        "layer1.0.conv2.weight 4 x 1 x 3 x 3, not 4 x 4 x 3 x 3 .as ResNeXt",
    ),
    "deep stem": (
        {n: x for n, x in layouts.network("basic", (1, 1)).items() if n != "conv1.weight"} | {"conv1.0.weight": ONES},
        "beside it conv1.0.weight: convolutions in place",
    ),
    "a stem of 5": (layouts.network("basic", (1, 1), kernel=5), "conv1.weight of 5 x 5 pixels is missing or odd"),
    "squeeze": (
        layouts.network("basic", (1, 1)) | {"layer1.0.se.fc1.weight": ONES},
        "beside it layer1.0.se.fc1.weight",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_was_found_and_what_was_looked_for(name: str, tmp_path: Path) -> None:
    content, text = WRONG[name]
    files = ["x.pth"] if any(not isinstance(x, np.ndarray) for x in content.values()) else ["x.pth", "x.safetensors"]
    for file in files:
        if file == "x.pth" and isinstance(content, dict):
            some = {n: x for n, x in content.items() if not isinstance(x, np.ndarray) or x.ndim}
        else:
            some = content
        if not some and file != "x.pth":
            continue
        with pytest.raises(RunError, match=text) as caught:
            published(written(some, tmp_path / file))
        assert str(tmp_path / file) in str(caught.value) and len(str(caught.value)) < 1100


def test_damaged_safetensors_are_a_sentence(tmp_path: Path) -> None:
    whole = written(TIMM, tmp_path / "x.safetensors").read_bytes()
    for content in (whole[:-5], whole[:200], whole[:8] + b"{" + bytes(60), b"\x05" + bytes(7) + b"{...."):
        (tmp_path / "x.safetensors").write_bytes(content)
        with pytest.raises(RunError, match=r"x\.safetensors is "):
            published(tmp_path / "x.safetensors", heads=3)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        published(tmp_path / "none.pth")
