"""Published layouts at tiny sizes: their true names, and what PyTorch computes with such weights."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

State = dict[str, np.ndarray]
DIM, HEADS, PATCH, SIDE, DEPTH, HIDDEN = 12, 3, 4, 12, 2, 20


def transformer(
    *,
    token: bool = True,
    registers: int = 0,
    scale: bool = False,
    gated: bool = False,
    bias: bool = True,
    placed: bool | None = None,
) -> State:
    """A vision transformer by timm's names. placed: whether registers have positions; None: the class token alone."""
    rng, state = np.random.default_rng(0), State()

    def draw(name: str, *shape: int) -> None:
        state[name] = (0.4 * rng.standard_normal(shape)).astype(np.float32)

    def linear(name: str, outputs: int, inputs: int) -> None:
        draw(f"{name}.weight", outputs, inputs)
        draw(f"{name}.bias", outputs)

    before = 0 if placed is False else token + (registers if placed else 0)
    if token:
        draw("cls_token", 1, 1, DIM)
    if registers:
        draw("reg_token", 1, registers, DIM)
    draw("pos_embed", 1, before + (SIDE // PATCH) ** 2, DIM)
    draw("patch_embed.proj.weight", DIM, 3, PATCH, PATCH)
    draw("patch_embed.proj.bias", DIM)
    for k in range(DEPTH):
        for part in ("norm1", "norm2"):
            draw(f"blocks.{k}.{part}.weight", DIM)
            draw(f"blocks.{k}.{part}.bias", DIM)
        linear(f"blocks.{k}.attn.qkv", 3 * DIM, DIM)
        if not bias:
            del state[f"blocks.{k}.attn.qkv.bias"]
        linear(f"blocks.{k}.attn.proj", DIM, DIM)
        linear(f"blocks.{k}.mlp.fc1", HIDDEN * (1 + gated), DIM)
        linear(f"blocks.{k}.mlp.fc2", DIM, HIDDEN)
        for number in (1, 2) if scale else ():
            draw(f"blocks.{k}.ls{number}.gamma", DIM)
    draw("norm.weight", DIM)
    draw("norm.bias", DIM)
    return state


def tokens(state: State, x: np.ndarray) -> np.ndarray:
    """What PyTorch computes: the class token, if there is one, and the patches, normalized, (n, T, DIM)."""
    import torch
    from torch.nn import functional as F

    w = {name: torch.from_numpy(value.astype(np.float64)) for name, value in state.items()}
    y = F.conv2d(
        torch.from_numpy(x.astype(np.float64)), w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], PATCH
    )
    y = y.flatten(2).transpose(1, 2)
    others = [w[name].expand(len(x), -1, -1) for name in ("cls_token", "reg_token") if name in w]
    count = w["pos_embed"].shape[1] - y.shape[1]  # positions of what stands before the patches
    y = y + w["pos_embed"][:, count:]
    if others:
        first = torch.cat(others, dim=1)
        y = torch.cat([first[:, :count] + w["pos_embed"][:, :count], first[:, count:], y], dim=1)
    for k in range(DEPTH):
        b = {name.removeprefix(f"blocks.{k}."): value for name, value in w.items() if name.startswith(f"blocks.{k}.")}
        z = F.layer_norm(y, (DIM,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        qkv = F.linear(z, b["attn.qkv.weight"], b.get("attn.qkv.bias"))
        q, key, v = qkv.reshape(*z.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        z = F.scaled_dot_product_attention(q, key, v).transpose(1, 2).flatten(2)
        y = y + b.get("ls1.gamma", 1) * F.linear(z, b["attn.proj.weight"], b["attn.proj.bias"])
        z = F.linear(
            F.layer_norm(y, (DIM,), b["norm2.weight"], b["norm2.bias"], 1e-6), b["mlp.fc1.weight"], b["mlp.fc1.bias"]
        )
        z = F.silu(z[..., :HIDDEN]) * z[..., HIDDEN:] if z.shape[-1] == 2 * HIDDEN else F.gelu(z)
        y = y + b.get("ls2.gamma", 1) * F.linear(z, b["mlp.fc2.weight"], b["mlp.fc2.bias"])
    y = F.layer_norm(y, (DIM,), w["norm.weight"], w["norm.bias"], 1e-6)
    keep = [0] * ("cls_token" in w) + [*range(y.shape[1] - (SIDE // PATCH) ** 2, y.shape[1])]
    return y[:, keep].numpy()


def renamed(state: State, *pairs: tuple[str, str]) -> State:
    """The same weights by other names: each pattern of a part of a name is replaced, in turn."""
    found = State()
    for name, value in state.items():
        for pattern, text in pairs:
            name = re.sub(pattern, text, name)
        found[name] = value
    return found


def apart(state: State, *, gate: bool = False) -> State:
    """The same weights with query, key and value apart, as Hugging Face has them; and the gate of a gated MLP."""
    found = State()
    for name, value in state.items():
        parts = {"": value}
        if ".attn.qkv." in name:
            parts = dict(zip(("query", "key", "value"), np.split(value, 3), strict=True))
        elif gate and ".mlp.fc1." in name:
            parts = dict(zip(("gate_proj", "up_proj"), np.split(value, 2), strict=True))
        for part, some in parts.items():
            found[name.replace("attn.qkv", f"attention.attention.{part}").replace("fc1", part or "fc1")] = some
    return found


HF = (
    (r"^(cls_token|mask_token)", r"embeddings.\1"),
    (r"^reg_token", "embeddings.register_tokens"),
    (r"^pos_embed", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.proj", "attention.output.dense"),
    (r"^norm\.", "layernorm."),
)
HF_VIT = (
    *HF,
    (r"norm1\.", "layernorm_before."),
    (r"norm2\.", "layernorm_after."),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)
HF_DINO = (*HF, (r"ls([12])\.gamma", r"layer_scale\1.lambda1"))
NOW = (  # in the memory of transformers 5
    (r"attention\.attention\.([qkv])[a-z]+", r"attention.\1_proj"),
    (r"attention\.output\.dense", "attention.o_proj"),
)
TV = (
    (r"^cls_token", "class_token"),
    (r"^pos_embed", "encoder.pos_embedding"),
    (r"^patch_embed\.proj", "conv_proj"),
    (r"^blocks\.", "encoder.layers.encoder_layer_"),
    (r"norm([12])\.", r"ln_\1."),
    (r"attn\.qkv\.", "self_attention.in_proj_"),
    (r"attn\.proj", "self_attention.out_proj"),
    (r"mlp\.fc1", "mlp.0"),
    (r"mlp\.fc2", "mlp.3"),
    (r"^norm\.", "encoder.ln."),
)
ONES = np.ones(3, np.float32)
DECODER = {
    "mask_token": ONES,
    "decoder_pos_embed": ONES,
    "decoder_embed.weight": ONES,
    "decoder_blocks.0.attn.qkv.bias": ONES,
}


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


CASES: dict[str, tuple[State, Callable[[State], Any]]] = {
    "I-JEPA": (
        transformer(token=False),
        lambda s: {
            "encoder": prefixed({n: 2 * x for n, x in s.items()}, "module."),
            "predictor": {"a": ONES},
            "target_encoder": prefixed(s, "module."),
        },
    ),
    "timm": (transformer(), lambda s: s | {"head.weight": ONES, "head.bias": ONES}),
    "timm without qkv bias": (transformer(bias=False), lambda s: {"state_dict": s}),
    "timm DINOv2 with registers": (transformer(registers=2, scale=True, placed=False), lambda s: s),
    "timm, registers with positions": (transformer(registers=2, placed=True), lambda s: s),
    "DINO, a training": (
        transformer(),
        lambda s: {
            "student": prefixed({n: 3 * x for n, x in s.items()}, "module.backbone."),
            "teacher": prefixed(s, "backbone.") | {"head.mlp.0.weight": ONES},
        },
    ),
    "DINOv2": (transformer(scale=True), lambda s: s | {"mask_token": ONES[None]}),
    "DINOv2 with registers": (
        transformer(registers=4, scale=True),
        lambda s: renamed(s, ("reg_token", "register_tokens")),
    ),
    "DINOv2 giant": (
        transformer(scale=True, gated=True),
        lambda s: renamed(s, (r"mlp\.fc1", "mlp.w12"), (r"mlp\.fc2", "mlp.w3")),
    ),
    "DINOv2 in chunks": (
        transformer(scale=True),
        lambda s: {"teacher": prefixed(renamed(s, (r"^blocks\.", "blocks.0.")), "backbone.")},
    ),
    "MAE": (transformer(), lambda s: {"model": s | DECODER}),
    "Hugging Face, I-JEPA": (transformer(token=False), lambda s: renamed(apart(s), *HF_VIT)),
    "Hugging Face, I-JEPA to classify": (
        transformer(token=False),
        lambda s: prefixed(renamed(apart(s), *HF_VIT), "ijepa.") | {"classifier.weight": ONES},
    ),
    "Hugging Face, ViT": (transformer(), lambda s: renamed(apart(s), *HF_VIT) | {"pooler.dense.weight": ONES}),
    "Hugging Face, MAE": (
        transformer(),
        lambda s: prefixed(renamed(apart(s), *HF_VIT), "vit.") | {"decoder.mask_token": ONES},
    ),
    "Hugging Face, DINOv2": (
        transformer(scale=True),
        lambda s: renamed(apart(s), *HF_DINO) | {"embeddings.mask_token": ONES},
    ),
    "Hugging Face, DINOv2 giant": (
        transformer(scale=True, gated=True, registers=4),
        lambda s: renamed(apart(s), *HF_DINO, (r"mlp\.fc1", "mlp.weights_in"), (r"mlp\.fc2", "mlp.weights_out")),
    ),
    "Hugging Face, I-JEPA in memory": (
        transformer(token=False),
        lambda s: renamed(apart(s), *HF, *NOW, *HF_VIT[len(HF) : len(HF) + 2], (r"^encoder\.layer", "layers")),
    ),
    "Hugging Face, DINOv2 giant in memory": (
        transformer(scale=True, gated=True, registers=4),
        lambda s: renamed(apart(s, gate=True), *HF_DINO, *NOW, (r"mlp\.fc2", "mlp.down_proj")),
    ),
    "torchvision": (transformer(), lambda s: renamed(s, *TV) | {"heads.head.weight": ONES}),
}
"""name -> weights by timm's names, and what makes of them what is in a file"""


def network(block: str, layers: tuple[int, ...], kernel: int = 7, width: int = 4) -> State:
    """A ResNet by torchvision's names, with `fc`, and statistics that are no 0 and 1."""
    rng, state = np.random.default_rng(1), State()

    def convolution(name: str, outputs: int, inputs: int, side: int) -> None:
        state[f"{name}.weight"] = (
            rng.standard_normal((outputs, inputs, side, side)) / (inputs * side * side) ** 0.5
        ).astype(np.float32)

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean"):
            state[f"{name}.{part}"] = rng.standard_normal(channels).astype(np.float32)
        state[f"{name}.running_var"] = rng.uniform(0.5, 2, channels).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.array(7)

    convolution("conv1", width, 3, kernel)
    norm("bn1", width)
    inputs = width
    for k, count in enumerate(layers):
        own = width * 2**k
        outputs = own * (4 if block == "bottleneck" else 1)
        for j in range(count):
            stem = f"layer{k + 1}.{j}"
            sides = (1, 3, 1) if block == "bottleneck" else (3, 3)
            ends = (own, own, outputs)[-len(sides) :] if block == "basic" else (own, own, outputs)
            starts = (inputs, *ends[:-1])
            for n, (side, start, end) in enumerate(zip(sides, starts, ends, strict=True), 1):
                convolution(f"{stem}.conv{n}", end, start, side)
                norm(f"{stem}.bn{n}", end)
            if j == 0 and (k or inputs != outputs):
                convolution(f"{stem}.downsample.0", outputs, inputs, 1)
                norm(f"{stem}.downsample.1", outputs)
            inputs = outputs
    state["fc.weight"], state["fc.bias"] = rng.standard_normal((5, inputs)).astype(np.float32), np.ones(5, np.float32)
    return state


def feature_map(state: State, x: np.ndarray) -> np.ndarray:
    """What PyTorch computes with the weights of a ResNet, before the mean over places."""
    import torch
    from torch.nn import functional as F

    w = {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in state.items()}

    def normed(y: Any, name: str) -> Any:
        return F.batch_norm(y, *(w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    kernel = w["conv1.weight"].shape[-1]
    y = F.conv2d(torch.from_numpy(x.astype(np.float64)), w["conv1.weight"], None, 2 if kernel == 7 else 1, kernel // 2)
    y = F.relu(normed(y, "bn1"))
    if kernel == 7:
        y = F.max_pool2d(y, 3, 2, 1)
    for stem in dict.fromkeys(re.match(r"layer\d\.\d+", name)[0] for name in w if name.startswith("layer")):  # type: ignore[index]
        count = 3 if f"{stem}.conv3.weight" in w else 2
        strided = 2 if count == 3 else 1  # the convolution that has the stride
        stride = 2 if stem.endswith(".0") and not stem.startswith("layer1") else 1
        z = y
        for n in range(1, count + 1):
            weight = w[f"{stem}.conv{n}.weight"]
            z = F.conv2d(z, weight, None, stride if n == strided else 1, weight.shape[-1] // 2)
            z = normed(z, f"{stem}.bn{n}")
            z = F.relu(z) if n < count else z
        if f"{stem}.downsample.0.weight" in w:
            y = normed(F.conv2d(y, w[f"{stem}.downsample.0.weight"], None, stride), f"{stem}.downsample.1")
        y = F.relu(y + z)
    return y.numpy()
