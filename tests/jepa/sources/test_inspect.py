"""Looking into a folder: counts, sizes, kinds, colours, bad files."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.__main__ import main
from jepa.errors import DataError
from jepa.sources.images.inspect import inspect


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def test_a_report(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "1.png", Image.new("RGB", (4, 2), (255, 0, 51)))
    save(tmp_path / "train" / "cat" / "2.png", Image.new("RGB", (4, 2), (0, 0, 51)))
    save(tmp_path / "train" / "dog" / "1.png", Image.new("L", (8, 1), 0))
    save(tmp_path / "val" / "dog" / "1.png", Image.new("RGBA", (8, 1), (255, 255, 255, 0)))
    (tmp_path / "val" / "dog" / "2.png").write_text("not an image")
    (tmp_path / "val" / "dog" / "notes.txt").write_text("x")
    report = inspect(tmp_path)
    assert report.counts == {("cat", "train"): 2, ("dog", "train"): 1, ("dog", "val"): 1} and report.images == 4
    assert report.sizes == Counter({(2, 4): 2, (1, 8): 2})
    assert report.modes == Counter({"RGB": 2, "L": 1, "RGBA": 1})
    red, blue = np.array([1, 0, 0, 1]), np.array([0.2, 0.2, 0, 1])  # of the four images, equally large
    np.testing.assert_allclose(report.scale[0], [red.mean(), 0.25, blue.mean()], atol=1e-6)
    np.testing.assert_allclose(report.scale[1], [red.std(), np.std([0, 0, 0, 1]), blue.std()], atol=1e-6)
    assert report.bad == [(tmp_path / "val" / "dog" / "2.png", "it is a text file, no image")]
    text = str(report)
    for line in (
        f"{tmp_path}: 4 images, 2 classes",
        "class  train  val",
        "cat        2    0",
        "dog        1    1",
        "total      3    1",
        "kinds          RGB (2), L (1), RGBA (1)",
        "bad files      1",
        f"  {tmp_path / 'val' / 'dog' / '2.png'}: it is a text file, no image",
        "other files    .txt (1)",
    ):
        assert line in text.splitlines(), text


def test_a_flat_folder_of_grey_images(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / f"{k}.png", Image.new("L", (8, 8), 51 * k))
    report = inspect(tmp_path)
    np.testing.assert_allclose(report.scale[0], [0.2], atol=1e-6)
    assert report.counts == {(None, None): 3} and len(report.scale[1]) == 1
    assert "3 images, no labels (a flat folder)" in str(report) and "[0.2000]" in str(report)
    assert "bad files      none" in str(report)


def test_only_bad_files(tmp_path: Path) -> None:
    for k in range(12):
        (tmp_path / f"{k}.png").write_bytes(b"")
    report = inspect(tmp_path)
    assert report.images == 0 and report.scale == ([], []) and len(report.bad) == 12
    assert "and 2 more" in str(report)


def test_many_sizes_are_not_all_printed(tmp_path: Path) -> None:
    for k in range(13):
        save(tmp_path / f"{k}.png", Image.new("L", (8, 8 + k)))
    assert "and 3 others" in str(inspect(tmp_path))


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        inspect(tmp_path)


def test_the_command_writes_all_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in range(12):
        (tmp_path / f"{k:02d}.png").write_bytes(b"")
    assert main(["data", "inspect", str(tmp_path), "--list", str(tmp_path / "out" / "bad.txt")]) == 0
    assert "and 2 more (--list FILE writes all)" in capsys.readouterr().out
    lines = (tmp_path / "out" / "bad.txt").read_text().splitlines()
    assert lines == [f"{tmp_path}/{k:02d}.png: it is empty (0 bytes)" for k in range(12)]


def test_a_huge_jpeg_is_counted_as_large_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (9400, 6000), (255, 0, 51)).save(tmp_path / "x.jpg", progressive=True)
    report = inspect(tmp_path)
    assert report.sizes == Counter({(6000, 9400): 1}) and not report.bad
    np.testing.assert_allclose(report.scale[0], [1, 0, 0.2], atol=0.01)
