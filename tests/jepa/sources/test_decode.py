"""Decoding against a PNG writer of our own, every kind of pixel; and every kind of bad file."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.errors import DataError
from jepa.sources.images.decode import UnreadableImage, load, luma
from tests.jepa.sources.folders import decode

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]  # row, column, steps
GROUND = (0.2, 0.6, 1.0)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(samples: np.ndarray, depth: int) -> bytes:
    """Filter type 0 and the packed samples (H, W, channels) of each row."""
    bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1  # (H, W, channels, depth)
    return b"".join(b"\0" + np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits)


def png(samples: np.ndarray, depth: int, kind: int, *, interlaced: bool = False, extra: bytes = b"") -> bytes:
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    if interlaced:
        passes = [samples[r::dr, c::dc] for r, c, dr, dc in ADAM7]
        data = b"".join(rows(part, depth) for part in passes if part.size)
    else:
        data = rows(samples, depth)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


KINDS = [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16), (GREY_ALPHA, 8), (GREY_ALPHA, 16)]
KINDS += [(RGBA, 8), (RGBA, 16), (PALETTE, 1), (PALETTE, 2), (PALETTE, 4), (PALETTE, 8)]
CASES = [(*k, False) for k in KINDS] + [(*k, True) for k in KINDS if k[0] not in (GREY_ALPHA, RGBA)]  # with tRNS or not


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind, depth, transparent", CASES)
def test_every_kind_of_png(
    tmp_path: Path, kind: int, depth: int, channels: int, transparent: bool, interlaced: bool
) -> None:
    generator = np.random.default_rng(depth)
    samples = generator.integers(0, 2**depth, (9, 11, SAMPLES[kind]))
    full = 2**depth - 1
    extra = b""
    if kind == PALETTE:
        palette = generator.integers(0, 256, (2**depth, 3))
        extra = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        opacity = np.full(2**depth, 255)
        if transparent:
            opacity = generator.integers(0, 256, 2**depth)
            extra += chunk(b"tRNS", opacity.astype(np.uint8).tobytes())
        colour, alpha = palette[samples[..., 0]] / 255, opacity[samples] / 255
    else:
        colour = samples[..., : 1 if kind in (GREY, GREY_ALPHA) else 3] / full
        alpha = samples[..., -1:] / full if kind in (GREY_ALPHA, RGBA) else np.ones((9, 11, 1))
        if transparent:
            clear = samples[4, 5]
            extra = chunk(b"tRNS", clear.astype(">u2").tobytes())
            alpha = 1.0 - (samples == clear).all(axis=2, keepdims=True)
    expected = np.broadcast_to(alpha * colour + (1 - alpha) * np.array(GROUND), (9, 11, 3))
    if channels == 1:
        expected = expected @ np.array([[0.299], [0.587], [0.114]])
    path = tmp_path / "x.png"
    path.write_bytes(png(samples, depth, kind, interlaced=interlaced, extra=extra))

    x = decode(path, channels=channels, ground=GROUND)

    assert x.dtype == np.float32 and x.flags.c_contiguous and x.flags.writeable
    tolerance = 1 / 255 if depth == 16 and kind != GREY else 1e-5  # Pillow keeps 8 of the 16 bits of a colour
    if kind in (GREY_ALPHA, RGBA) and depth == 16:  # of alpha too
        tolerance = 2 / 255
    elif kind in (GREY_ALPHA, RGBA) or transparent:  # what lies over the ground is rounded to 8 bits
        tolerance = max(tolerance, 1 / 255)
    np.testing.assert_allclose(x, expected.transpose(2, 0, 1), atol=tolerance)


def test_sixteen_bits_of_grey_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(np.array([[0, 1, 32768, 65535]], dtype=np.uint16)).save(path)
    assert load(path, lambda loaded: (loaded.white, loaded.mode)) == (65535, "I;16")
    np.testing.assert_allclose(decode(path, channels=1)[0, 0] * 65535, [0, 1, 32768, 65535], rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_as_its_exif_says(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # bright upper left quarter
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: upright.transpose(1, 0, 2)[::-1],
        7: upright[::-1, ::-1].transpose(1, 0, 2), 8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x.jpg"
    Image.fromarray(np.ascontiguousarray(turned)).save(path, quality=95, exif=exif)
    x = decode(path)
    assert x.shape == (3, 16, 32)
    np.testing.assert_allclose(x, upright.transpose(2, 0, 1) / 255, atol=0.1)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_kind_of_jpeg(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.JPEG"
    Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode).save(path, "JPEG", quality=95)
    expected = [0.3, 0.3, 0.3] if mode == "L" else [1, 0, 0]
    np.testing.assert_allclose(decode(path)[:, 4, 4], expected, atol=0.03)


def good_png(size: tuple[int, int] = (32, 32)) -> bytes:
    samples = np.random.default_rng(0).integers(0, 256, (*size, 3))
    return png(samples, 8, RGB)


def zero(side: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 0 if side == 0 else 8, 0 if side else 8, 8, 2, 0, 0, 0)
    )


def bomb(side: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0"))
    )


BAD = {
    "empty": (b"", "it is empty (0 bytes)"),
    "text": (b"hello, this is no picture\n", "it is a text file"),
    "web page": (b"<!DOCTYPE html><html>", "it is a text file"),
    "gif": (b"GIF89a\x01\x00\x01\x00", "it is damaged or cut short"),
    "webp": (b"RIFF\x00\x00\x00\x00WEBP", "it is a RIFF file, and no image"),
    "noise": (bytes(range(128, 256)), "it is no image that is known here"),
    "signature only": (b"\x89PNG\r\n\x1a\n", "it is damaged or cut short"),
    "cut in half": (good_png()[:1500], "it is damaged or cut short"),
    "changed byte": (good_png()[:800] + b"\x55\xaa" + good_png()[802:], "it is damaged or cut short"),
    "no width": (zero(0), "its header says 0 x 8 pixels"),
    "no height": (zero(1), "its header says 8 x 0 pixels"),
    "bomb": (bomb(60000), "it has 60000 x 60000 pixels, and at most 90 million are read"),
    "half a bomb": (bomb(12000), "it has 12000 x 12000 pixels"),
    "jpeg without an end": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "it is damaged or cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_and_explained(tmp_path: Path, name: str) -> None:
    content, reason = BAD[name]
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        decode(path)
    message = str(caught.value)
    assert str(path) in message and reason in message and "; " in message, message
    assert "\n" not in message and isinstance(caught.value, UnreadableImage) and caught.value.path == path


def test_no_cut_of_a_png_passes_for_an_image(tmp_path: Path) -> None:
    """Wherever a file is cut, it raises; or nothing but the end mark was lost, and the image is whole."""
    content, path = good_png((8, 8)), tmp_path / "x.png"
    path.write_bytes(content)
    whole = decode(path)
    raised = 0
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            x = decode(path)
        except UnreadableImage:
            raised += 1
        else:
            np.testing.assert_array_equal(x, whole)
    assert raised > 0.9 * len(content)


def test_missing_folder_and_link(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone")
    for name, reason in (
        ("x.png", "it is a folder"),
        ("no.png", "there is no such file"),
        ("link.png", "it is a link to nothing"),
    ):
        with pytest.raises(UnreadableImage, match=reason):
            decode(tmp_path / name)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(good_png())
    path.chmod(0)
    if os.access(path, os.R_OK):  # the administrator may read everything

        def refuse(*args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableImage, match=r"you may not read it; change its permissions"):
        decode(path)


def test_luma_of_white_is_white() -> None:
    np.testing.assert_allclose(luma(np.ones((2, 3), np.float32)), 1, rtol=1e-6)
