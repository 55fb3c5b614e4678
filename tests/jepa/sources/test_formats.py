"""Every kind of file beside Pillow's own decoding, as it stands, and as the small square that training sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.formats import suffixes
from jepa.sources.images.inspect import inspect
from jepa.sources.images.square import Fit, square
from tests.jepa.sources.folders import decode, opened

LOSSY = {"webp": {"lossless": True}, "jp2": {"irreversible": False}}
PLAIN = ("png", "apng", "bmp", "dib", "tif", "tiff", "ppm", "pnm", "gif", "webp", "jp2", "pcx", "tga")
JPEG = ("jpg", "jpeg", "jpe", "jfif", "mpo")


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture, uint8 (height, width, 3): sums of waves, as photographs have more of the slow ones."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.zeros((height, width, 3))
    for k in range(1, 20):
        angle, phase = generator.uniform(0, 2 * np.pi, 2)
        wave = np.cos(2 * np.pi * k * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        picture += wave[:, :, None] * generator.uniform(-1, 1, 3) / k
    return np.clip(128 + 50 * picture, 0, 255).astype(np.uint8)


def place(size: tuple[int, int], side: int, fit: Fit) -> tuple[int, int, int, int]:
    """Where an image lies in its square: top, left, height, width."""
    high, wide = (max(1, round(v * side / max(size))) if fit == "pad" else side for v in size)
    return (side - high) // 2, (side - wide) // 2, high, wide


def pillows(path: Path) -> np.ndarray:
    """What Pillow makes of the first frame, on white, in [0, 1]."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[:, :, :3] / 255


@pytest.mark.parametrize("ending", [*PLAIN, *JPEG])
def test_every_ending_is_read_as_pillow_reads_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending.upper()}"
    kind = {"apng": "png", "jpe": "jpeg", "jfif": "jpeg", "pnm": "ppm", "jpg": "jpeg", "jp2": "jpeg2000", "tif": "tiff"}
    Image.fromarray(scene(40, 56)).save(path, kind.get(ending, ending), **LOSSY.get(ending, {}))
    np.testing.assert_allclose(decode(path), pillows(path).transpose(2, 0, 1), atol=1e-6)
    assert f".{ending}" in suffixes()
    assert len(opened(tmp_path, size=8)) == 1


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif(tmp_path: Path) -> None:
    Image.fromarray(scene(40, 56)).save(tmp_path / "x.avif", quality=90)
    np.testing.assert_allclose(decode(tmp_path / "x.avif"), pillows(tmp_path / "x.avif").transpose(2, 0, 1), atol=1e-6)
    assert len(opened(tmp_path, size=8)) == 1


@pytest.mark.parametrize("ending", ["gif", "webp", "apng", "tiff"])
def test_of_several_frames_the_first_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    frames = [Image.fromarray(scene(16, 24, seed)) for seed in range(3)]
    kind = {"apng": "png"}.get(ending, ending)
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], **LOSSY.get(ending, {}))
    np.testing.assert_allclose(decode(path), pillows(path).transpose(2, 0, 1), atol=1e-6)
    assert abs(decode(path) - scene(16, 24).transpose(2, 0, 1) / 255).mean() < 0.05  # and not another one


MODES = [
    ("1", "png"), ("1", "tiff"), ("L", "jpeg"), ("L", "gif"), ("L", "tiff"), ("L", "ppm"), ("LA", "png"),
    ("LA", "tiff"), ("P", "png"), ("P", "bmp"), ("P", "gif"), ("P", "tiff"), ("RGBA", "png"), ("RGBA", "tiff"),
    ("RGBA", "webp"), ("RGBA", "tga"), ("CMYK", "jpeg"), ("CMYK", "tiff"), ("YCbCr", "jpeg"), ("YCbCr", "tiff"),
]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("mode", "kind"), MODES)
def test_every_kind_of_pixel(tmp_path: Path, mode: str, kind: str, channels: int) -> None:
    picture = np.dstack([scene(33, 47), scene(33, 47, 1)[:, :, :1]])
    image = (
        Image.fromarray(picture).convert("RGB" if mode in ("1", "L", "P", "CMYK", "YCbCr") else "RGBA").convert(mode)
    )
    path = tmp_path / f"x.{kind}"
    image.save(path, kind, **LOSSY.get(kind, {}))
    expected = pillows(path)
    if channels == 1:
        expected = expected @ np.array([[0.299], [0.587], [0.114]])
    np.testing.assert_allclose(decode(path, channels=channels), expected.transpose(2, 0, 1), atol=1.01 / 255)
    small = square(path, 16, channels=channels)
    whole = Image.fromarray(np.rint(pillows(path) * 255).astype(np.uint8)).resize((16, 16), Image.Resampling.BILINEAR)
    reference = np.asarray(whole, float) @ np.array([[0.299], [0.587], [0.114]]) if channels == 1 else np.asarray(whole)
    np.testing.assert_allclose(small.transpose(1, 2, 0), reference, atol=2)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (700, 3), (8, 8), (65, 63), (500, 800)])
@pytest.mark.parametrize("side", [8, 33])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_square_is_what_pillow_makes_of_the_whole_image(
    tmp_path: Path, size: tuple[int, int], side: int, fit: Fit
) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(scene(*size)).save(path)
    pixels = square(path, side, fit=fit)
    top, left, high, wide = place(size, side, fit)
    reference = np.asarray(Image.open(path).resize((wide, high), Image.Resampling.BILINEAR), float)
    inside = pixels[:, top : top + high, left : left + wide].transpose(1, 2, 0)
    assert abs(inside - reference).max() <= 3 and abs(inside - reference).mean() <= 0.6  # of 255
    assert pixels.sum() - inside.sum() == 255 * (pixels.size - inside.size)  # white around it


@pytest.mark.parametrize("size", [(900, 1200), (901, 1207), (2000, 333)])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("side", [32, 96])
def test_a_photograph_is_decoded_small_and_hardly_changed_by_it(
    tmp_path: Path, kind: str, side: int, size: tuple[int, int]
) -> None:
    path = tmp_path / f"x.{kind}"
    Image.fromarray(scene(*size)).save(path, kind)
    whole = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    difference = abs(square(path, side).transpose(1, 2, 0) - np.asarray(whole, float))
    assert difference.mean() < 0.6 and difference.max() <= 4  # of 255


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_every_format_is_obeyed(tmp_path: Path, kind: str, orientation: int) -> None:
    if kind == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"x.{kind}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {"webp": {"lossless": True}, "png": {}, "tiff": {}}.get(kind, {"quality": 95})
    Image.fromarray(scene(24, 40)).save(path, kind, exif=exif, **quality)
    expected = pillows(path)
    assert expected.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
    np.testing.assert_allclose(decode(path), expected.transpose(2, 0, 1), atol=1e-6)
    whole = Image.fromarray(np.rint(expected * 255).astype(np.uint8))
    for fit in ("stretch", "crop", "pad"):
        pixels = square(path, 20, fit=fit)
        top, left, high, wide = place(expected.shape[:2], 20, fit)
        middle = whole.crop((0, 8, 24, 32) if orientation >= 5 else (8, 0, 32, 24))
        upright = (middle if fit == "crop" else whole).resize((wide, high), Image.Resampling.BILINEAR)
        inside = pixels[:, top : top + high, left : left + wide].transpose(1, 2, 0)
        np.testing.assert_allclose(inside, np.asarray(upright), atol=2)
    assert inspect(tmp_path).turned == (orientation > 1)


def test_sixteen_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    for name in ("a.png", "b.tif", "c.pgm", "d.jp2"):
        Image.fromarray(ramp).save(tmp_path / name)
        np.testing.assert_allclose(decode(tmp_path / name)[0], ramp / 65535, atol=1.1 / 65535)
        small = square(tmp_path / name, 8)
        reference = Image.fromarray(ramp.astype(np.float32) / 65535).resize((8, 8), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(small[0], np.asarray(reference), atol=1e-3)
    Image.fromarray(np.array([[0, 70000]], np.int32)).save(tmp_path / "wide.tif")
    Image.fromarray(np.array([[0, 0.5]], np.float32)).save(tmp_path / "float.tif")
    for name, reason in (("wide.tif", "its numbers go from 0 to 70000"), ("float.tif", "floating-point numbers")):
        for read in (decode, lambda path: square(path, 8)):
            with pytest.raises(UnreadableImage, match=reason):
                read(tmp_path / name)


def test_what_is_not_read_is_left_out_and_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(scene(8, 8)).save(tmp_path / "x.png")
    (tmp_path / "x.psd").write_bytes(b"8BPS")
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    images = opened(tmp_path, size=8)
    left = {".psd", ".heic"} - suffixes()
    assert len(images) == 1 and all(f"1 x {suffix}" in " ".join(images.remarks) for suffix in left)
    with pytest.raises(UnreadableImage, match="pip install pillow-heif" if ".heic" in left else "damaged"):
        decode(tmp_path / "x.heic")
