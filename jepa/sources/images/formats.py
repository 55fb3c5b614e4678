"""Which kinds of file are images here, by their names and by their first bytes."""

import importlib
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

SUFFIXES: dict[str, tuple[str, ...]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".j2c", ".jpf"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif"),
    "PCX": (".pcx",),
    "TGA": (".tga",),
}
"""Pillow's names of the formats that are read, and the ends of their files' names, in lower or upper case.

Not all that Pillow has: some of its readers start programs, and some are there for single icons or for data that are no
pictures.
"""
BY_NAME = ("DIB", "PCX", "TGA")  # their first bytes say little: anything may pass for them, so only their names count
MODULES = ("Png", "Jpeg", "Mpo", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Jpeg2K", "Avif", "Pcx", "Tga")
KNOWN = (
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x93NUMPY", "NumPy"),
    (b"SIMPLE", "FITS"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"qoif", "QOI"),
    (b"RIFF", "RIFF"),
    (b"DDS ", "DDS"),
    (b"%!PS", "PostScript"),
)  # other files, by their first bytes
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC"}


class Unidentified(Exception):
    """Bytes that no reader takes; the text says what they are, as a clause."""


@cache
def _readers() -> dict[str, Any]:
    """Return what opens each format, and what looks at its first bytes: of those that this Pillow has."""
    for name in MODULES:
        with suppress(ImportError):  # an older Pillow has no AVIF
            importlib.import_module(f"PIL.{name}ImagePlugin")
    with suppress(ImportError):  # what reads the pictures of telephones is a package of its own
        importlib.import_module("pillow_heif").register_heif_opener()
    return {name: Image.OPEN[name] for name in SUFFIXES if name in Image.OPEN}


@cache
def suffixes() -> frozenset[str]:
    """Return the ends of names that are taken for images: of the formats that Pillow can read here.

    >>> {".png", ".jpeg", ".tif"} <= suffixes()
    True
    """
    missing = {"WEBP": "PIL._webp", "AVIF": "PIL._avif"}  # may be left out when Pillow is built

    def built(name: str) -> bool:
        try:
            return name not in missing or importlib.import_module(missing[name]) is not None
        except ImportError:
            return False

    return frozenset(suffix for name in _readers() if built(name) for suffix in SUFFIXES[name])


def identify(data: bytes, suffix: str = "") -> Image.Image:
    """Open an image in memory, its header read and its pixels not; its content decides what it is, not its suffix.

    Raises Unidentified if no reader takes these bytes, and what Pillow says of a header that is damaged.
    """
    said = ""
    for name, (factory, accept) in _readers().items():
        if not data or (name in BY_NAME and suffix.lower() not in SUFFIXES[name]):
            continue
        taken = not accept or accept(data[:16])
        if isinstance(taken, str):
            said = taken
        elif taken:
            found: Image.Image = factory(BytesIO(data), "")
            return found
    raise Unidentified(said or _described(data))


def _described(data: bytes) -> str:
    if not data:
        return "it is empty (0 bytes)"
    head = data[:64]
    kind = next((name for start, name in KNOWN if head.startswith(start)), "")
    kind = BRANDS.get(head[8:12], kind) if head[4:8] == b"ftyp" else kind
    if kind == "HEIC":
        return "it is a HEIC file, which Pillow reads with a package more: pip install pillow-heif"
    if kind:
        return f"it is a {kind} file, and no image that can be read"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return "it is a text file, no image"
    return "it is no image that is known here"
