"""A residual network of images off its weights alone, once they have our names."""

import re
from collections.abc import Iterator

import numpy as np

import minitensor as mt
from jepa.encoders.resnet import BLOCKS, ResNet, ResNetSettings
from jepa.errors import ConfigError, RunError
from jepa.pretrained.layouts import listed
from jepa.pretrained.transformer import State, finite, shape_of
from jepa.text import by_x, shortened

STEMS = {7: ("imagenet", 224), 3: ("cifar", 32)}
"""side of the first kernel -> stem, and the side of the images that such networks are trained with"""


def residual(state: State, what: str) -> ResNet:
    """Return the residual network with these weights, in evaluation mode; it takes images of any size.

    Its blocks are basic ones or bottlenecks, as in ResNet-18 to ResNet-152. what: what has the weights, for errors.
    Raises RunError if the weights are those of another network, or hold NaN.
    """
    finite(state, what)
    try:
        channels, settings, side = _settings(state)
    except (LookupError, ValueError, TypeError, ConfigError) as error:
        raise RunError(f"{what} is no ResNet that is known here: {listed([str(error)])} is missing or odd") from error
    try:
        encoder = ResNet((channels, side, side), settings)
        steps = [name for name in encoder.state_dict() if name.endswith("num_batches_tracked")]
        encoder.load_state_dict(state | {name: np.array(0) for name in steps})
    except (mt.errors.StateDictError, ValueError, ConfigError) as error:
        raise RunError(f"{what} is no ResNet that is known here: {shortened(str(error), 600)}") from error
    return encoder.eval()


def _settings(state: State) -> tuple[int, ResNetSettings, int]:
    """Return channels, settings and the usual side of an image; every convolution has to be as they say."""
    width, channels, kernel, other = shape_of(state, "conv1.weight", 4)
    if kernel != other or kernel not in STEMS:
        raise ValueError(f"conv1.weight of {kernel} x {other} pixels")
    counts: dict[int, set[int]] = {}
    for name in state:
        if found := re.match(r"layer(\d)\.(\d+)\.", name):
            counts.setdefault(int(found[1]), set()).add(int(found[2]))
    stem, side = STEMS[kernel]
    block = "bottleneck" if "layer1.0.conv3.weight" in state else "basic"
    layers = tuple(len(counts.get(k, ())) for k in range(1, len(counts) + 1))
    settings = ResNetSettings(layers=layers, width=width, block=block, stem=stem)  # type: ignore[arg-type]
    for name, shape in _expected(settings):
        if (there := shape_of(state, name, 4)) != shape:
            raise ValueError(f"{name} {by_x(there)}, not {by_x(shape)} (as ResNeXt or Wide ResNet may have it),")
    return channels, settings, side


def _expected(s: ResNetSettings) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and shape of each convolution of the blocks."""
    times, inputs = BLOCKS[s.block][1], s.width
    for k, count in enumerate(s.layers):
        width = s.width * 2**k
        for j in range(count):
            stem = f"layer{k + 1}.{j}."
            yield f"{stem}conv1.weight", (width, inputs, *((1, 1) if times > 1 else (3, 3)))
            yield f"{stem}conv2.weight", (width, width, 3, 3)
            if times > 1:
                yield f"{stem}conv3.weight", (times * width, width, 1, 1)
            inputs = times * width
