"""The data sets that can be had by name, and getting one of them: whole, or not at all."""

import json
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jepa.downloads import converting
from jepa.downloads.fetching import Remote, digest, fetched
from jepa.downloads.unpacking import unpacked
from jepa.errors import DataError
from jepa.files.lock import Taken, writing
from jepa.files.mark import read_object
from jepa.text import did_you_mean, shown

ORIGIN = ".origin.json"  # in a data set: where it comes from
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
IMAGENETTE_URL = "https://s3.amazonaws.com/fast-ai-imageclas/"
SPEECH_URL = "https://storage.googleapis.com/download.tensorflow.org/data/"
UCR_URL = "https://timeseriesclassification.com/aeon-toolkit/{}.zip"


@dataclass(frozen=True)
class DataSet:
    """A public data set."""

    files: tuple[Remote, ...]
    convert: Callable[[Path, Path], None]
    """from what was unpacked to what is read"""
    about: str


SETS = {
    "cifar10": DataSet(
        (
            Remote(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
            ),
        ),
        converting.cifar10,
        "60,000 images of 32 x 32 pixels, 10 classes (Krizhevsky 2009)",
    ),
    "stl10": DataSet(
        (Remote("https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "md5:91f7769df0f17e558f3565bffb0c7dfb"),),
        converting.stl10,
        "13,000 images of 96 x 96 pixels, 10 classes, and 100,000 without labels (Coates et al. 2011)",
    ),
    "imagenette": DataSet(
        (Remote(f"{IMAGENETTE_URL}imagenette2-160.tgz", "md5:e793b78cc4c9e9a4ccc0c1155377a412"),),
        converting.imagenette,
        "13,000 photographs of ImageNet, shorter side 160, 10 classes (Howard 2019)",
    ),
    "imagenette-320": DataSet(
        (Remote(f"{IMAGENETTE_URL}imagenette2-320.tgz", "md5:3df6f0d01a2c9592104656642f5e78a3"),),
        converting.imagenette,
        "the same, shorter side 320",
    ),
    "fashion-mnist": DataSet(
        tuple(
            Remote(f"{FASHION_URL}{name}-ubyte.gz", f"md5:{checksum}")
            for name, checksum in (
                ("train-images-idx3", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                ("train-labels-idx1", "25c81989df183df01b3e8a0aad5dffbe"),
                ("t10k-images-idx3", "bef4ecab320f06d8554ea6380940ec79"),
                ("t10k-labels-idx1", "bb300cfdad3c16e7a12a480ee83cd310"),
            )
        ),
        converting.fashion_mnist,
        "70,000 gray images of 28 x 28 pixels, 10 kinds of clothes (Xiao et al. 2017)",
    ),
    "speech-commands": DataSet(
        (
            Remote(
                f"{SPEECH_URL}speech_commands_v0.02.tar.gz",
                "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
                2_428_923_189,
            ),
        ),
        converting.speech_commands,
        "105,829 spoken words of a second, 35 words (Warden 2018)",
    ),
}
"""name -> data set; checksums as torchvision, torchaudio and the authors have them"""
UCR = "ucr:NAME"


def named(which: str) -> DataSet:
    """Return the data set of a name; raise DataError, with what there is, for another one.

    >>> named("ucr:GunPoint").files[0].name
    'GunPoint.zip'
    """
    if which in SETS:
        return SETS[which]
    kind, colon, name = which.partition(":")
    if kind == "ucr" and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        about = f"{name} of the archives of time series of UCR and UEA"
        return DataSet((Remote(UCR_URL.format(name), None),), converting.ucr, about)
    raise DataError(
        f"there is no data set {shown(which)}.{did_you_mean(which, SETS)} There are {', '.join(SETS)} and {UCR}, "
        "with the name that a set of time series has at timeseriesclassification.com, such as ucr:GunPoint"
    )


def get(which: str, out: str | Path | None = None, *, mirror: str | None = None, checksum: str | None = None) -> Path:
    """Download a data set, and write it as the sources read it; return the folder.

    which: a name of `SETS`, or ``ucr:NAME``. out: the folder, ``data/WHICH`` by default; if it is there, and was
    written by this function for the same name, nothing is done. mirror: see `jepa.downloads.fetching.fetched`.
    checksum: the SHA-256 of the one file of a set, in place of the one that is known.

    The folder appears when all of it is written. A download that was interrupted is gone on with the next time.
    Raises DataError in a sentence.
    """
    data = named(which)
    out = Path(out) if out is not None else Path("data") / which.replace(":", "-")
    if out.exists():
        return _there(out, which)
    remotes = checked(which, checksum)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.absolute().with_name(f".{out.name}.download")
    try:
        with writing(work):
            _make(which, data, remotes, (work, out), mirror)
            shutil.rmtree(work, ignore_errors=True)
    except Taken as error:
        raise DataError(f"{shown(out)} is being downloaded by {error}: wait for it, or take another --out") from error
    return out


def _there(out: Path, which: str) -> Path:
    """Return a folder that has the data set already."""
    try:
        if read_object(out / ORIGIN)["data set"] == which:
            return out
    except (OSError, ValueError, KeyError):
        pass
    raise DataError(f"{shown(out)} is there already, and is not {which}: take another folder with --out")


def checked(which: str, checksum: str | None) -> tuple[Remote, ...]:
    """Return the files of a data set, with the checksum that is given; None: with those that are known."""
    files = named(which).files
    if checksum is None:
        return files
    if not re.fullmatch("[0-9a-fA-F]{64}", checksum):
        raise DataError(f"--sha256 is 64 hexadecimal digits, what sha256sum prints; got {shown(checksum)}")
    if len(files) > 1:
        raise DataError(f"{which} has {len(files)} files: one --sha256 cannot be that of all of them")
    return (files[0]._replace(checksum=f"sha256:{checksum.lower()}", size=None),)


def _make(
    which: str, data: DataSet, remotes: tuple[Remote, ...], places: tuple[Path, Path], mirror: str | None
) -> None:
    """Download, unpack and convert below `work`, and put the result into the place of `out`."""
    work, out = places
    for rest in [*work.glob("raw-*"), *work.glob("made-*")]:  # of a process that was killed
        shutil.rmtree(rest, ignore_errors=True)
    mark = secrets.token_hex(4)
    raw, made = work / f"raw-{mark}", work / f"made-{mark}"
    try:
        archives = [fetched(remote, work, mirror) for remote in remotes]
        made.mkdir(parents=True)
        try:
            for archive in archives:
                unpacked(archive, raw)
            data.convert(raw, made)
        except DataError:  # a page of HTML, say, that came with the right answer: the next time it is asked for again
            for archive in archives:
                if archive.parent == work:
                    archive.unlink()
            raise
        pairs = zip(remotes, archives, strict=True)
        origins = [{"url": r.url, "checksum": r.checksum, "sha256": digest(archive)} for r, archive in pairs]
        origin = {"data set": which, "about": data.about, "files": origins}
        (made / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", "utf-8")
        made.rename(out)
    finally:
        for rest in (raw, made):
            shutil.rmtree(rest, ignore_errors=True)
