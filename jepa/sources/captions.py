"""The data set `shapes-captions`: the images of `shapes`, each with a sentence that says what is in it.

A caption says the color, the size and the place of the shape: "a small red shape at the top left". Which of the ten
shapes it is, is said by those of the second variant alone: "a small red star at the top left".
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from jepa.config.settings import PATH, Settings, between, setting
from jepa.files.atomic import replacing
from jepa.sources.base import Source
from jepa.sources.folder import ImageFolder
from jepa.sources.generated import Written
from jepa.sources.pair import Pair
from jepa.sources.shapes import COUNT, Shapes
from jepa.sources.texts.source import Text

SIZES = {"small": 0.267, "medium": 0.333, "large": 0.401}  # and the largest radius, as a share of the image's side
FILES = {False: "captions.csv", True: "named.csv"}
IMAGES = "images"
LENGTH, WORDS, BUCKETS = 8, 63, 1  # of a caption, and of all captions together: 320 tokens


@dataclass(frozen=True)
class ShapesCaptionsSettings(Settings):
    """Of the shapes with captions."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "paired", "encoder": "pair"}
    root: str | None = setting(None, PATH)
    """folder that they are written to; null: data/shapes-captions-SIZE-COUNT"""
    count: int = setting(COUNT, between(50, 1_000_000))
    """images that are written"""
    size: int = setting(32, between(8, 2048))
    """side of an image in pixels"""
    named: bool = setting(False)
    """whether a caption says which shape it is, beside color, size and place"""
    label: Literal["shape", "color", "extent", "place"] = setting("shape")
    """what the classes of the probes are; extent: small, medium or large"""


class ShapesCaptions(Written, Pair):
    """Images (3, size, size) and their captions, 8 words of 320, as {"first": images, "second": captions}.

    They are written to data/ first: the images as `shapes` has them, in images/, and captions.csv and named.csv, with a
    row for each image in the order in which `source=folder` lists them; so that they are a pair of any two sources,
    `source=pair "source.first=folder root=DIR/images" "source.second=text path=DIR/captions.csv"`, too.

    >>> import tempfile
    >>> source = ShapesCaptions(tempfile.mkdtemp() + "/some", count=60, size=16)
    >>> captions = source.sides["second"]
    >>> source.shape, captions.symbols, " ".join(captions.shown(source.read([0])["second"][0]))
    ({'first': (3, 16, 16), 'second': (1, 8)}, 320, 'a medium orange shape at the middle center')
    """

    Settings = ShapesCaptionsSettings
    place = "root"
    kind = "shapes-captions"
    own = ("count",)

    def _check(self) -> None:
        """Both sources are said."""

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.is_dir() and all((path / name).exists() for name in (IMAGES, *FILES.values()))

    def located(self) -> Any:
        return replace(self.settings, root=str(self.path.absolute()))

    def stored(self, folder: str | Path) -> Source:
        return self

    def _made(self, name: str) -> Source:
        s, path = self.settings, self.path
        if not self.takes(path):
            self.write(path)
        if name == "first":
            return ImageFolder(path / IMAGES, size=s.size)
        text = {"length": LENGTH, "words": WORDS, "buckets": BUCKETS}
        return Text(path / FILES[s.named], text="text", label=s.label, **text)

    @property
    def _labeled(self) -> Any:
        return self.sides["second"]

    def write(self, out: str | Path, seed: int = 0) -> Path:
        """Write images and captions; a set that is there is left as it is. Return `out`."""
        out, s = Path(out), self.settings
        images = ImageFolder(Shapes(count=s.count, size=s.size).write(out / IMAGES, seed))
        files = images.listing.names
        with (out / IMAGES / "labels.csv").open(encoding="utf-8", newline="") as file:
            facts = {row["file"]: row for row in csv.DictReader(file)}
        for named, name in FILES.items():
            with replacing(out / name) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["text", "shape", "color", "extent", "place", "file"])
                writer.writerows(_row(facts[f], named) for f in files)
        return out


def _row(facts: Mapping[str, str], named: bool) -> Iterator[str]:
    """Yield the caption of an image, what it says, and the file."""
    extent = next(name for name, most in SIZES.items() if float(facts["radius"]) < most)
    place = facts["position"].replace("centre", "center").replace("-", " ")
    shape, color = facts["shape"], facts["colour"]
    yield f"a {extent} {color} {shape if named else 'shape'} at the {place}"
    yield from (shape, color, extent, place, facts["file"])
