"""One image file to one array; whatever is wrong with the file is said in one sentence that names it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from jepa.errors import DataError

__all__ = ["SUFFIXES", "Picture", "UnreadableImage", "decode", "luma", "read"]

SUFFIXES = (".png", ".jpg", ".jpeg")
"""Files that are taken for images, in lower or upper case."""
FORMATS = ("PNG", "JPEG")  # nothing else is tried: Pillow's other readers are not needed, and some start programs
DEEP = ("I;16", "I;16B", "I;16L", "I")  # Pillow's kinds for 16 bits of grey
GREY_STEP = {"L;2": 85, "L;4": 17}  # a tRNS grey of 2 or 4 bits, which Pillow leaves as it stands in the file
OTHERS = {b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP", b"II*": "TIFF", b"MM": "TIFF"}  # by their first bytes
WHITE = (1.0, 1.0, 1.0)


class UnreadableImage(DataError):
    """An image file that cannot be read: `path`, and the `reason` as a clause."""

    def __init__(self, path: str | os.PathLike[str], reason: str, remedy: str = "replace or remove it") -> None:
        super().__init__(f"cannot read the image {os.fspath(path)}: {reason}; {remedy}")
        self.path, self.reason = Path(path), reason


class Picture(NamedTuple):
    """An image, and what the file said about it."""

    pixels: NDArray[np.float32]
    """(C, H, W) in [0, 1]."""
    mode: str
    """Pillow's name of the kind of pixel: "1", "L", "LA", "P", "RGB", "RGBA", "I;16", ..."""
    deep: bool
    """Whether a pixel has more than 8 bits."""


def decode(path: str | os.PathLike[str], *, channels: int = 3, ground: Sequence[float] = WHITE) -> NDArray[np.float32]:
    """Read a PNG or JPEG file of any kind as an array.

    8-bit values are divided by 255, 16-bit grey by 65535 (Pillow reads 16-bit colour as its upper 8 bits). What is
    transparent shows the ground: alpha * colour + (1 - alpha) * ground. A JPEG is turned as its EXIF orientation says.
    Grey is 0.299 r + 0.587 g + 0.114 b.

    Parameters
    ----------
    path : path
        The file; its content decides what it is, not its suffix.
    channels : int
        3: colour; 1: grey.
    ground : three numbers in [0, 1]
        Red, green and blue behind transparent pixels; white by default.

    Returns
    -------
    float32 array (channels, H, W) in [0, 1]

    Raises
    ------
    UnreadableImage
        A `DataError` that names the file, what is wrong with it, and what to do.

    Examples
    --------
    >>> import tempfile, os
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "red.png")
    ...     Image.new("RGBA", (2, 1), (255, 0, 0, 0)).save(path)  # red, but wholly transparent
    ...     decode(path, ground=(0, 1, 0))[:, 0, 0]
    array([0., 1., 0.], dtype=float32)
    """
    return read(path, channels=channels, ground=ground).pixels


def read(path: str | os.PathLike[str], *, channels: int = 3, ground: Sequence[float] = WHITE) -> Picture:
    """Read a file as `decode` does, and say what kind of image it was. Not for several threads at once."""
    if channels not in (1, 3):
        raise DataError(f"channels={channels} is not possible: an image is read in 1 (grey) or 3 (colour) channels")
    if len(ground) != 3 or not all(0 <= value <= 1 for value in ground):
        raise DataError(f"ground={ground} must be red, green and blue, each from 0 to 1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # a warning here is a crash later
            with Image.open(path, formats=FORMATS) as image:
                return _picture(image, channels, np.asarray(ground, dtype=np.float32))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImage(
            path,
            f"it may be a decompression bomb ({str(error).split(',')[0]})",
            "if you trust it, shrink it, or raise PIL.Image.MAX_IMAGE_PIXELS in Python",
        ) from error
    except PermissionError as error:
        if os.path.isdir(path):
            raise UnreadableImage(path, "it is a folder") from error
        raise UnreadableImage(path, "you may not read it", "change its permissions (chmod u+r)") from error
    except Exception as error:  # Pillow meets broken files with errors of many types
        raise UnreadableImage(path, _diagnosis(path, error)) from error


def luma(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the grey (..., 1) of colours (..., 3)."""
    return colour @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)


def _picture(image: Image.Image, channels: int, ground: NDArray[np.float32]) -> Picture:
    mode, clear = image.mode, image.info.get("transparency")
    tiles = getattr(image, "tile", [])
    stored = tiles[0].args if tiles else ""  # how the file stores a pixel
    stored = stored[0] if isinstance(stored, tuple) else stored
    if isinstance(clear, int) and stored in GREY_STEP:
        image.info["transparency"] = clear * GREY_STEP[stored]
    if isinstance(clear, tuple) and stored == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)  # as the pixels are
    image.load()
    if image.format != "PNG":
        image = ImageOps.exif_transpose(image)
    if mode in DEEP:
        value = np.asarray(image).astype(np.float32)[:, :, None]  # (H, W, 1) in 0 .. 65535
        x = np.clip(value / np.float32(65535), 0, 1)
        alpha = None if clear is None else (value != clear).astype(np.float32)
    elif image.has_transparency_data:
        x = np.asarray(image.convert("RGBA")).astype(np.float32) / np.float32(255)  # (H, W, 4)
        x, alpha = x[:, :, :3], x[:, :, 3:]
    else:
        x = np.asarray(image.convert("L" if mode in ("1", "L") else "RGB")).astype(np.float32) / np.float32(255)
        x, alpha = x.reshape(*x.shape[:2], -1), None  # (H, W, 1 or 3)
    if alpha is not None:
        x = alpha * x + (1 - alpha) * ground  # (H, W, 3)
    if channels == 1 and x.shape[2] == 3:
        x = luma(x)
    pixels = np.array(np.broadcast_to(x, (*x.shape[:2], channels)).transpose(2, 0, 1), order="C")  # (C, H, W)
    return Picture(pixels, mode, mode in DEEP)


def _diagnosis(path: str | os.PathLike[str], error: Exception) -> str:
    """Say what is wrong with a file that Pillow could not read, as a clause."""
    if os.path.isdir(path):
        return "it is a folder"
    if not os.path.exists(path):
        return "it is a link to nothing" if os.path.islink(path) else "there is no such file"
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError as cause:
        return f"it cannot be opened ({cause.strerror})"
    if not head:
        return "it is empty (0 bytes)"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = (int.from_bytes(head[k : k + 4], "big") for k in (16, 20))  # of the header, which comes first
        if len(head) >= 24 and not (width and height):
            return f"its header says {width} x {height} pixels"
    elif not head.startswith(b"\xff\xd8"):
        known = next((kind for start, kind in OTHERS.items() if head.startswith(start)), None)
        text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
        return f"it is a {known or 'text'} file, not PNG or JPEG" if known or text else "it is neither PNG nor JPEG"
    said = "no header" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
    return f"it is damaged or cut short ({said})"
