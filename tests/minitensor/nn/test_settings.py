"""Every number that a layer's constructor takes: nonsense is refused there, by name, and sense is taken."""

import inspect
import math

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn

NAN, INF = math.nan, math.inf
NONE_OF_ANY = ("x", True, [NAN], {})  # no numbers

# name of the setting -> (values that are refused, values that are taken)
SHARE = ((NAN, INF, -INF, -0.1, 1.1, *NONE_OF_ANY), (0, 0.5, np.float32(0.5), 1))
ANY = ((NAN, INF, -INF, *NONE_OF_ANY), (-1.5, 1, np.float32(0.5)))
EPS = ((NAN, INF, -1, -1e-9, *NONE_OF_ANY), (0, 1e-3, np.float32(1e-3)))
COUNT = ((NAN, INF, -1, 1.5, *NONE_OF_ANY), (4, np.int64(4)))
LEAST_ONE = ((NAN, INF, -1, 0, 1.5, *NONE_OF_ANY), (1, np.int64(2)))
PADDING = ((NAN, INF, -1, 1.5, *NONE_OF_ANY), (0, 1))
AXIS = ((NAN, INF, 1.5, *NONE_OF_ANY), (0, -1, np.int64(1)))
POWER = ((NAN, 0, *NONE_OF_ANY), (1.5, 2, INF))
LIMIT = ((NAN, *NONE_OF_ANY), (-INF, 0.5))
SETTINGS = {
    **dict.fromkeys(("p", "dropout", "momentum", "label_smoothing"), SHARE),
    **dict.fromkeys(("alpha", "beta", "k", "negative_slope", "init", "margin", "lambd"), ANY),
    **dict.fromkeys(("eps", "layer_norm_eps", "max_norm"), EPS),
    **dict.fromkeys(
        ("in_features", "out_features", "in1_features", "in2_features", "in_channels", "out_channels", "num_features")
        + ("num_channels", "normalized_shape", "num_embeddings", "embedding_dim", "num_parameters", "embed_dim")
        + ("input_size", "hidden_size", "d_model", "dim_feedforward", "kdim", "vdim"),
        COUNT,
    ),
    **dict.fromkeys(
        ("kernel_size", "stride", "dilation", "groups", "num_groups", "num_layers", "nhead", "num_heads", "size")
        + ("upscale_factor", "downscale_factor", "divisor_override"),
        LEAST_ONE,
    ),
    **dict.fromkeys(("padding", "num_encoder_layers", "num_decoder_layers", "proj_size", "blank"), PADDING),
    "output_padding": (PADDING[0], (0,)),
    **dict.fromkeys(("dim", "start_dim", "end_dim", "ignore_index", "padding_idx"), AXIS),
    "norm_type": POWER,
    **dict.fromkeys(("threshold", "value"), LIMIT),
    "output_size": (COUNT[0], (2,)),
    "delta": ((NAN, INF, 0, -1, *NONE_OF_ANY), (0.5,)),
    "scale_factor": ((NAN, INF, 0, -1, *NONE_OF_ANY), (0.5, 2)),
    "lower": ((*ANY[0], 0.9), (-1.0, 0.2)),  # above `upper`
    "upper": ((*ANY[0], 0.0), (0.5, 2.0)),
    "min_val": ((NAN, 2.0, *NONE_OF_ANY), (-INF, 0.5)),
    "max_val": ((NAN, -2.0, *NONE_OF_ANY), (INF, 0.5)),
}
OF_ONE = {  # where a name means something of its own
    ("CELU", "alpha"): ((*ANY[0], 0), ANY[1]),
    ("Softplus", "beta"): ((*ANY[0], 0), ANY[1]),
    ("SmoothL1Loss", "beta"): EPS,
    ("Softshrink", "lambd"): EPS,
    ("TripletMarginLoss", "margin"): ((NAN, INF, 0, -1, *NONE_OF_ANY), (0.5,)),
    ("TripletMarginLoss", "p"): LIMIT,
    ("PairwiseDistance", "p"): LIMIT,
    ("MultiMarginLoss", "p"): ((NAN, INF, 0, 3, 1.5, *NONE_OF_ANY), (1, 2)),
    ("Embedding", "norm_type"): ((NAN, 0, -1, *NONE_OF_ANY), (1.5, INF)),
    ("EmbeddingBag", "norm_type"): ((NAN, 0, -1, *NONE_OF_ANY), (1.5, INF)),
    ("ELU", "alpha"): ANY,
    **{(f"{kind}Pad{n}d", "padding"): ((NAN, INF, 1.5, "x", True, {}), (-1, 0, 1))
       for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for n in (1, 2, 3)},
    **{(f"ConstantPad{n}d", "value"): (("x", True, [1.0]), (NAN, -INF, 0.5)) for n in (1, 2, 3)},
    ("TransformerEncoder", "num_layers"): PADDING,
    ("TransformerDecoder", "num_layers"): PADDING,
}  # fmt: skip
NEEDED = {
    "in_features": 4, "out_features": 4, "in1_features": 4, "in2_features": 4, "in_channels": 4, "out_channels": 4,
    "kernel_size": 3, "num_features": 4, "num_channels": 4, "num_groups": 2, "normalized_shape": 4, "size": 3,
    "input_size": 4, "hidden_size": 4, "embed_dim": 4, "num_heads": 2, "d_model": 4, "nhead": 2, "num_embeddings": 4,
    "embedding_dim": 4, "output_size": 2, "padding": 1, "upscale_factor": 2, "downscale_factor": 2, "groups": 2,
    "threshold": 0.1, "value": 0.1, "norm_type": 2.0, "dim": 1, "unflattened_size": (2, 2), "num_layers": 1,
    "encoder_layer": nn.Identity(), "decoder_layer": nn.Identity(),
}  # fmt: skip
NO_NUMBERS = {
    "bias", "inplace", "affine", "track_running_stats", "elementwise_affine", "generator", "approximate", "reduction",
    "weight", "pos_weight", "return_indices", "ceil_mode", "count_include_pad", "add_bias_kv", "add_zero_attn",
    "batch_first", "bidirectional", "nonlinearity", "padding_mode", "mode", "align_corners", "recompute_scale_factor",
    "scale_grad_by_freq", "sparse", "include_last_offset", "zero_infinity", "log_target", "log_input", "full", "swap",
    "keepdim", "norm_first", "activation", "custom_encoder", "custom_decoder", "norm", "enable_nested_tensor",
    "mask_check", "unflattened_size", "encoder_layer", "decoder_layer",
}  # fmt: skip
SAID_OTHERWISE = {"num_encoder_layers", "num_decoder_layers", "layer_norm_eps", "dropout", "num_groups"}  # by a part
HOLD = {"Layer", "LayerList", "LayerDict", "Sequential", "ParameterList", "ParameterDict"}


def constructors():
    for name in sorted(set(dir(nn)) - HOLD):
        cls = getattr(nn, name)
        if inspect.isclass(cls) and issubclass(cls, nn.Layer):
            yield name, cls, list(inspect.signature(cls.__init__).parameters.values())[1:]


CASES = [
    pytest.param(cls, p.name, parameters, id=f"{name}-{p.name}")
    for name, cls, parameters in constructors()
    for p in parameters
    if p.name not in NO_NUMBERS and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
]


@pytest.mark.parametrize(("cls", "name", "parameters"), CASES)
def test_every_number(cls, name, parameters):
    refused, taken = OF_ONE.get((cls.__name__, name)) or SETTINGS[name]
    needed = {p.name: NEEDED[p.name] for p in parameters if p.default is p.empty and p.name in NEEDED}
    if cls is nn.Transformer:
        needed = {"d_model": 4, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 8}
    for value in taken:
        cls(**needed | {name: value})
    for value in refused:
        with pytest.raises((ValueError, TypeError)) as caught:
            cls(**needed | {name: value})
        text = str(caught.value)
        assert name in text or name in SAID_OTHERWISE, text


def test_what_is_no_layer_and_no_function():
    for call in (
        lambda: nn.Transformer(4, 2, 1, 1, 8, custom_encoder=0),
        lambda: nn.Transformer(4, 2, 1, 1, 8, custom_decoder="x"),
        lambda: nn.TransformerEncoderLayer(4, 2, activation=1.0),
        lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"),
    ):
        with pytest.raises((TypeError, ValueError), match="custom_encoder|custom_decoder|activation"):
            call()
    empty = nn.Sequential()
    assert nn.Transformer(4, 2, custom_encoder=empty, custom_decoder=empty).encoder is empty


@pytest.mark.parametrize(("cls", "name", "parameters"), CASES)
def test_a_number_that_wants_a_gradient_is_refused(cls, name, parameters):
    needed = {p.name: NEEDED[p.name] for p in parameters if p.default is p.empty and p.name in NEEDED}
    _, taken = OF_ONE.get((cls.__name__, name)) or SETTINGS[name]
    with pytest.raises(TypeError) as caught:
        cls(**needed | {name: mt.Tensor(float(taken[-1]), requires_grad=True)})
    assert name in str(caught.value) or name in SAID_OTHERWISE, str(caught.value)
