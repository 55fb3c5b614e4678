"""The layouts that published encoders come in: from the names of their weights to ours, as tables.

A layout is known by one weight that it always has. What stands before that name in a file, such as `module.` or
`backbone.`, is the prefix of the encoder in it; weights without it belong to others (predictor, decoder, head).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jepa.errors import RunError
from jepa.text import shortened

END = r"\.(weight|bias)"
QKV = ("query", "key", "value")
JOINED = {"attn.qkv": tuple(f"attn.{name}" for name in QKV), "mlp.fc1": ("mlp.gate", "mlp.up")}
"""our matrix -> those that some layouts have in its place, one above the other"""


class Layout(NamedTuple):
    """One way to name the weights of a kind of encoder."""

    title: str
    """who names them so"""
    mark: str
    """a weight that is always there"""
    names: Mapping[str, str]
    """patterns of whole names, and ours for them; matrices that stand apart are joined later (`JOINED`)"""
    unused: Sequence[str]
    """patterns of what is no part of the encoder: heads, decoders"""


TIMM_BLOCK = r"blocks\.(?:\d+\.)?(\d+)\."  # DINOv2 trains in chunks, and numbers them before the block
HF_BLOCK = r"(?:encoder\.layer|layers)\.(\d+)\."  # the second in the memory of transformers 5
TV_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."
LAYOUTS = {
    "timm": Layout(
        "timm, I-JEPA, DINO, DINOv2 or MAE",
        "patch_embed.proj.weight",
        {
            rf"patch_embed\.proj{END}": r"patch_embed.proj.\1",
            "(cls_token|pos_embed)": r"\1",
            "reg_token|register_tokens": "register_tokens",
            TIMM_BLOCK + rf"(norm[12]|attn\.qkv|attn\.proj|mlp\.fc[12]){END}": r"blocks.\1.\2.\3",
            TIMM_BLOCK + rf"mlp\.w12{END}": r"blocks.\1.mlp.fc1.\2",
            TIMM_BLOCK + rf"mlp\.w3{END}": r"blocks.\1.mlp.fc2.\2",
            TIMM_BLOCK + r"ls([12])\.gamma": r"blocks.\1.ls\2",
            rf"norm{END}": r"norm.\1",
        },
        ("head.*", "pre_logits.*", "mask_token", "decoder_.*"),
    ),
    "hf": Layout(
        "Hugging Face's I-JEPA, ViT, MAE or DINOv2",
        "embeddings.patch_embeddings.projection.weight",
        {
            rf"embeddings\.patch_embeddings\.projection{END}": r"patch_embed.proj.\1",
            r"embeddings\.cls_token": "cls_token",
            r"embeddings\.register_tokens": "register_tokens",
            r"embeddings\.position_embeddings": "pos_embed",
            HF_BLOCK + rf"(?:layernorm_before|norm1){END}": r"blocks.\1.norm1.\2",
            HF_BLOCK + rf"(?:layernorm_after|norm2){END}": r"blocks.\1.norm2.\2",
            HF_BLOCK + rf"attention\.attention\.(query|key|value){END}": r"blocks.\1.attn.\2.\3",
            **{HF_BLOCK + rf"attention\.{name[0]}_proj{END}": rf"blocks.\1.attn.{name}.\2" for name in QKV},
            HF_BLOCK + rf"attention\.(?:output\.dense|o_proj){END}": r"blocks.\1.attn.proj.\2",
            HF_BLOCK + rf"(?:intermediate\.dense|mlp\.fc1|mlp\.weights_in){END}": r"blocks.\1.mlp.fc1.\2",
            HF_BLOCK + rf"(?:output\.dense|mlp\.fc2|mlp\.weights_out|mlp\.down_proj){END}": r"blocks.\1.mlp.fc2.\2",
            HF_BLOCK + rf"mlp\.(gate|up)_proj{END}": r"blocks.\1.mlp.\2.\3",
            HF_BLOCK + r"layer_scale([12])\.lambda1": r"blocks.\1.ls\2",
            rf"layernorm{END}": r"norm.\1",
        },
        (r"embeddings\.mask_token", r"pooler\..*", r"decoder\..*", r"classifier\..*"),
    ),
    "torchvision": Layout(
        "torchvision's ViT",
        "conv_proj.weight",
        {
            rf"conv_proj{END}": r"patch_embed.proj.\1",
            "class_token": "cls_token",
            r"encoder\.pos_embedding": "pos_embed",
            TV_BLOCK + rf"ln_([12]){END}": r"blocks.\1.norm\2.\3",
            TV_BLOCK + r"self_attention\.in_proj_(weight|bias)": r"blocks.\1.attn.qkv.\2",
            TV_BLOCK + rf"self_attention\.out_proj{END}": r"blocks.\1.attn.proj.\2",
            TV_BLOCK + rf"mlp\.(?:0|linear_1){END}": r"blocks.\1.mlp.fc1.\2",
            TV_BLOCK + rf"mlp\.(?:3|linear_2){END}": r"blocks.\1.mlp.fc2.\2",
            rf"encoder\.ln{END}": r"norm.\1",
        },
        (r"heads\..*",),
    ),
    "resnet": Layout(
        "torchvision's ResNet",
        "layer1.0.conv1.weight",
        {
            r"(conv1\.weight)": r"\1",
            r"(bn1\.(?:weight|bias|running_mean|running_var))": r"\1",
            r"(layer\d\.\d+\.(?:conv[123]|downsample\.0)\.weight)": r"\1",
            r"(layer\d\.\d+\.(?:bn[123]|downsample\.1)\.(?:weight|bias|running_mean|running_var))": r"\1",
        },
        (r"fc\..*", r".*num_batches_tracked", "queue.*"),
    ),
}
OTHERS = {
    r"rope|inv_freq": "rotary positions (DINOv3, EVA)",
    r"relative_position|rel_pos|layers\.0\.blocks\.0": "relative positions (BEiT, Swin, SAM)",
    r"gamma_[12]|[qv]_bias": "the blocks of BEiT or EVA",
    r"[qk]_norm": "norms of queries and keys",
    r"norm_pre|pre_layrnorm|ln_pre|vision_model": "a vision transformer of CLIP or SigLIP",
    r"attn_pool": "attention as its pooling (SigLIP)",
    r"fc_norm": "one norm behind the mean of the tokens, not one of each token: take the weights before fine-tuning",
    r"dist_token": "a second class token (DeiT's distillation)",
    r"patch_embed\.(backbone|conv)|conv1\.\d": "convolutions in place of the patch embedding or the first convolution",
    r"stages\.\d": "the names of ConvNeXt, or of another network in stages",
    r"text_model|transformer\.h|lm_head|word_embeddings": "a model of language",
}
"""patterns of names of networks that are none of the above, and what they tell"""


class Encoded(NamedTuple):
    """An encoder that was recognized among the weights of a file."""

    layout: Layout
    names: dict[str, str]
    """ours -> the one in the file"""


def recognized(names: Iterable[str]) -> Encoded | None:
    """Return what the names of a file's weights mean; None if they are those of no layout.

    Raises RunError, without the file's name, if they are a layout's but for some that our networks do not have.

    >>> recognized(["module.conv1.weight", "module.layer1.0.conv1.weight", "module.fc.bias"]).names["conv1.weight"]
    'module.conv1.weight'
    """
    names = list(names)
    for layout in LAYOUTS.values():
        marks = [name for name in names if name == layout.mark or name.endswith(f".{layout.mark}")]
        if not marks:
            continue
        prefix = marks[0].removesuffix(layout.mark)
        inside = [name for name in names if name.startswith(prefix)]
        found, odd = dict[str, str](), list[str]()
        for name in inside:
            own = _ours(layout, name.removeprefix(prefix))
            if own is None or own in found:
                odd.append(name)
            elif own:
                found[own] = name
        if odd:
            raise RunError(f"has the layout of {layout.title}, and beside it {listed(odd)}{_told(odd)}")
        return Encoded(layout, found)
    return None


def _ours(layout: Layout, name: str) -> str | None:
    """Return our name for one of a layout; "" for what is not used; None for what it does not have."""
    for pattern, own in layout.names.items():
        if match := re.fullmatch(pattern, name):
            return match.expand(own)
    return "" if any(re.fullmatch(pattern, name) for pattern in layout.unused) else None


def _told(names: Iterable[str]) -> str:
    """Say what names tell of a network, behind a colon."""
    tells = [words for pattern, words in OTHERS.items() if any(re.search(pattern, name) for name in names)]
    return f": {tells[0]}" if tells else ""


def described(names: Sequence[str]) -> str:
    """Say what a file holds whose weights are in no layout, in a line."""
    if not names:
        return "no weights"
    return f"{len(names)} weights, {listed(names)}{_told(names)}"


def looked_for() -> str:
    """Say what is looked for, by the weights that every layout has."""
    marks = "; ".join(f"{layout.mark} ({layout.title})" for layout in LAYOUTS.values())
    return f"what was looked for is an encoder with {marks}"


def listed(names: Sequence[str]) -> str:
    """List the first names, each cut to a readable length."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shortened(name, 100) for name in names[:5]) + more
