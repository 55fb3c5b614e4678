"""One clip, read: some of its frames, each brought to the same square of bytes; or one sentence on what is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.sources.images import limits
from jepa.sources.images.decode import Loaded, UnreadableImage, frame_count, load, load_frames
from jepa.sources.images.square import Square
from jepa.sources.video.listing import ARRAY, number

Order = Literal["fhw", "fhwc", "cfhw"]
Bytes = NDArray[np.uint8]


class UnreadableClip(UnreadableImage):
    """A clip that cannot be read: `path`, the `reason` as a clause, and a `remedy`."""

    what = "clip"


class Frames(NamedTuple):
    """Which frames of a clip are taken, and what each becomes."""

    square: Square
    frames: int
    """in a window"""
    stride: int = 1
    """frames of the clip from one of a window to the next"""
    windows: int = 1
    """of a clip at most, side by side from its beginning"""
    order: Order | None = None
    """of the axes of an array; None: what its lengths say"""

    def chosen(self, path: Path, count: int) -> list[int]:
        """Return the numbers of the frames of all windows, of so many frames; raise UnreadableClip for too few."""
        span = (self.frames - 1) * self.stride + 1
        if count == 1 and span > 1:
            raise UnreadableClip(path, "it has one frame: it is a still image, no clip")
        if count < span:
            with_stride = f" with source.stride={self.stride}" if self.stride > 1 else ""
            said = f"it has {count} frames, and source.frames={self.frames}{with_stride} needs {span}"
            raise UnreadableClip(path, said, "take fewer frames, or remove it")
        step = self.frames * self.stride
        firsts = range(0, count - span + 1, step)[: self.windows]
        return [first + k * self.stride for first in firsts for k in range(self.frames)]


class Facts(NamedTuple):
    """What a clip is, none of its frames read."""

    frames: int
    height: int
    width: int
    kind: str


def read_clip(path: Path, how: Frames) -> Bytes:
    """Return the windows of a clip, (windows, channels, frames, side, side); raise UnreadableClip."""
    try:
        x = _read(path, how)
    except UnreadableClip:
        raise
    except UnreadableImage as error:
        raise UnreadableClip(error.path, error.reason, error.remedy) from error
    x = x.reshape(-1, how.frames, *x.shape[1:])
    return np.ascontiguousarray(x.swapaxes(1, 2))


def _read(path: Path, how: Frames) -> Bytes:
    """Return the frames of all windows, (k, channels, side, side)."""
    if path.is_dir():
        files = frame_files(path)
        made = [load(files[k], how.square.made, wanted=how.square.wanted) for k in how.chosen(path, len(files))]
    elif path.suffix.lower() == ARRAY:
        x = _frames_first(path, how.order)
        made = [_of_array(path, x[k], how.square) for k in how.chosen(path, len(x))]
    else:
        made = load_frames(path, how.square.made, lambda count: how.chosen(path, count))
    return np.stack([frame if frame.dtype == np.uint8 else np.rint(255 * frame).astype(np.uint8) for frame in made])


def facts(path: Path, order: Order | None = None) -> Facts:
    """Return how many frames a clip has, and how large the first is; raise UnreadableClip for a damaged one."""
    if path.is_dir():
        files = frame_files(path)
        loaded: Loaded = load(files[0], lambda loaded: loaded, wanted=lambda width, height: (1, 1))
        return Facts(len(files), loaded.full[1], loaded.full[0], "frames in a folder")
    if path.suffix.lower() == ARRAY:
        x = _frames_first(path, order)
        return Facts(len(x), x.shape[1], x.shape[2], f"array {x.dtype}")
    (loaded,) = load_frames(path, lambda loaded: loaded, lambda count: [0])
    return Facts(frame_count(path), loaded.full[1], loaded.full[0], loaded.image.format or path.suffix.lower())


def frame_files(folder: Path) -> list[Path]:
    """Return the frames of a folder by their numbers."""
    found = [path for path in folder.iterdir() if path.is_file() and number(path) is not None]
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: (number(path), path.name))


def axes_of(path: Path) -> int:
    """Return the number of axes of an array in a file; 0 if it cannot be read."""
    try:
        return int(_mapped(path).ndim)
    except UnreadableClip:
        return 0


def _mapped(path: Path) -> NDArray[Any]:
    try:
        x: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file may bring about anything
        said = str(error)
        odd = "it does not begin like an array of NumPy's" if "pickle" in said else f"it is damaged ({said})"
        odd = "it holds Python objects, which are not unpickled" if "bjects" in said else odd
        raise UnreadableClip(path, "it is empty (0 bytes)" if not path.stat().st_size else odd) from error
    return x


def _frames_first(path: Path, order: Order | None) -> NDArray[Any]:
    """Return the array of a file as (frames, height, width, channels), its values not read."""
    x = _mapped(path)
    about = f"it is an array of {x.dtype}, {x.shape}"
    if x.dtype.kind not in "buif":
        raise UnreadableClip(path, f"{about}: it holds no numbers")
    order = order or _order(path, x.shape, about)
    if x.ndim != len(order):
        raise UnreadableClip(path, f"{about}, and source.order={order} has {len(order)} axes", "set another order")
    x = x[..., None] if order == "fhw" else np.moveaxis(x, 0, 3) if order == "cfhw" else x
    if x.shape[3] not in (1, 3) or 0 in x.shape:
        raise UnreadableClip(path, f"{about}: a clip has frames of 1 or 3 channels (source.order={order})")
    if x.shape[1] * x.shape[2] > limits.PIXELS:
        raise UnreadableClip(path, f"{about}: its frames have more than {limits.PIXELS // 10**6} million pixels")
    return x


def _order(path: Path, shape: Sequence[int], about: str) -> Order:
    """Return the order of axes that the lengths say; raise UnreadableClip if they do not."""
    if len(shape) == 3:
        return "fhw"
    if len(shape) == 4:
        last, first = shape[3] in (1, 3), shape[0] in (1, 3)
        if last != first:
            return "fhwc" if last else "cfhw"
        why = "either may be the channels" if last else "neither has 1 or 3 entries"
        raise UnreadableClip(path, f"{about}: of the first axis and the last, {why}", "set source.order=fhwc or cfhw")
    raise UnreadableClip(path, f"{about}: a clip is (f, h, w), (f, h, w, c) or (c, f, h, w)")


def _of_array(path: Path, x: NDArray[Any], square: Square) -> NDArray[Any]:
    """Return the square of one frame (h, w, c)."""
    frame = np.asarray(x)
    if frame.dtype.kind == "f":
        if not np.isfinite(frame).all():
            raise UnreadableClip(path, "it has NaN or infinite numbers")
        if not 0 <= frame.min() <= frame.max() <= 1:
            said = f"its numbers go from {frame.min():g} to {frame.max():g}"
            raise UnreadableClip(path, f"{said}, and those of {frame.dtype} must lie in [0, 1]", "scale them")
        frame = np.rint(255 * frame)
    elif frame.dtype.kind == "b":
        frame = 255 * frame.astype(np.uint8)
    elif not 0 <= frame.min() <= frame.max() <= 255:
        said = f"its numbers go from {frame.min()} to {frame.max()}"
        raise UnreadableClip(path, f"{said}, and those of {frame.dtype} must lie in 0 to 255", "scale them")
    pixels = np.ascontiguousarray(frame.astype(np.uint8).squeeze(2) if frame.shape[2] == 1 else frame.astype(np.uint8))
    image, size = Image.fromarray(pixels), (frame.shape[1], frame.shape[0])
    return square.made(Loaded(image, image.mode, False, 1, False, 255, size, (float(size[0]), float(size[1]))))
