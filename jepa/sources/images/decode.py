"""One image file, decoded; whatever is wrong with it is said in one sentence that names it.

8-bit values are divided by 255, 16-bit gray by 65535 (Pillow reads 16-bit color as its upper 8 bits). What is
transparent shows the ground: alpha * color + (1 - alpha) * ground. Gray is 0.299 r + 0.587 g + 0.114 b.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.errors import DataError
from jepa.sources.images import limits
from jepa.sources.images.formats import Unidentified, identify
from jepa.sources.images.members import Damaged, File, Member
from jepa.text import shown

DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # Pillow's kinds for 16 bits of gray
GREY_STEP = {"L;2": 85, "L;4": 17}  # a tRNS gray of 2 or 4 bits, which Pillow leaves as it stands in the file
STRIP = 1 << 20  # pixels that are worked on at once
WHITE = (1.0, 1.0, 1.0)

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Wanted = Callable[[float, float], tuple[int, int]]
Place = File | os.PathLike[str]
T = TypeVar("T")


class UnreadableImage(DataError):
    """An image file that cannot be read: `path`, the `reason` as a clause, and a `remedy`."""

    what: ClassVar[str] = "image"

    def __init__(self, path: Place, reason: str, remedy: str = "replace or remove it") -> None:
        super().__init__(f"cannot read the {self.what} {shown(str(path))}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = Path(str(path)), reason, remedy


class Loaded(NamedTuple):
    """An image as Pillow has decoded it, and what the file said about it."""

    image: Image.Image
    mode: str  # Pillow's name of the kind of pixel: "1", "L", "LA", "P", "RGB", "RGBA", "I;16", ...
    rounded: bool  # the file has 16 bits of a color, of which Pillow reads the upper 8
    orientation: int  # how the EXIF data say that it has to be turned, 1 to 8; 1: not at all
    turned: bool  # that, or what Pillow has done already, changes the image
    white: int  # the gray value that is white: 255, or 65535 of 16 bits
    full: tuple[int, int]  # width and height in the file
    extent: tuple[float, float]  # the same in pixels of `image`: of a JPEG decoded small, the last ones are not whole

    def strips(self, rows: int = 0) -> Iterator[Image.Image]:
        """Yield the rows of the image from the top, so many at once that they take little memory."""
        width, height = self.image.size
        rows = rows or max(1, STRIP // width)
        if rows >= height:
            yield self.image
        else:
            for top in range(0, height, rows):
                yield self.image.crop((0, top, width, min(top + rows, height)))

    def colors(self, strip: Image.Image, ground: Sequence[float]) -> Pixels:
        """Return the colors of a strip on the ground, (h, W, 1 or 3): bytes; of 16 bits, float32 in [0, 1]."""
        if self.mode in DEEP:
            value, clear = np.asarray(strip)[:, :, None], self.image.info.get("transparency")  # (h, W, 1)
            if self.mode == "I" and not 0 <= value.min() <= value.max() <= 65535:
                raise ValueError(f"its numbers go from {value.min()} to {value.max()}, beyond the 16 bits of a gray")
            x = np.minimum(value.astype(np.float32) / np.float32(self.white), 1)
            return x if clear is None else np.where(value == clear, np.asarray(ground, np.float32), x)
        if self.image.has_transparency_data:
            strip = strip.convert("RGBA")
            back = Image.new("RGB", strip.size, tuple(round(255 * value) for value in ground))
            back.paste(strip, mask=strip)
            return np.asarray(back)
        kind = "L" if self.mode in ("1", "L") else "RGB"
        pixels = np.asarray(strip if strip.mode == kind else strip.convert(kind))
        return pixels.reshape(*pixels.shape[:2], -1)  # (h, W, 1 or 3)

    def upright(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return pixels (H, W, C) as they are to be seen."""
        k = self.orientation
        x = x.swapaxes(0, 1) if k >= 5 else x
        return x[:: -1 if k in (3, 4, 7, 8) else 1, :: -1 if k in (2, 3, 6, 7) else 1]


def load(path: Place, make: Callable[[Loaded], T], *, wanted: Wanted | None = None) -> T:
    """Return what `make` makes of the decoded image; every failure, in it too, is an UnreadableImage.

    The file's content decides what it is, not its suffix; of several images, the first is decoded. `wanted` says, of
    width and height in the file, how many pixels are wanted across and down: a JPEG that has more than twice as many is
    decoded at a half, a quarter or an eighth of its size. Pillow may warn of what it passes over: that is the caller's.
    """
    with _told(path), limits.alone(size := _size(path)):
        return _made(_content(path, size), _suffix(path), make, wanted)


def load_frames(path: Place, make: Callable[[Loaded], T], chosen: Callable[[int], Sequence[int]]) -> list[T]:
    """Return what `make` makes of some pictures of an animation, as `load` does of the first.

    chosen: from the number of pictures in the file to the numbers of those that are wanted, ascending; what it raises
    goes through if it is an UnreadableImage.
    """
    with _told(path), limits.alone(size := _size(path)):
        data = _content(path, size)
        limits.check_content(data)
        image = identify(data, _suffix(path))
        count = limits.frames(image, data)
        numbers = chosen(count)
        limits.check_frames(image, numbers[-1] + 1)
        made = []
        with limits.room(limits.check_size(image, image.size, 1)):
            for number in numbers:
                if count > 1:
                    image.seek(number)
                made.append(make(_loaded(image, image.size, (float(image.width), float(image.height)))))
        return made


def frame_count(path: Place) -> int:
    """Return how many pictures are in a file, 1 of a still image; none is decoded. Raises UnreadableImage."""
    with _told(path), limits.alone(size := _size(path)):
        data = _content(path, size)
        limits.check_content(data)
        return limits.frames(identify(data, _suffix(path)), data)


@contextmanager
def _told(path: Place) -> Iterator[None]:
    """Turn whatever goes wrong with a file into an UnreadableImage."""
    try:
        yield
    except UnreadableImage:
        raise
    except limits.Excessive as error:
        raise UnreadableImage(path, str(error), "shrink it, or remove it") from error
    except Unidentified as error:
        raise UnreadableImage(path, str(error)) from error
    except MemoryError as error:
        raise UnreadableImage(path, "there is not enough memory to read it", "shrink it, or remove it") from error
    except Exception as error:  # Pillow meets broken files with errors of many types
        said = " ".join(shown(str(error)).split()).rstrip(".") or type(error).__name__
        said = said.replace("not identified by this driver", "its header is missing, or says no size")
        raise UnreadableImage(path, f"it is damaged or cut short ({said})") from error


def luma(color: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gray (..., 1) of colors (..., 3)."""
    return color @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)


def _suffix(path: Place) -> str:
    return os.path.splitext(str(path))[1]


def _size(path: Place) -> int:
    """Return the bytes of a regular file, or of a member of an archive; a pipe is not waited for."""
    if isinstance(path, Member):
        return max(path.size, path.taken)
    try:
        status = os.stat(path)
    except PermissionError as error:
        raise _forbidden(path) from error
    except FileNotFoundError as error:
        reason = "it is a link to nothing" if os.path.islink(path) else "there is no such file"
        raise UnreadableImage(path, reason) from error
    except OSError as error:
        raise UnreadableImage(path, f"it cannot be opened ({error.strerror or error})") from error
    except ValueError as error:  # a null character
        raise UnreadableImage(path, "there can be no such name") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device, no regular file"
        raise UnreadableImage(path, f"it is {kind}")
    return status.st_size


def _content(path: Place, size: int) -> bytes:
    """Return the bytes of an image that has so many."""
    if size > limits.FILE:
        said = f"it has {size / 1e6:,.0f} MB, and at most {limits.FILE // 10**6} are read"
        raise UnreadableImage(path, said, "shrink it, or remove it")
    try:
        if isinstance(path, Member):
            return path.read()
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb", buffering=0) as file:
            return file.read(size + 1)
    except Damaged as error:
        raise UnreadableImage(path, str(error)) from error
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise UnreadableImage(path, f"it cannot be opened ({error.strerror or error})") from error


def _forbidden(path: Place) -> UnreadableImage:
    return UnreadableImage(path, "you may not read it", "change its permissions (chmod u+r)")


def _made(data: bytes, suffix: str, make: Callable[[Loaded], T], wanted: Wanted | None) -> T:
    scans = limits.check_content(data)
    image = identify(data, suffix)
    full, extent = image.size, (float(image.width), float(image.height))
    if image.format in ("JPEG", "MPO") and wanted is not None:
        across, down = wanted(*full)
        drafted = image.draft(image.mode, (2 * across, 2 * down))
        extent = drafted[1][2:] if drafted else extent
    with limits.room(limits.check_size(image, full, scans)):
        return make(_loaded(image, full, extent))


def _loaded(image: Image.Image, full: tuple[int, int], extent: tuple[float, float]) -> Loaded:
    mode, clear, stored = image.mode, image.info.get("transparency"), _stored(image)
    if mode == "F":
        raise limits.Excessive("its pixels are floating-point numbers, and nothing says which of them is white")
    if isinstance(clear, int) and stored in GREY_STEP:
        image.info["transparency"] = clear * GREY_STEP[stored]
    rounded = ";16" in stored and mode not in DEEP
    if isinstance(clear, tuple) and rounded:
        image.info["transparency"] = tuple(value >> 8 for value in clear)  # as the pixels are
    tags: Any = getattr(image, "tag_v2", {})
    by_pillow = tags.get(0x0112, 1)  # a TIFF is turned when it is loaded
    image.load()
    orientation = _orientation(image)
    white = 4095 if stored == "I;12" else 65535 if mode in DEEP else 255
    return Loaded(image, mode, rounded, orientation, max(orientation, by_pillow) > 1, white, full, extent)


def _stored(image: Image.Image) -> str:
    """Return Pillow's name of how the file stores a pixel."""
    tiles: Any = getattr(image, "tile", None)
    how = tiles[0][3] if tiles else ""
    return str(how[0]) if isinstance(how, tuple) and how else str(how)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF data leave the pixels what they are
        return 1
    return value if value in range(1, 9) else 1
