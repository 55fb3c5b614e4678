"""Small files that ask for much: each is read, or refused in one sentence, within 5 s and 1 GB."""

import io
import json
import random
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.sources.images import limits
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.inspect import inspect
from jepa.sources.images.square import square
from tests.jepa.sources.folders import decode
from tests.jepa.sources.test_decode import chunk
from tests.jepa.sources.test_formats import scene

HEADER = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
ROWS = zlib.compress(bytes(8 * 25))


def zeros(count: int) -> bytes:
    packer, parts = zlib.compressobj(9), []
    for start in range(0, count, 1 << 20):
        parts.append(packer.compress(bytes(min(1 << 20, count - start))))
    return b"".join(parts) + packer.flush()


def png(*inner: bytes, header: bytes = HEADER) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(inner) + chunk(b"IEND", b"")


def header_of(width: int, height: int, kind: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)


def saved(kind: str, image: Image.Image | None = None, **settings: object) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(scene(40, 56))).save(file, kind, **settings)
    return file.getvalue()


def with_segments(segments: bytes) -> bytes:
    jpeg = saved("JPEG")
    return jpeg[:2] + segments + jpeg[2:]


def progressive(side: int, scans: int) -> bytes:
    """A grey JPEG of one scan of first bits and many refinements in which nothing happens."""
    blocks = (-(-side // 8)) ** 2
    head = b"\xff\xd8\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    head += b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + bytes([1, 0x11, 0])
    for table, symbol in ((0x00, 0), (0x10, 0xE0)):
        head += b"\xff\xc4" + struct.pack(">HB", 20, table) + bytes([1] + [0] * 15) + bytes([symbol])
    head += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 1) + bytes((blocks + 7) // 8)
    bits = ("0" + "1" * 14) * -(-blocks // 32767)
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    first, refine = (b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, how) + data for how in (0x01, 0x10))
    return head + first + refine * scans + b"\xff\xd9"


def tiff(tags: list[tuple[int, int, list[int]]], rest: bytes = b"") -> bytes:
    """A TIFF of one directory; the value None of a tag is replaced by where `rest` begins."""
    start = 8 + 2 + 12 * len(tags) + 4
    outside = sum(4 * len(values) for _, _, values in tags if len(values) > 1)
    entries, data = b"", b""
    for tag, kind, values in sorted(tags):
        numbers = [start + outside if value is None else value for value in values]
        if len(values) == 1:
            entries += struct.pack("<HHII", tag, kind, 1, numbers[0])
        else:
            entries += struct.pack("<HHII", tag, kind, len(values), start + len(data))
            data += struct.pack(f"<{len(values)}I", *numbers)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data + rest


def tiled(side: int) -> bytes:
    body = zeros(1000)  # far fewer than it says
    size = [(256, 4, [64]), (257, 4, [64]), (258, 4, [8]), (259, 4, [8]), (262, 4, [1]), (277, 4, [1])]
    return tiff([*size, (322, 4, [side]), (323, 4, [side]), (324, 4, [None]), (325, 4, [len(body)])], body)


def stripped(count: int) -> bytes:
    size = [(256, 4, [8]), (257, 4, [8]), (258, 4, [8]), (259, 4, [1]), (262, 4, [1]), (277, 4, [1]), (278, 4, [1])]
    return tiff([*size, (273, 4, [8] * count), (279, 4, [8] * count)], bytes(64))


def gif(before: bytes, side: int = 2) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + before + b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x44\x01\0;"


def run_lengths(side: int) -> bytes:
    """A BMP that is decoded in Python."""
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024) + header + bytes(1024) + b"\0\1"


EXIF = b"\xff\xe1" + struct.pack(">H", 60_016) + b"Exif\0\0II*\0\x08\0\0\0" + bytes(60_000)
READ = "read"
FAST = {"lossless": True, "quality": 0, "method": 0}
BOMBS = {
    "alpha.png": (lambda: png(chunk(b"IDAT", zeros(9400 * 37_601)), header=header_of(9400, 9400, 6)), READ),
    "larger.png": (lambda: png(header=header_of(12_000, 9000)), "12000 x 9000 pixels, and at most 90 million are read"),
    "tall.png": (lambda: png(header=header_of(1, 200_000)), "no side may be longer than 100,000"),
    "more pixels than it has.png": (lambda: png(chunk(b"IDAT", zeros(50_000_000))), READ),
    "text.png": (lambda: png(chunk(b"zTXt", b"k\0\0" + zeros(1_000_000)) * 900, chunk(b"IDAT", ROWS)), "text"),
    "texts.png": (lambda: png(chunk(b"tEXt", b"k\0v") * 5000, chunk(b"IDAT", ROWS)), "more than 1,000 chunks"),
    "profile.png": (lambda: png(chunk(b"iCCP", b"k\0\0" + zeros(2_000_000)), chunk(b"IDAT", ROWS)), "too large"),
    "pieces.png": (lambda: png(chunk(b"IDAT", b"") * 150_000, chunk(b"IDAT", ROWS)), "more than 100,000 chunks"),
    "scans.jpg": (lambda: progressive(9400, 30), "scans or more, each of 88 million pixels"),
    "small scans.jpg": (lambda: progressive(800, 300), "101 scans"),
    "segments.jpg": (lambda: with_segments(b"\xff\xfe\0\2" * 200_000), "more than 100,000 segments"),
    "fill.jpg": (lambda: with_segments(b"\xff" * 3_000_000), "more than 100,000 segments"),
    "exif.jpg": (lambda: with_segments(EXIF * 300), "12 MB that are"),
    "tile.tif": (lambda: tiled(40_000), "would take 1.60 GB"),
    "strips.tif": (lambda: stripped(300_000), "300,000 strips or tiles"),
    "scans.tif": (lambda: saved("TIFF", compression="jpeg") + b"\xff\xda" * 1000, "JPEG pieces with 1,001 scans"),
    "comment.gif": (lambda: gif(b"!\xfe" + (b"\xff" + b"a" * 255) * 10_000 + b"\0"), "before its first picture"),
    "screen.gif": (lambda: gif(b"", 65535), "65535 x 65535 pixels"),
    "large.webp": (lambda: saved("WEBP", Image.new("RGB", (9000, 9000)), **FAST), "would take 1.30 GB"),
    "runs.bmp": (lambda: run_lengths(3000), "takes too long to read"),
    "plain.ppm": (lambda: b"P3 3000 3000 255\n" + b"1 " * 100, "takes too long to read"),
    "comments.ppm": (lambda: b"P6\n" + b"#\n" * 1_000_000 + b"8 8 255\n" + bytes(192), "in its first 10,000 bytes"),
    "large.jp2": (lambda: saved("JPEG2000", Image.new("L", (2500, 2500))), "at most 6 million are read"),
}  # fmt: skip

PROGRAM = """
import json, re, sys, time
from pathlib import Path
from jepa.sources.images.square import square
found = {}
for path in sys.argv[1:]:
    clock = time.process_time()
    try:
        said = "read" if square(path, 32).shape == (3, 32, 32) else "?"
    except Exception as error:
        said = f"{type(error).__name__} {error}"
    found[path] = said, time.process_time() - clock
status = Path("/proc/self/status")  # of this program alone: getrusage counts what the forking process had, too
peak = re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text()) if status.exists() else None
print(json.dumps([found, int(peak[1]) if peak else 0]))
"""


def test_bombs_are_read_or_refused_in_little_time_and_memory(tmp_path: Path) -> None:
    paths = []
    for name, (make, _) in BOMBS.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(make())
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, paths)], capture_output=True, check=True, text=True)
    found, kilobytes = json.loads(done.stdout)
    for path, (_, expected) in zip(paths, BOMBS.values(), strict=True):
        said, seconds = found[str(path)]
        if expected == READ:
            assert said == READ, path
        else:
            assert said.startswith("UnreadableImage cannot read") and expected in said and "\n" not in said, said
        assert seconds < 5, path
    assert kilobytes < 1_000_000


def test_a_camera_s_photograph_is_small_work(tmp_path: Path) -> None:
    """45 megapixels, baseline and progressive: decoded at an eighth of their size."""
    photograph = Image.fromarray(scene(232, 308)).resize((7700, 5800))
    for name, settings in (("baseline", {}), ("progressive", {"progressive": True})):
        path = tmp_path / f"{name}.jpg"
        photograph.save(path, "JPEG", **settings)
        clock = time.process_time()
        small = square(path, 32)
        assert time.process_time() - clock < 3
        reference = photograph.resize((32, 32), Image.Resampling.BOX)
        assert abs(small.transpose(1, 2, 0) - np.asarray(reference, float)).mean() < 3


def test_memory_is_shared_by_all_threads() -> None:
    order: list[str] = []

    def second() -> None:
        with limits.room(limits.MEMORY):
            order.append("second")

    with limits.room(limits.MEMORY // 2):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    with open(path, "wb") as file:
        file.truncate(300_000_000)  # takes no room on the disk
    with pytest.raises(UnreadableImage, match="it has 300 MB, and at most 200 are read"):
        decode(path)


def test_a_wrong_checksum_of_pixels_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    data = bytearray(saved("PNG"))
    place = data.index(b"IDAT")
    length = int.from_bytes(data[place - 4 : place], "big")
    data[place + 4 + length] ^= 1  # its checksum, not the pixels: Pillow does not look
    path.write_bytes(data)
    Image.open(path).load()
    with pytest.raises(UnreadableImage, match="the checksum of its pixels is wrong"):
        decode(path)
    data[place + 4 + length] ^= 1
    path.write_bytes(data)
    assert decode(path).shape == (3, 40, 56)


def test_pillow_s_reason_is_given(tmp_path: Path) -> None:
    twelve = bytearray(saved("JPEG"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    checksum = bytearray(saved("PNG"))
    checksum[29] ^= 1
    for data, reason in ((twelve, "12-bit"), (checksum, "header checksum in b'IHDR'")):
        (tmp_path / "x.img").write_bytes(data)
        with pytest.raises(UnreadableImage, match=f"it is damaged or cut short \\(.*{reason}.*\\); replace"):
            decode(tmp_path / "x.img")


def test_sixteen_bit_colour_is_said(tmp_path: Path) -> None:
    deep = png(chunk(b"IDAT", zlib.compress(bytes(8 * 49))), header=struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    (tmp_path / "x.png").write_bytes(deep)
    report = inspect(tmp_path)
    assert report.rounded == 1 and "16-bit colors  1 (their upper 8 bits are read)" in str(report)


SEEDS = [
    ("PNG", "RGB", {}), ("PNG", "P", {}), ("JPEG", "RGB", {}), ("JPEG", "CMYK", {"progressive": True}),
    ("GIF", "P", {}), ("WEBP", "RGB", {}), ("BMP", "P", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("PPM", "RGB", {}), ("TIFF", "RGB", {"compression": "jpeg"}), ("JPEG2000", "RGB", {}),
    ("TGA", "RGB", {"compression": "tga_rle"}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_mutated_images_are_read_or_refused(tmp_path: Path, number: int) -> None:
    kind, mode, settings = SEEDS[number]
    whole = saved(kind, Image.fromarray(scene(24, 36)).convert(mode), **settings)
    chance = random.Random(number)
    path = tmp_path / f"x.{kind.lower()}"
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 2, 8])):
            at = chance.randrange(min(len(data), chance.choice([60, len(data)])))
            data[at : at + chance.randrange(3)] = chance.choice([b"", b"\xff", b"\0\0", b"\xff\xff\xff\xff", b"\x80"])
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(1, len(data))])])
        clock = time.process_time()
        for read in (lambda: square(path, 8), lambda: decode(path)):
            try:
                read()
            except UnreadableImage as error:
                refused += 1
                assert str(error).isprintable() and len(str(error)) < 600
        assert time.process_time() - clock < 5
    assert refused > 10
