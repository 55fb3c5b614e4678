"""Changes of images, each a small object: `t(x, generator)` with x float32 (C, H, W) in [0, 1].

Each one *draws* its random numbers, which needs no image, and *applies* them to a stack of images at once. So an image
gets the same change alone or in any batch, and a batch costs few passes over memory.
"""

from jepa.transforms.base import Compose, Each, Transform, as_transform
from jepa.transforms.color import ColorJitter, RandomGrayscale, RandomInvert
from jepa.transforms.crop import CenterCrop, RandomCrop, RandomResizedCrop
from jepa.transforms.flip import RandomHorizontalFlip, RandomVerticalFlip
from jepa.transforms.normalize import Normalize
from jepa.transforms.resize import Resize, crop_resize

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Each",
    "Normalize",
    "RandomCrop",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "Resize",
    "Transform",
    "as_transform",
    "crop_resize",
]
