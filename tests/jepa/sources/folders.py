"""What tests of image folders share."""

from pathlib import Path

import numpy as np

from jepa.sources.folder import ImageFolder


def opened(root: str | Path, split: str | None = None, **settings: object) -> ImageFolder:
    """A folder, or a part of it, that is read."""
    source = ImageFolder(root, **settings)
    source = source if split is None else source.split(split)
    assert len(source) > 0
    return source


def pixels(source: ImageFolder) -> np.ndarray:
    """Every image of a source."""
    return source.read(range(len(source)))
