"""Clips from files: every kind of file, windows and parts, and one sentence on each that cannot be read."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.commands.data import inspect
from jepa.errors import ConfigError, DataError
from jepa.parts import kind_of
from jepa.sources.images import limits
from jepa.sources.video.folder import Video

SIZE = 8


def clip(count: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Frames (f, h, w, c), each of one color of its own."""
    colors = np.random.default_rng(seed).integers(0, 256, (count, 1, 1, channels), dtype=np.uint8)
    return np.broadcast_to(colors, (count, SIZE, SIZE, channels)).copy()


def animated(path: Path, frames: np.ndarray) -> None:
    first, *others = map(Image.fromarray, frames)
    settings = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, **settings)


def numbered(folder: Path, frames: np.ndarray) -> None:
    folder.mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"frame{k}.png")


def written(path: Path, frames: np.ndarray) -> None:
    """Write frames as the path's name says: `x.npy`, `x.fhw.npy`, ... or a folder."""
    axes = path.suffixes[0][1:] if path.suffix == ".npy" else ""
    if path.suffix == ".npy":
        x = {"fhw": frames[..., 0], "cfhw": frames.transpose(3, 0, 1, 2)}.get(axes, frames)
        np.save(path, x / 255 if "float" in path.name else x)
    elif path.suffix:
        animated(path, frames)
    else:
        numbered(path, frames)


@pytest.mark.parametrize(
    "name", ["a.gif", "a.png", "a.webp", "a.fhwc.npy", "a.cfhw.npy", "a.fhwc.float.npy", "a.fhw.npy", "a"]
)
def test_every_kind_of_clip_gives_its_frames(tmp_path: Path, name: str) -> None:
    frames = clip(12, channels=3)
    frames = frames[..., :1].repeat(3, -1) if "fhw." in name else frames
    written(tmp_path / name, frames)
    written(tmp_path / f"b{Path(name).suffix}", clip(12, 1))
    source = Video(tmp_path, frames=5, stride=2, size=SIZE)
    row = source.names.index(str(tmp_path / name))
    expected = frames[:9:2].transpose(3, 0, 1, 2) / 255  # every second frame
    assert source.shape == (3, 5, SIZE, SIZE) and source.held.arrays[""].dtype == np.uint8
    tolerance = 0.02 if name == "a.gif" else 1e-6  # a palette for each frame
    np.testing.assert_allclose(source.read([row])[0], expected, atol=tolerance)


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        numbered(tmp_path / name, clip(12))
    source = Video(tmp_path, frames=12, size=SIZE)  # frame10.png stands before frame2.png in a listing
    np.testing.assert_allclose(source.read([0])[0, 0, :, 0, 0], clip(12)[:, 0, 0, 0] / 255, atol=1e-6)
    assert source.labels is None and source.names == [str(tmp_path / "a"), str(tmp_path / "b")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three clips, of different sizes and lengths."""
    for k in range(6):
        x = clip(8 + 4 * k, k)
        place = tmp_path / "clips" / "ab"[k % 2] / f"{k}.npy"
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, x.repeat(1 + k % 3, axis=1))
    return tmp_path / "clips"


def test_sizes_and_lengths_may_differ(folder: Path) -> None:
    source = Video(folder, frames=6, size=SIZE, channels=1, fit="crop")
    assert (source.shape, source.classes, len(source)) == ((1, 6, SIZE, SIZE), ["a", "b"], 6)
    assert source.split("val").normalize(source.split("val").read([0])).dtype == np.float32


def test_windows_of_a_clip_are_all_in_one_part(folder: Path) -> None:
    source = Video(folder, frames=6, size=SIZE, windows=3, validation=0.4)
    assert [name.rsplit("/", 1)[1] for name in source.names][:3] == ["0.npy", "2.npy (window 1)", "2.npy (window 2)"]
    assert len(source) == 1 + 2 + 2 + 3 + 3 + 3
    parts = [{name.partition(" ")[0] for name in source.split(part).names} for part in ("train", "val")]
    assert all(parts) and not parts[0] & parts[1]
    np.testing.assert_array_equal(source.read([2])[0, :, :, 0, 0] * 255, clip(16, 2)[6:12, 0, 0].T)


def test_folders_of_parts_are_the_parts(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    folder.rename(tmp_path / "whole" / "train")
    (tmp_path / "whole" / "val" / "a").mkdir(parents=True)
    np.save(tmp_path / "whole" / "val" / "a" / "x.npy", clip(9))
    source = Video(tmp_path / "whole", frames=6)
    assert [len(source.split(part)) for part in ("train", "val")] == [6, 1]


BAD = {
    "empty.gif": (lambda p: p.write_bytes(b""), "it is empty (0 bytes)"),
    "text.gif": (lambda p: p.write_text("no picture at all"), "it is a text file, no image"),
    "one.gif": (lambda p: animated(p, clip(1)), "it has one frame: it is a still image, no clip"),
    "short.gif": (lambda p: animated(p, clip(5)), "it has 5 frames, and source.frames=6 needs 6"),
    "cut.gif": (lambda p: (animated(p, clip(9)), p.write_bytes(p.read_bytes()[:120])), "it has "),
    "text.npy": (lambda p: p.write_text("1 2 3"), "it does not begin like an array of NumPy's"),
    "empty.npy": (lambda p: p.write_bytes(b""), "it is empty (0 bytes)"),
    "objects.npy": (lambda p: np.save(p, np.array([{}], object)), "it holds Python objects, which are not unpickled"),
    "words.npy": (lambda p: np.save(p, np.full((9, 4, 4), "a")), "it holds no numbers"),
    "flat.npy": (lambda p: np.save(p, np.zeros((9, 4))), "a clip is (f, h, w), (f, h, w, c) or (c, f, h, w)"),
    "either.npy": (lambda p: np.save(p, np.zeros((3, 9, 9, 3))), "either may be the channels; set source.order"),
    "neither.npy": (lambda p: np.save(p, np.zeros((9, 4, 4, 4))), "neither has 1 or 3 entries; set source.order"),
    "nan.npy": (lambda p: np.save(p, np.full((9, 4, 4), np.nan)), "it has NaN or infinite numbers"),
    "large.npy": (lambda p: np.save(p, np.full((9, 4, 4), 7.0)), "its numbers go from 7 to 7"),
    "deep.npy": (lambda p: np.save(p, np.full((9, 4, 4), 999)), "must lie in 0 to 255; scale them"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_in_one_sentence(folder: Path, name: str, capsys: pytest.CaptureFixture) -> None:
    make, said = BAD[name]
    make(folder / "a" / name)
    with pytest.raises(DataError) as error:
        len(Video(folder, frames=6))
    assert said in str(error.value) and "\n" not in str(error.value) and name in str(error.value)
    assert str(error.value).startswith("cannot read the clip ") and str(error.value).endswith("leave such clips out")
    source = Video(folder, frames=6, on_error="skip")
    assert len(source) == 6 and source.skipped.startswith("skipped 1 of 7 clips") and said[:20] in source.skipped
    inspect([str(folder)])
    told = capsys.readouterr().out
    assert ("bad clips      1" in told) == (name not in ("short.gif", "cut.gif", "nan.npy", "large.npy", "deep.npy"))


def test_a_folder_without_clips_says_what_is_there(tmp_path: Path) -> None:
    for name, said in {"nothing": "it has no files", "words": "its files are 1 x .txt"}.items():
        (tmp_path / name).mkdir()
        if name == "words":
            (tmp_path / name / "a.txt").write_text("a")
        with pytest.raises(DataError, match=f"no clips in .*: {said}; expected FOLDER/CLASS/\\*.gif"):
            len(Video(tmp_path / name))
    numbered(tmp_path / "frames", clip(5))
    with pytest.raises(DataError, match="holds the 5 frames of one clip: put each clip into a folder of its own"):
        len(Video(tmp_path / "frames"))
    with pytest.raises(ConfigError, match="source=video needs source.root=PATH"):
        Video()


def test_the_order_of_axes_can_be_said(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3 * 9 * 9 * 3, dtype=np.uint8).reshape(3, 9, 9, 3))
    np.save(tmp_path / "b.npy", np.zeros((3, 9, 9, 3), np.uint8))
    assert [Video(tmp_path, frames=f, order=o).shape[1] for f, o in ((3, "fhwc"), (9, "cfhw"))] == [3, 9]
    with pytest.raises(DataError, match="source.order=fhw has 3 axes"):
        len(Video(tmp_path, order="fhw"))


@pytest.mark.parametrize(("name", "kind"), [("x.gif", "video"), ("x.npy", "video"), ("x.png", "folder")])
def test_a_folder_of_what_moves_is_taken_for_clips(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "a").mkdir()
    written(tmp_path / "a" / name, clip(5)[: None if kind == "video" else 1])
    assert kind_of(tmp_path) == kind


def test_inspect_counts_lengths_sizes_and_kinds(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert inspect([str(folder)]) == 0
    told = capsys.readouterr().out
    assert "6 clips, 2 classes" in told and "8 (1), 16 (1), 24 (1), 12 (1)" in told and "array uint8 (6)" in told
    assert "shortest       8 frames" in told and "8 x 8 (2), 24 x 8 (2), 16 x 8 (2)" in told


def gif(pictures: int, side: int) -> bytes:
    """A GIF of so many pictures of one pixel on a screen of side x side."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    return head + pictures * (b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\x00") + b";"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gif(limits.ANIMATED + 10, 8), "it has more than 20,000 pictures"),
        (gif(600, 8000), "600 pictures of 8000 x 8000 pixels would have to be decoded"),
    ],
)
def test_an_animation_that_asks_for_much_is_refused_before(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(DataError, match=said):
        len(Video(tmp_path, frames=600))


def test_few_pictures_of_a_long_animation_are_read(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.gif").write_bytes(gif(600, 4000))
    assert Video(tmp_path, frames=3, size=4).shape == (3, 3, 4, 4)


@pytest.mark.parametrize(
    ("moving", "still", "kind"), [(4, 0, "video"), (1, 9, "folder"), (3, 2, "video"), (0, 3, "folder")]
)
def test_a_folder_is_taken_for_what_most_of_its_files_are(tmp_path: Path, moving: int, still: int, kind: str) -> None:
    for k in range(moving):
        animated(tmp_path / f"a{k}.gif", clip(5))  # first of all in the order of names
    for k in range(still):
        Image.new("RGB", (8, 8), (25 * k, 0, 0)).save(tmp_path / f"b{k}.jpg")
    assert kind_of(tmp_path) == kind
