"""A Tensor that requires grad, given as a setting: refused in one sentence that names function and setting.

The functions of `nn.functional`, one by one; layers ask in their constructors (`nn/test_settings.py`).
"""

import inspect

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F

rng = np.random.default_rng(3)
NO_NUMBERS = {"generator", "dtype", "normalized_shape"}  # the last is compared with a shape
ARRAYS = {  # where they are None by default
    "weight", "bias", "pos_weight", "attn_mask", "offsets", "per_sample_weights", "running_mean", "running_var",
}  # fmt: skip


def share(*shape):
    return mt.Tensor(rng.random(shape).astype("float32") * 0.8 + 0.1)


def label(*shape):
    return mt.Tensor(rng.integers(0, 3, shape))


LINE, IMAGE, VOLUME = (2, 4, 6), (2, 4, 6, 6), (2, 4, 6, 6, 6)
GIVEN = {
    "prelu": (share(*LINE), share(4)),
    "threshold": (share(3), 0.5, 1.0),
    "scaled_dot_product_attention": (share(*LINE),) * 3,
    "linear": (share(*LINE), share(3, 6)),
    "bilinear": (share(2, 4), share(2, 4), share(3, 4, 4)),
    "embedding": (label(2, 4), share(3, 5)),
    "embedding_bag": (label(2, 4), share(3, 5)),
    "one_hot": (label(3),),
    "batch_norm": (share(*LINE), share(4), share(4)),
    "group_norm": (share(*LINE), 2),
    "layer_norm": (share(*LINE), (6,)),
    "rms_norm": (share(*LINE), (6,)),
    "local_response_norm": (share(*LINE), 2),
    "pad": (share(*LINE), (1, 1)),
    "ctc_loss": (share(6, 2, 4), mt.Tensor([[1, 2], [3, 1]]), mt.Tensor([6, 6]), mt.Tensor([2, 2])),
    "gaussian_nll_loss": (share(5),) * 3,
    "cosine_embedding_loss": (share(5, 4), share(5, 4), mt.Tensor([1, 1, -1, 1, -1])),
    "margin_ranking_loss": (share(5), share(5), mt.Tensor([1, 1, -1, 1, -1])),
    "triplet_margin_loss": (share(5, 4),) * 3,
    "fold": (share(2, 8, 12), (4, 5), 2),
    "grid_sample": (share(*IMAGE), share(2, 3, 3, 2)),
    "affine_grid": (share(2, 2, 3), (2, 1, 3, 3)),
    "unfold": (share(*IMAGE), 2),
    "cosine_similarity": (share(5, 4),) * 2,
    "pairwise_distance": (share(5, 4),) * 2,
    "dropout2d": (share(*IMAGE),),
    "dropout3d": (share(*VOLUME),),
    "channel_shuffle": (share(*IMAGE), 2),
    "pixel_shuffle": (share(*IMAGE), 2),
    "pixel_unshuffle": (share(*IMAGE), 2),
}
GIVEN |= {name: (share(5, 4), label(5)) for name in ("cross_entropy", "nll_loss", "multi_margin_loss")}
GIVEN |= {"multilabel_margin_loss": (share(5, 4), label(5, 4))}
for n_, shape_ in ((1, LINE), (2, IMAGE), (3, VOLUME)):
    GIVEN |= {f"{conv}{n_}d": (share(*shape_), share(4, 4, *(3,) * n_)) for conv in ("conv", "conv_transpose")}
    GIVEN |= {f"{pool}{n_}d": (share(*shape_), 2) for pool in ("max_pool", "avg_pool")}
    GIVEN |= {f"adaptive_{kind}_pool{n_}d": (share(*shape_), 2) for kind in ("max", "avg")}
    GIVEN[f"lp_pool{n_}d"] = (share(*shape_), 2, 2)
    places_ = mt.Tensor(np.arange(np.prod(shape_)).reshape(shape_) % 6)
    GIVEN[f"max_unpool{n_}d"] = (share(*shape_), places_, 2)


def given(name):
    """Return arguments for a function: those of the table, or as many Tensors as it needs."""
    parameters = inspect.signature(getattr(F, name)).parameters.values()
    return GIVEN.get(name) or [share(*LINE) for p in parameters if p.default is p.empty]


CASES = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name in F.__all__
    for i, p in enumerate(inspect.signature(getattr(F, name)).parameters.values())
    if not isinstance(p.default, (bool, str)) and p.name not in NO_NUMBERS | ARRAYS
    if i >= len(given(name)) or not isinstance(given(name)[i], mt.Tensor)  # arrays are no settings
]


def test_a_bias_of_one_number_is_differentiated():
    bias = mt.Tensor(2.0, requires_grad=True)
    F.linear(share(2, 5), share(3, 5), bias).sum().backward()
    assert bias.grad.item() == 6


def test_a_tensor_without_a_gradient_is_a_number():
    assert F.dropout(share(4), mt.Tensor(0.5)).shape == (4,)


def test_there_are_settings():
    assert len(CASES) > 150


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_no_gradient_is_lost_in_silence(name, parameter, training):
    function = getattr(F, name)
    names = list(inspect.signature(function).parameters)
    settings = dict(zip(names, given(name), strict=False)) | ({"training": training} if "training" in names else {})
    value = settings.get(parameter.name, parameter.default)
    t = mt.Tensor(np.float32(value if isinstance(value, (int, float)) else 1), requires_grad=True)
    settings[parameter.name] = (t, *value[1:]) if isinstance(value, (tuple, list)) else t
    with pytest.raises(TypeError, match=f"{name}: the setting '{parameter.name}'.* pass .item"):
        function(**settings)
