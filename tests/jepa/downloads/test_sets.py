"""Tiny data sets in their authors' formats, from a server to batches; and archives that attack."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jepa.__main__ import main
from jepa.downloads import sets
from jepa.downloads.sets import SETS, get
from jepa.downloads.unpacking import unpacked
from jepa.errors import DataError
from jepa.parts import kind_of, load
from tests.jepa.downloads.server import serving

pytest.importorskip("pooch")
RNG = np.random.default_rng(0)


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return stream.getvalue()


def image(side: int, fmt: str = "JPEG") -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(stream, fmt)
    return stream.getvalue()


def wav(seconds: float = 0.1) -> bytes:
    import wave

    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(RNG.integers(-999, 999, int(16_000 * seconds), dtype=np.int16).tobytes())
    return stream.getvalue()


BATCH = np.concatenate([np.arange(20)[:, None] % 10, RNG.integers(0, 256, (20, 3072))], axis=1).astype(np.uint8)
STL = RNG.integers(0, 256, (10, 3, 96, 96), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8)
CLASSES = (np.arange(30) % 10).astype(np.uint8)


def idx(x: np.ndarray) -> bytes:
    return gzip.compress(bytes((0, 0, 8, x.ndim)) + b"".join(n.to_bytes(4, "big") for n in x.shape) + x.tobytes())


TS = "@problemName GunPoint\n@univariate true\n@classLabel true a b\n@data\n0.1,0.2,0.3:a\n0.3,0.2,0.5:b\n"
WORDS = {f"./{word}/{who}_nohash_0.wav": wav() for word in ("yes", "no") for who in ("anna", "ben", "carl")}
FILES: dict[str, dict[str, bytes]] = {
    "cifar10": {
        "cifar-10-binary.tar.gz": tar(
            {
                f"cifar-10-batches-bin/{name}.bin": BATCH.tobytes()
                for name in ("data_batch_1", "data_batch_2", "test_batch")
            }
            | {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"}
        )
    },
    "stl10": {
        "stl10_binary.tar.gz": tar(
            {f"stl10_binary/{part}_X.bin": STL.tobytes() for part in ("test", "train", "unlabeled")}
            | {f"stl10_binary/{part}_y.bin": bytes(range(1, 11)) for part in ("test", "train")}
        )
    },
    "imagenette": {
        "imagenette2-160.tgz": tar(
            {
                f"imagenette2-160/{part}/{code}/{code}_{k}.JPEG": image(20)
                for part in ("train", "val")
                for code in ("n01440764", "n03888257")
                for k in range(3)
            }
            | {"imagenette2-160/noisy_imagenette.csv": b"path\n"}
        )
    },
    "fashion-mnist": {
        f"{part}-{kind}-ubyte.gz": idx(x)
        for part in ("train", "t10k")
        for kind, x in (("images-idx3", GRAY), ("labels-idx1", CLASSES))
    },
    "speech-commands": {
        "speech_commands_v0.02.tar.gz": tar(
            WORDS
            | {"./_background_noise_/pink_noise.wav": wav(), "./README.md": b"Speech"}
            | {
                "./testing_list.txt": b"yes/ben_nohash_0.wav\nno/ben_nohash_0.wav\n",
                "./validation_list.txt": b"yes/carl_nohash_0.wav\n",
            }
        )
    },
    "ucr:GunPoint": {
        "GunPoint.zip": packed(
            {"GunPoint_TRAIN.ts": TS.encode(), "GunPoint_TEST.ts": TS.encode(), "GunPoint.txt": b"?"}
        )
    },
}
FOUND = {
    "cifar10": ("folder", {"train": 40, "val": 20}, 10),
    "stl10": ("folder", {"train": 10, "val": 10}, 10),
    "imagenette": ("folder", {"train": 6, "val": 6}, 2),
    "fashion-mnist": ("folder", {"train": 30, "val": 30}, 10),
    "speech-commands": ("sound", {"train": 3, "val": 2}, 2),
    "ucr:GunPoint": ("series", {"train": 2, "val": 2}, 2),
}


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set has a checksum: those of the tiny ones are others."""
    from dataclasses import replace

    for name, data in SETS.items():
        free = tuple(file._replace(checksum=None) for file in data.files)
        monkeypatch.setitem(SETS, name, replace(data, files=free))


@pytest.mark.parametrize("which", FILES)
def test_a_set_becomes_what_a_source_reads(
    which: str, unchecked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(FILES[which]) as server:
        assert main(["data", "get", which, "--mirror", server.url]) == 0
        out = Path("data") / which.replace(":", "-")
        assert f"{which}: {out}" in capsys.readouterr().out
        assert [p.name for p in Path("data").iterdir()] == [out.name]  # nothing of the work is left
        count = len(server.asked)
        assert main(["data", "get", which, "--mirror", server.url]) == 0 and len(server.asked) == count
    kind, parts, classes = FOUND[which]
    assert kind_of(out) == kind
    source = load("source", kind)(str(out))
    assert {part: len(source.split(part)) for part in parts} == parts and len(source.classes) == classes
    assert np.isfinite(source.read(range(2))).all()
    origin = json.loads((out / ".origin.json").read_text())
    assert origin["data set"] == which and all(len(file["sha256"]) == 64 for file in origin["files"])


def test_pixels_and_classes_are_where_the_authors_have_them(unchecked: None, tmp_path: Path) -> None:
    from PIL import Image

    with serving({name: x for files in FILES.values() for name, x in files.items()}) as server:
        roots = {
            which: get(which, tmp_path / which, mirror=server.url) for which in ("cifar10", "stl10", "fashion-mnist")
        }
    with Image.open(roots["cifar10"] / "train" / "cat" / "00004.png") as picture:  # the fourth record, of class 3
        assert np.array_equal(np.asarray(picture), BATCH[3, 1:].reshape(3, 32, 32).transpose(1, 2, 0))
    with Image.open(roots["stl10"] / "val" / "bird" / "00002.png") as picture:
        assert np.array_equal(np.asarray(picture), STL[1].transpose(2, 1, 0))
    assert len(list((roots["stl10"] / "unlabeled").iterdir())) == 10
    with Image.open(roots["fashion-mnist"] / "train" / "ankle-boot" / "00020.png") as picture:
        assert np.array_equal(np.asarray(picture), GRAY[19])


def test_the_known_checksum_is_looked_at_and_another_may_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import hashlib

    files = FILES["imagenette"]
    with serving(files) as server:
        with pytest.raises(DataError, match="has another checksum than md5:e793b78c"):
            get("imagenette", tmp_path / "a", mirror=server.url)
        assert not (tmp_path / "a").exists()
        own = hashlib.sha256(files["imagenette2-160.tgz"]).hexdigest()
        assert get("imagenette", tmp_path / "a", mirror=server.url, checksum=own.upper()) == tmp_path / "a"
        words = ["data", "get", "imagenette", "--out", str(tmp_path / "c"), "--mirror", server.url, "--sha256", own]
        assert main(words) == 0 and f": checksum sha256:{own}" in capsys.readouterr().out
        with pytest.raises(DataError, match="has another checksum than sha256:0000"):
            get("imagenette", tmp_path / "b", mirror=server.url, checksum="0" * 64)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["cifar"], "there is no data set cifar. Did you mean 'cifar10'?"),
        (["ucr:../x"], "there is no data set ucr:../x"),
        (["ucr:"], "there is no data set ucr:"),
        (["cifar10", "--sha256", "12"], "--sha256 is 64 hexadecimal digits"),
        (["fashion-mnist", "--sha256", "0" * 64], "has 4 files: one --sha256 cannot be"),
        (["cifar10", "--out", "full"], "full is there already, and is not cifar10"),
        (["cifar10", "--mirror", "nowhere"], "--mirror nowhere has no file cifar-10-binary.tar.gz"),
    ],
)
def test_mistakes_are_a_sentence(
    words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    assert main(["data", "get", *words]) == 2
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1 and not (tmp_path / "data" / "cifar10").exists()


@pytest.mark.parametrize(
    ("which", "content", "text"),
    [
        ("cifar10", tar({"a.txt": b"x"}), "the archive has no the batches of train, but a.txt: it is another data set"),
        ("cifar10", tar({"data_batch_1.bin": b"x" * 100, "test_batch.bin": b"x"}), "100 bytes are no records of 3073"),
        (
            "cifar10",
            tar({"data_batch_1.bin": b"\xff" * 3073, "test_batch.bin": b"x"}),
            "1 labels up to 255 of 1 images",
        ),
        ("cifar10", b"<!DOCTYPE html><p>Log in", "no archive: .* .it is a page of HTML"),
        ("cifar10", FILES["cifar10"]["cifar-10-binary.tar.gz"][:-2000], "is damaged, or no archive"),
        ("ucr:GunPoint", packed({"GunPoint.arff": b"x"}), "no NAME_TRAIN.ts with NAME_TEST.ts, but gunpoint.arff"),
    ],
)
def test_an_archive_of_something_else_leaves_nothing(
    which: str, content: bytes, text: str, unchecked: None, tmp_path: Path
) -> None:
    name = next(iter(FILES[which]))
    with serving({name: content}) as server, pytest.raises(DataError, match=text):
        get(which, tmp_path / "out", mirror=server.url)
    assert not (tmp_path / "out").exists()
    assert not [p for p in (tmp_path / ".out.download").iterdir() if p.name != ".lock"]  # and is asked for again


def linked(kind: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as file:
        info = tarfile.TarInfo("a")
        info.type, info.linkname = kind, "../../outside"
        file.addfile(info)
    return stream.getvalue()


def zip_link() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        info = zipfile.ZipInfo("a")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "../../outside")
    return stream.getvalue()


ATTACKS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    **{
        f"tar {name!r}": ("x.tar.gz", lambda name=name: tar({name: b"x"}), "leads outside, or is no name of a file")
        for name in ("../a", "/etc/a", "a/../../b", "c:/a", "..\\a", "a" * 300, "/".join("a" * 40), ".")
    },
    "tar symlink": ("x.tgz", lambda: linked(tarfile.SYMTYPE), "a in it is a link or a device"),
    "tar hard link": ("x.tgz", lambda: linked(tarfile.LNKTYPE), "a in it is a link or a device"),
    "tar device": ("x.tgz", lambda: linked(tarfile.CHRTYPE), "a in it is a link or a device"),
    "tar twice": ("x.tar", lambda: tar({"a/B": b"x", "a/b": b"y"}), "has a/b twice"),
    "zip ../a": ("x.zip", lambda: packed({"../a": b"x"}), "leads outside"),
    "zip symlink": ("x.zip", zip_link, "a in it is a link or a device"),
    "zip bomb": ("x.zip", lambda: bomb(), "unpacked it has far more bytes than its size tells"),
    "gzip bomb": ("x.gz", lambda: gzip.compress(bytes(3 << 20)), "unpacked it has far more bytes than its size tells"),
    "no zip": ("x.zip", lambda: b"PK\x03\x04" + bytes(100), "is damaged, or no archive"),
    "no gzip": ("x.gz", lambda: b"\x1f\x8b\x08" + bytes(5), "is damaged, or no archive"),
}


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(3 << 20))
    return stream.getvalue()


@pytest.mark.parametrize("name", ATTACKS)
def test_archives_that_attack_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jepa.downloads import unpacking

    monkeypatch.setattr(unpacking, "LEAST", 1 << 20)
    file, content, text = ATTACKS[name]
    (tmp_path / file).write_bytes(content())
    with pytest.raises(DataError, match=text):
        unpacked(tmp_path / file, tmp_path / "deep" / "er" / "to")
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != file and "to" not in p.parts]
    assert not outside and not Path("/etc/a").exists()


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jepa.downloads import unpacking

    monkeypatch.setattr(unpacking, "MOST_FILES", 3)
    (tmp_path / "x.tar.gz").write_bytes(tar({str(k): b"" for k in range(4)}))
    with pytest.raises(DataError, match="has more than 3 files"):
        unpacked(tmp_path / "x.tar.gz", tmp_path / "to")


KILLED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
from jepa.downloads import sets, converting
real = converting._write
def slow(*words):
    real(*words)
    print("written", flush=True)
    time.sleep(60)
converting._write = slow
from dataclasses import replace
data = sets.SETS["cifar10"]
sets.SETS["cifar10"] = replace(data, files=tuple(f._replace(checksum=None) for f in data.files))
sets.get("cifar10", sys.argv[1], mirror=sys.argv[2])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_end_in_the_middle_leaves_no_half_set(how: signal.Signals, unchecked: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serving(FILES["cifar10"]) as server:
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(out), server.url], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"written\n"
        assert not out.exists()
        with pytest.raises(DataError, match=rf"is being downloaded by process {process.pid}"):
            get("cifar10", out, mirror=server.url)
        os.kill(process.pid, how)
        process.wait()
        process.stdout.close()
        assert not out.exists()
        began = time.monotonic()
        assert get("cifar10", out, mirror=server.url) == out and time.monotonic() - began < 30
        assert len(server.asked) == 1  # the archive was kept
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"] and len(list((out / "train").rglob("*.png"))) == 40


def test_every_checksum_is_one() -> None:
    for name, data in SETS.items():
        for file in data.files:
            kind, _, digits = (file.checksum or "").partition(":")
            assert len(digits) == {"sha256": 64, "md5": 32}[kind] and int(digits, 16), name
    assert sets.named("ucr:GunPoint").files[0].checksum is None
