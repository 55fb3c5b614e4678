"""Changes of examples, each a small object: `t(x, generator)` with x float32 (channels, ...), of images in [0, 1].

Each one *draws* its random numbers, which needs no example, and *applies* them to a stack of examples at once. So an
example gets the same change alone or in any batch, and a batch costs few passes over memory. What a task does to its
examples and their parts is an `Augment`, which is made of these: see `jepa.transforms.augment`.
"""

from jepa.transforms.augment import Augment, ImageChanges, Noise, Nothing
from jepa.transforms.base import Compose, Transform
from jepa.transforms.image import ColorJitter, RandomGrayscale, RandomHorizontalFlip, RandomInvert, RandomVerticalFlip
from jepa.transforms.resize import crop_resize
from jepa.transforms.series import SeriesChanges
from jepa.transforms.spectrogram import SpectrogramChanges
from jepa.transforms.words import WordChanges

__all__ = [
    "Augment",
    "ColorJitter",
    "Compose",
    "ImageChanges",
    "Noise",
    "Nothing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomVerticalFlip",
    "SeriesChanges",
    "SpectrogramChanges",
    "Transform",
    "WordChanges",
    "crop_resize",
]
