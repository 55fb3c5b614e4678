"""Images in archives: every layout, every part, and what somebody could put into one to do harm."""

import io
import json
import os
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jepa.__main__ import main
from jepa.errors import ConfigError, DataError
from jepa.sources.folder import ImageFolder
from jepa.sources.images import archives, cache
from jepa.sources.images.tar import headers
from jepa.sources.shards import Shards
from tests.jepa.sources import folders
from tests.jepa.sources.folders import pixels
from tests.jepa.tiny import config

Files = dict[str, bytes]


def png(k: int, size: int = 8) -> bytes:
    """An image whose pixels say which it is."""
    file = io.BytesIO()
    Image.new("RGB", (size, size), (k, 2 * k % 256, 7)).save(file, "png")
    return file.getvalue()


def number(x: np.ndarray) -> int:
    return round(float(x[0, 0, 0]) * 255)


def tar(path: Path, files: Files, *more: tarfile.TarInfo) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return path


def zipped(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def parquet(path: Path, count: int = 20, group: int = 7, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        "image": [{"bytes": png(k), "path": f"{k}.png"} for k in range(count)],
        "label": [k % 2 for k in range(count)],
    }
    pyarrow.parquet.write_table(pa.table(rows | columns), path, row_group_size=group)
    return path


def dataset(notes: str, count: int = 20, first: int = 0) -> Files:
    """The files of a shard: images with .cls or .json beside them, or in folders."""
    files: Files = {}
    for k in range(first, first + count):
        label = ("cat", "dog")[k % 2]
        if notes == "folders":
            files[f"{label}/{k:04}.png"] = png(k)
        else:
            files[f"{k:04}.png"] = png(k)
            files[f"{k:04}.{notes}"] = (
                label.encode() if notes == "cls" else json.dumps({"label": label, "n": k}).encode()
            )
    return files


def images(path: Path, **settings: Any) -> Shards:
    return Shards(path, **{"size": 8, **settings})


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "tar cls": lambda p: tar(p / "a.tar", dataset("cls")),
    "tar json": lambda p: tar(p / "a.tar", dataset("json")),
    "tar folders": lambda p: tar(p / "a.tar", dataset("folders")),
    "tar below one folder": lambda p: tar(p / "a.tar", {f"./top/{k}": v for k, v in dataset("folders").items()}),
    "zip folders": lambda p: zipped(p / "a.zip", dataset("folders")),
    "zip stored": lambda p: zipped(p / "a.zip", dataset("folders"), zipfile.ZIP_STORED),
    "zip cls": lambda p: zipped(p / "a.zip", dataset("cls")),
    "two tars": lambda p: (
        tar(p / "s" / "0.tar", dataset("cls", 10)) and tar(p / "s/1.tar", dataset("cls", 10, 10)).parent
    ),
    "pattern": lambda p: (
        tar(p / "0.tar", dataset("cls", 10)) and tar(p / "1.tar", dataset("cls", 10, 10)).with_name("*.tar")
    ),
    "range": lambda p: (
        tar(p / "0.tar", dataset("cls", 10)) and tar(p / "1.tar", dataset("cls", 10, 10)).with_name("{0..1}.tar")
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout(tmp_path: Path, layout: str) -> None:
    path = LAYOUTS[layout](tmp_path)
    source = images(path)
    assert source.classes == ["cat", "dog"] and len(source) == 20 and source.remarks == []
    numbers = [number(x) for x in pixels(source)]
    assert sorted(numbers) == list(range(20))
    assert source.labels is not None and source.labels.tolist() == [k % 2 for k in numbers]
    train, val = source.split("train"), source.split("val")
    assert len(train) == 18 and len(val) == 2 and not {*train.names} & {*val.names}
    assert images(path).fingerprint() == source.fingerprint()


def test_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    source = images(path)
    assert source.classes == ["0", "1"] and [number(x) for x in pixels(source)] == [*range(0, 20, 2), *range(1, 20, 2)]
    order = np.random.default_rng(0).permutation(20)
    for workers in (0, 2):
        again = images(path, cache="0", workers=workers)
        np.testing.assert_array_equal(again.read(order), source.read(order))
        assert "20 of 20 images are not kept" in again.kept and "whole groups of rows are read" in again.kept
    raw = parquet(tmp_path / "b.parquet", image=[png(k) for k in range(20)], kind=[f"c{k % 3}" for k in range(20)])
    assert images(raw, label="kind").classes == ["c0", "c1", "c2"]


def test_the_names_of_classes_that_a_parquet_file_says(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    said = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table(
        {"image": [{"bytes": png(k)} for k in range(10)], "label": [k % 2 if k else -1 for k in range(10)]}
    )
    table = table.replace_schema_metadata({b"huggingface": json.dumps(said).encode()})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    source = images(tmp_path / "a.parquet")
    assert source.classes == ["cat", "dog"] and source.labels is not None
    assert np.bincount(source.labels + 1).tolist() == [1, 4, 5]


PARTS: dict[str, Callable[[Path], Path]] = {
    "names": lambda p: (
        tar(p / "x-train-0.tar", dataset("cls"))
        and tar(p / "x-val-0.tar", dataset("cls", 5))
        and tar(p / "x-test-0.tar", dataset("cls", 3)).parent
    ),
    "hugging face": lambda p: (
        parquet(p / "train-00000-of-00001.parquet") and parquet(p / "validation-00000-of-00001.parquet", 5).parent
    ),
    "folders of shards": lambda p: (
        tar(p / "train" / "0.tar", dataset("cls")) and tar(p / "val" / "0.tar", dataset("cls", 5)).parent.parent
    ),
    "folders in a zip": lambda p: zipped(
        p / "a.zip",
        {f"top/train/{k}": v for k, v in dataset("folders").items()}
        | {f"top/Val/{k}": v for k, v in dataset("folders", 5).items()},
    ),
}


@pytest.mark.parametrize("layout", PARTS)
def test_its_own_parts(tmp_path: Path, layout: str) -> None:
    source = images(PARTS[layout](tmp_path))
    assert len(source.split("train")) == 20 and len(source.split("val")) == 5
    assert len(source.classes) == 2
    if layout == "names":
        assert source.remarks == ["only train and val are read, not test (3 images)"]


LONG = "/".join(["folder" * 10] * 4) + "/1.png"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.png", "x" * 99 + ".png", f"{'d' * 120}/{'x' * 90}.png", LONG, "kätzchen.png"])
def test_every_format_of_tar_is_read_as_the_standard_library_does(tmp_path: Path, form: int, name: str) -> None:
    path, data = tmp_path / "a.tar", png(3)
    try:
        with tarfile.open(path, "w", format=form) as archive:
            for inner in ("first.png", name, "last.png"):
                info = tarfile.TarInfo(inner)
                info.size, info.pax_headers = len(data), {"comment": "a=b\n"}
                archive.addfile(info, io.BytesIO(data))
            archive.addfile(link("l.png", name, tarfile.LNKTYPE))
    except ValueError:
        pytest.skip("it has no room for the name")
    with tarfile.open(path) as archive, open(path, "rb") as file:
        expected = [(m.name, m.offset_data, m.size, m.isreg()) for m in archive.getmembers()]
        assert [(h.name, h.offset, h.size, not h.odd) for h in headers(file, path.stat().st_size)] == expected
    assert [number(x) for x in pixels(images(path))] == [3, 3, 3]


def test_a_tar_of_more_than_eight_gigabytes(tmp_path: Path) -> None:
    """A member whose size does not fit into octal digits, in a file of holes."""
    info = tarfile.TarInfo("large.bin")
    info.size = 9 << 30
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.seek((9 << 30) + 512)
        file.write(tar(tmp_path / "b.tar", dataset("cls")).read_bytes())
    assert len(images(tmp_path / "a.tar")) == 20


@pytest.mark.parametrize("digits", ["{}", "{:08}", "{:012}"])
def test_a_size_in_an_extended_header_is_decimal(tmp_path: Path, digits: str) -> None:
    """However many digits it has: in the header itself, numbers of 8 and 12 bytes are octal."""
    info, data = tarfile.TarInfo("a.png"), png(3)
    info.size, info.pax_headers = len(data), {"size": digits.format(len(data))}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(data))
    with open(tmp_path / "a.tar", "rb") as file:
        assert [header.size for header in headers(file, (tmp_path / "a.tar").stat().st_size)] == [len(data)]


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def odd_zip(path: Path) -> Path:
    """A link, an encrypted member, one of a rare method, a name twice, names that lead outside, a bomb."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in dataset("folders").items():
            archive.writestr(name, data)
        info = zipfile.ZipInfo("cat/link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("cat/rare.png", png(1), zipfile.ZIP_LZMA)
        for name in ("/abs/1.png", "../../up.png", "C:/x.png", "cat/../../x.png"):
            archive.writestr(name, png(2))
        archive.writestr("cat/bomb.png", bytes(20_000_000), zipfile.ZIP_DEFLATED)
        archive.writestr("__MACOSX/cat/._1.png", b"x")
        archive.writestr("README.md", b"x")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("cat/0000.png", png(99))
    return path


def test_what_is_odd_in_a_zip_is_left_out_and_counted(tmp_path: Path) -> None:
    source = images(odd_zip(tmp_path / "a.zip"))
    assert sorted(number(x) for x in pixels(source)) == list(range(20)), "the first of two names"
    said = "; ".join(source.remarks)
    for what in (
        "1 that are links",
        "1 that are packed in a way",
        "4 that have names that lead outside",
        "1 that say that they hold far more",
        "1 that have the name of",
        "left out 1 files",
    ):
        assert what in said, said


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [("0000.png", 42, "1 that are damaged"), ("0000.cls", 20, "1 that are notes of more than 1 MB")],
    ids=["offset", "size"],
)
def test_a_number_of_eight_bytes_in_a_zip_is_not_believed(tmp_path: Path, name: str, at: int, said: str) -> None:
    """No file can be gone to its end there, and no memory has so many bytes."""
    path, data = tmp_path / "a.zip", dataset("cls")
    with zipfile.ZipFile(path, "w") as archive:
        for inner in sorted(data, key=lambda inner: inner == name):  # the last one
            archive.writestr(inner, data[inner])
        archive.infolist()[-1].extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    overwritten(path, path.read_bytes().rindex(b"PK\1\2") + at, b"\xff" * 4)
    source = images(path)
    assert len(source) == 20 - (name == "0000.png") and said in "; ".join(source.remarks)


def test_what_is_odd_in_a_tar_is_left_out_and_counted(tmp_path: Path) -> None:
    files = dataset("cls") | {"/abs.png": png(1), "../up.png": png(1), "./0000.png": png(99), "a.txt": b"x"}
    odd = [link("l.png", "/etc/passwd", tarfile.SYMTYPE), link("h.png", "0000.png", tarfile.LNKTYPE),
           link("d.png", "", tarfile.CHRTYPE), link("f.png", "", tarfile.FIFOTYPE)]  # fmt: skip
    source = images(tar(tmp_path / "a.tar", files, *odd))
    assert sorted(number(x) for x in pixels(source)) == list(range(20))
    said = "; ".join(source.remarks)
    for what in ("2 that are links", "2 that are no regular files", "2 that have names that lead outside",
                 "1 that have the name of", "left out 1 files that are no images: 1 x .txt"):  # fmt: skip
        assert what in said, said


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def overwritten(path: Path, at: int, data: bytes) -> Path:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)
    return path


def lying_zip(path: Path, size: int = 10) -> Path:
    """The table of contents says of a member how many bytes can be unpacked of it."""
    data = zipped(path, dataset("folders")).read_bytes()
    place = data.index(b"PK\1\2")
    return overwritten(path, place + 24, struct.pack("<I", size))


def pax(path: Path) -> Path:
    """A header that says that its own text has 600 MB, in a file of holes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 600 << 20
    with open(path, "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(700 << 20)
    return path


def text(path: Path, content: bytes = b"hello") -> Path:
    path.write_bytes(content)
    return path


def gz(path: Path) -> Path:
    tar(path, dataset("cls"))
    import gzip

    path.write_bytes(gzip.compress(path.read_bytes()))
    return path


ERRORS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no tar": (lambda p: text(p / "a.tar"), r"a\.tar is no whole archive .*: copy or make it anew"),
    "empty tar": (lambda p: text(p / "a.tar", b""), r"a\.tar is no whole archive \(it has no end mark\)"),
    "a tar of nothing": (lambda p: tar(p / "a.tar", {}), r"no images in .*a\.tar: it is empty"),
    "a tar of texts": (lambda p: tar(p / "a.tar", {"a.txt": b"x"}), r"no images in .*a\.tar: 1 x \.txt"),
    "cut tar": (lambda p: cut(tar(p / "a.tar", dataset("cls")), 21_000), "cut short in .*copy it anew; or set source"),
    "no end": (lambda p: cut(tar(p / "a.tar", dataset("cls")), 40_960), "it has no end mark behind"),
    "damaged": (lambda p: overwritten(tar(p / "a.tar", dataset("cls")), 2048, b"x" * 100), "damaged behind 0000.cls"),
    "compressed": (lambda p: gz(p / "a.tar"), "is compressed as a whole"),
    "tgz": (lambda p: gz(p / "a.tar.gz"), "is compressed as a whole"),
    "pax": (lambda p: pax(p / "a.tar"), "a header takes more than 1 MB"),
    "no zip": (lambda p: text(p / "a.zip"), r"a\.zip is no whole archive \(File is not a zip file\)"),
    "cut zip": (lambda p: cut(zipped(p / "a.zip", dataset("folders")), 3000), "is no whole archive"),
    "lying zip": (lambda p: lying_zip(p / "a.zip"), "it says that it has 10 bytes, and has more; replace or remove"),
    "more said": (lambda p: lying_zip(p / "a.zip", 9999), "it says that it has 9,999 bytes, and has fewer; replace or"),
    "no parquet": (lambda p: text(p / "a.parquet"), "is no whole Parquet file .*copy or make it anew"),
    "cut parquet": (lambda p: cut(parquet(p / "a.parquet"), 2000), "is no whole Parquet file"),
    "no column": (lambda p: parquet(p / "a.parquet", image=[1.5] * 20), "has no images; its columns are image, label"),
    "two columns": (lambda p: parquet(p / "a.parquet", other=[b"x"] * 20), "set source.images to one of image, other"),
    "a bad row": (lambda p: parquet(p / "a.parquet", image=[None] * 20), "no images|its row has no bytes"),
    "floats": (lambda p: parquet(p / "a.parquet", label=[0.5] * 20), "the column label .double. has no classes"),
    "no match": (lambda p: p / "*.tar", "there is no archive .*a file, a folder of them or a pattern"),
    "a hole": (lambda p: tar(p / "0.tar", dataset("cls")).with_name("{0..2}.tar"), "no archive .*1.tar"),
    "odd range": (lambda p: p / "{5..2}.tar", "is no range of at most 100,000 files"),
    "odd json": (lambda p: tar(p / "a.tar", {"1.png": png(1), "1.json": b'{"cls": [1]}'}), r"says \[1\] where a class"),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_one_sentence(tmp_path: Path, what: str) -> None:
    make, said = ERRORS[what]
    with pytest.raises(DataError, match=said) as told:
        len(images(make(tmp_path)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("what", ["cut tar", "damaged", "no end"])
def test_what_is_whole_of_a_tar_is_read_if_that_is_asked(tmp_path: Path, what: str) -> None:
    source = images(ERRORS[what][0](tmp_path), on_error="skip")
    assert 1 <= len(source) <= 20 and any("a.tar: it " in remark for remark in source.remarks)


def test_one_of_several_archives_is_damaged(tmp_path: Path) -> None:
    tar(tmp_path / "0.tar", dataset("cls"))
    text(tmp_path / "1.tar")
    source = images(tmp_path, on_error="skip")
    assert len(source) == 20 and any("1.tar is no whole archive" in remark for remark in source.remarks)


def test_a_zip_whose_bytes_have_changed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", dataset("folders"), zipfile.ZIP_STORED)
    data = path.read_bytes()
    overwritten(path, data.index(b"\x89PNG") + 20, b"\xff")
    source = images(path, on_error="skip")
    assert len(source) == 19 and "its checksum is wrong" in source.skipped


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pyarrow, which is not installed; run: pip install -e '\.\[parquet\]'"):
        len(images(path))


def test_the_same_as_a_folder(tmp_path: Path, shapes_folder: Path) -> None:
    files = {p.relative_to(shapes_folder).as_posix(): p.read_bytes() for p in sorted(shapes_folder.rglob("*.png"))}
    folder, archive = ImageFolder(shapes_folder, size=8), images(zipped(tmp_path / "a.zip", files))
    for part in ("train", "val"):
        a, b = folder.split(part), archive.split(part)
        np.testing.assert_array_equal(pixels(a), pixels(b))
        np.testing.assert_array_equal(a.labels, b.labels)
    assert folder.classes == archive.classes


def verbs(path: Path, run: Path) -> Iterable[list[str]]:
    yield ["data", "inspect", str(path)]
    yield ["eval", str(run), "--data", str(path)]
    yield ["embed", str(run), "--out", str(run.parent / "e.npz")]
    yield ["embed", str(run), "--data", str(path), "--out", str(run.parent / "e.csv")]


@pytest.mark.parametrize("layout", ["tar cls", "zip folders", "pattern"])
def test_every_verb(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    from jepa.finetuning.finetune import finetune
    from jepa.training.run import train

    path, run = LAYOUTS[layout](tmp_path / "data"), tmp_path / "run"
    made = config(path, "train.epochs=2", "train.batch_size=4")
    assert made.source.kind == "shards"
    with pytest.raises(KeyboardInterrupt):
        train(made, out=run, stop_after=1)
    train(made, out=run, resume=True)
    for words in verbs(path, run):
        assert main(words) == 0, words
    out = capsys.readouterr().out
    assert "20 images, 2 classes" in out and "linear probe" in out
    assert len(np.load(tmp_path / "e.npz")["embeddings"]) == 20
    finetune(run, labels=(1.0,), epochs=1, epoch_steps=1, device="cpu")
    assert main(["predict", f"{run}-finetuned", "--data", str(path), "--out", str(tmp_path / "p.csv")]) == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 21


@pytest.mark.parametrize("words", ["x-{0..2}.tar", "nothing/*.zip"])
def test_a_pattern_that_nothing_matches_at_the_command_line(
    tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"source={words}"]) == 2
    assert "there is no archive" in capsys.readouterr().err


def test_a_pattern_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        config(tmp_path / "*.png")


def test_images_of_an_archive_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SLOW", -1.0)
    paths = [tar(tmp_path / f"{k}.tar", dataset("cls", 20, 20 * k)) for k in range(2)]
    first = [pixels(images(path)) for path in paths]
    assert len(list((tmp_path / "cache" / "minitensor-jepa").glob("*/index.npz"))) == 2, "one for each archive"
    monkeypatch.setattr(archives.Member, "read", lambda member: pytest.fail("it is read anew"))
    monkeypatch.setattr(archives, "NOTES", ())
    for path, expected in zip(paths, first, strict=True):
        np.testing.assert_array_equal(np.sort(pixels(images(path)), axis=0), np.sort(expected, axis=0))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tar(paths[0], {k: png(50) if k.endswith("png") else v for k, v in dataset("cls").items()})
    os.utime(paths[0], ns=(1, 1))
    assert {number(x) for x in pixels(images(paths[0]))} == {50}, "the archive has changed"


def test_memory_stays_small(tmp_path: Path) -> None:
    """An archive of 120 MB is gone through with a fraction of it in memory."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for k in range(40):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (1000, 1000, 3), dtype=np.uint8)).save(file, "png", compress_level=0)
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", file.getvalue())
    prepared = f"""
from jepa.sources.shards import Shards
from jepa.sources.images.square import square
source = Shards({str(tmp_path / "a.zip")!r}, size=16, cache="0", workers=0)
source.decoded
"""
    work = "assert len(source) == 40 and source.read(range(40)).shape == (40, 3, 16, 16)"
    grown = folders.grown(prepared, work)
    assert grown < 45, f"{grown} MB"
