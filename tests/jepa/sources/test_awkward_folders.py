"""Folders as people have them: runs and data sets of ours among the images, pipes, odd names, misnamed splits."""

import json
import os
import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.errors import DataError
from jepa.sources import shapes
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.inspect import inspect
from jepa.sources.images.listing import list_images
from jepa.sources.images.reading import How, squares
from tests.jepa.sources.folders import opened


def picture(path: Path, seed: int = 0, size: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)
    return path


def two_classes(root: Path) -> Path:
    for k in range(4):
        picture(root / "cat" / f"{k}.png", k)
        picture(root / "dog" / f"{k}.png", 10 + k)
    return root


def a_run(folder: Path) -> Path:
    """Return what `train` and `plot` leave behind, as far as it matters."""
    picture(folder / "plots" / "regions.png")
    (folder / "config.yaml").write_text("name: run\n")
    (folder / "env.json").write_text(json.dumps({"program": "minitensor-jepa"}))
    return folder


@pytest.mark.parametrize("place", ["runs/run", "run", "cat/run", "dog/deep/deeper/run"])
def test_a_run_among_the_images_changes_nothing(tmp_path: Path, place: str) -> None:
    before = list_images(two_classes(tmp_path))
    a_run(tmp_path / place)
    after = list_images(tmp_path)
    assert after.entries == before.entries and after.classes == before.classes == ["cat", "dog"]
    assert after.remarks == [] and after.unused == [place]
    assert f"not used       {place}/" in str(inspect(tmp_path))


def test_a_run_in_a_flat_folder_leaves_it_flat(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png", 1)
    a_run(tmp_path / "runs" / "run")
    assert opened(tmp_path, size=8).labels is None


def test_a_folder_that_only_looks_like_a_run_is_read(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "config.yaml").write_text("of another program: 1\n")
    (tmp_path / "cat" / "env.json").write_text("{}")
    assert list_images(tmp_path).classes == ["cat", "dog"]


def test_a_run_is_no_folder_of_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is the folder of a run, not of images"):
        opened(a_run(tmp_path))


def test_a_folder_that_holds_runs_alone_is_not_told_to_name_them(tmp_path: Path) -> None:
    a_run(tmp_path / "runs")
    with pytest.raises(DataError, match=r"no images in .*, a run of jepa, are not read") as caught:
        list_images(tmp_path)
    assert "name it itself" not in str(caught.value)


def test_data_of_ours_is_read_if_it_is_named_and_not_where_it_lies_among_others(tmp_path: Path) -> None:
    ours = shapes.write(tmp_path / "data" / "shapes", count=50, size=8)
    with pytest.raises(DataError, match=r"no images in .*data/shapes is what jepa wrote: name it itself"):
        list_images(tmp_path)
    two_classes(tmp_path)
    listing = list_images(tmp_path)
    assert listing.classes == ["cat", "dog"] and listing.unused == ["data/shapes"]
    assert len(list_images(ours).entries) == 50


@pytest.mark.parametrize("name", ["._0.png", ".hidden.png", "__MACOSX/0.png", "@eaDir/0.png", ".thumbnails/0.png"])
def test_what_is_hidden_or_of_a_system_is_passed_over(tmp_path: Path, name: str) -> None:
    two_classes(tmp_path)
    picture(tmp_path / name)
    picture(tmp_path / "cat" / name)
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    listing = list_images(tmp_path)
    assert len(listing.entries) == 8 and listing.classes == ["cat", "dog"] and listing.remarks == []


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    two_classes(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "cat" / "self.png").symlink_to(tmp_path / "cat" / "self.png")
    short = Path(os.path.relpath(tmp_path / "cat" / "socket.png"))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(short) if len(str(short)) < 100 else "\0" + str(tmp_path))
        images = opened(tmp_path, size=8)
    assert len(images) == 8
    said = " ".join(images.remarks)
    assert "no regular file" in said and "2 x link to nothing" in said
    assert inspect(tmp_path).bad == []


@pytest.mark.timeout(20)
def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    (found,) = squares([str(tmp_path / "x.png")], How(8, "stretch", 3), 0)
    assert isinstance(found, UnreadableImage) and "no regular file" in found.reason


def test_a_folder_called_like_an_image_is_a_folder(tmp_path: Path) -> None:
    picture(tmp_path / "v1.png" / "1.png")
    picture(tmp_path / "v2.png" / "1.png")
    assert list_images(tmp_path).classes == ["v1.png", "v2.png"]


@pytest.mark.timeout(20)
def test_links_in_circles_end(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    (tmp_path / "cat" / "over").symlink_to(tmp_path / "dog")
    (tmp_path / "dog" / "back").symlink_to(tmp_path / "cat")
    (tmp_path / "dog" / "self").symlink_to(tmp_path / "dog" / "self")
    inner = tmp_path / "many"
    for k in range(60):  # 2^60 ways through them
        for name in ("a", "b"):
            (inner / str(k)).mkdir(parents=True, exist_ok=True)
            (inner / str(k) / name).symlink_to(inner / str(k + 1))
    picture(inner / "60" / "1.png")
    listing = list_images(tmp_path)
    assert listing.classes == ["cat", "dog", "many"]
    assert sum(entry.label == "many" for entry in listing.entries) == 1


NAMES = [
    "with space",
    "quote'\"",
    "new\nline",
    "tab\t",
    "\x1b[31mred",
    "-flag",
    "#1",
    "$x$y$",
    "a;b",
    "日本",
    "e\u0301",
    "x" * 200,
]


def test_awkward_names_are_read_and_can_be_shown(tmp_path: Path) -> None:
    for k, name in enumerate(NAMES):
        picture(tmp_path / name / f"{name}.png", k)
        picture(tmp_path / name / f"{name} 2.png", k + 50)
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(raw)
    for name in (b"/\xff.png", b"/\xfe.png"):
        with open(raw + name, "wb") as file:
            file.write((tmp_path / NAMES[0] / f"{NAMES[0]}.png").read_bytes())
    (tmp_path / NAMES[2] / "bad\n\x1b\udcff.png").write_bytes(b"")
    train, val = (opened(tmp_path, size=8, split=s, on_error="skip") for s in ("train", "val"))
    assert len(train) + len(val) == 2 * len(NAMES) + 2 and len(train.classes) == len(NAMES) + 1
    report = inspect(tmp_path)
    for text in (*train.remarks, train.skipped, val.skipped, str(report), report.list_bad()):
        text.encode()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert report.list_bad() == f"{tmp_path}/new\\nline/bad\\n\\x1b\\udcff.png: it is empty (0 bytes)\n"
    with pytest.raises(DataError, match=r"bad\\n\\x1b\\udcff\.png: it is empty"):
        opened(tmp_path, size=8)


PARTS = [
    (["Training", "Testing"], "Testing/, Training/ are taken for classes"),
    (["train", "dev"], "dev/, train/ are taken for classes"),
    (["training_set", "test_set"], "test_set/, training_set/ are taken for classes"),
    (["Train-Images", "eval", "cats"], "Train-Images/, eval/ are taken for classes"),
    (["training"], "training/ is taken for a class"),
    (["train", "plane"], ""),
    (["tests", "trains"], ""),
    (["cat", "dog"], ""),
]


@pytest.mark.parametrize(("names", "said"), PARTS)
def test_parts_that_are_taken_for_classes_are_said(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        picture(tmp_path / name / "1.png")
        picture(tmp_path / name / "2.png", 1)
    for remarks in (opened(tmp_path, size=8).remarks, inspect(tmp_path).remarks):
        assert [r.startswith(said) for r in remarks] == ([True] if said else [])
    if not said:
        return
    learn = next(name for name in names if name.lower().startswith("train"))  # as the remark says
    (tmp_path / learn).rename(tmp_path / "train")
    held_out = [name for name in names if name != learn]
    if held_out:
        (tmp_path / held_out[0]).rename(tmp_path / "val")
    assert not any("taken for" in r for r in list_images(tmp_path).remarks)


def test_parts_one_level_down_are_said(tmp_path: Path) -> None:
    for part in ("train", "val"):
        two_classes(tmp_path / "archive" / part)
    (said,) = list_images(tmp_path).remarks
    assert said.endswith(f"source.root={tmp_path}/archive reads them as such")
    assert list_images(tmp_path / "archive").has_splits


def test_classes_without_an_image_are_named(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for k in range(3):
        (tmp_path / "ant").mkdir(exist_ok=True)
        (tmp_path / "ant" / f"{k}.psd").write_bytes(b"8BPS")
    (tmp_path / "bee").mkdir()
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "1.png").write_bytes(b"")
    images = opened(tmp_path, size=8, on_error="skip")
    expected = [
        "left out 3 files that are no images: 3 x .psd",
        "no images in the class folders ant/ (3 x .psd), bee/ (no files)",
        "no image can be read in the class folders cow",
    ]
    assert images.remarks == expected == inspect(tmp_path).remarks
    assert re.search(r"^cow +0$", str(inspect(tmp_path)), re.MULTILINE)


def test_val_without_classes_beside_train_with_them(tmp_path: Path) -> None:
    """ImageNet, as it is downloaded."""
    two_classes(tmp_path / "train")
    for k in range(3):
        picture(tmp_path / "val" / f"{k}.png", 20 + k)
    everything = opened(tmp_path, size=8)
    assert everything.labels is not None and everything.labels.tolist() == [0] * 4 + [1] * 4 + [-1] * 3
    assert opened(tmp_path, size=8, split="val").labels is None
    picture(tmp_path / "val" / "cat" / "1.png")
    with pytest.raises(DataError, match="has 3 images beside its class folders"):
        opened(tmp_path, size=8, split="val")


def test_the_remedy_for_an_empty_val_helps(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="put some into val/, or remove that folder, and a share of the others is held"):
        opened(tmp_path, size=8, split="val")
    (tmp_path / "val").rmdir()
    assert len(opened(tmp_path, size=8, split="val")) == 1


def test_the_remedy_for_an_empty_share_helps(tmp_path: Path) -> None:
    two_classes(tmp_path)
    with pytest.raises(DataError, match="has no images for 'train': lower source.validation"):
        opened(tmp_path, size=8, split="train", validation=0.99)
    assert len(opened(tmp_path, size=8, split="train", validation=0.9)) > 0
    assert len(opened(tmp_path, size=8, split="val", validation=1e-9)) == 1


def test_six_hundred_names_make_a_short_sentence(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for k in range(600):
        (tmp_path / f"class with a long name {k:03d}").mkdir()
    (said,) = list_images(tmp_path).remarks
    assert said.endswith("and 590 more") and len(said) < 600


def test_a_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_classes(tmp_path)
    real = os.scandir

    def scandir(path: Path) -> object:
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="cannot list the folder .*dog: Permission denied; change its permissions"):
        list_images(tmp_path)


@pytest.mark.parametrize("root", ["x" * 300, "a\0b", "a/" * 3000])
def test_impossible_folders(root: str) -> None:
    with pytest.raises(DataError, match="cannot list the folder|there is no folder"):
        list_images(root)


def test_any_number_of_threads_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(picture(tmp_path / f"{k}.png", k, size=130)) for k in range(60)]
    (tmp_path / "37.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    how = How(16, "stretch", 3)
    found, names = {}, set()
    for threads in (1, 2, 5):
        monkeypatch.setattr("minitensor.get_num_threads", lambda threads=threads: threads)
        found[threads] = list(squares(paths, how, 0))
        names |= {t.name for t in threading.enumerate()}
    assert not any("jepa-reading" in name for name in names), "no thread is left"
    for threads in (2, 5):
        failed = [k for k, one in enumerate(found[threads]) if isinstance(one, UnreadableImage)]
        assert failed == [37] and found[threads].pop(37).reason == found[1][37].reason
        np.testing.assert_array_equal(found[threads], found[1][:37] + found[1][38:])
