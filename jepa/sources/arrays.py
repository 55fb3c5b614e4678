"""Arrays as a source: in memory, or an .npy or .npz file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeVar

import numpy as np

from jepa.config.settings import PATH, setting
from jepa.errors import DataError
from jepa.files.atomic import replacing
from jepa.sources.base import Source, SourceSettings
from jepa.sources.examples import LABELS, Held, checked
from jepa.sources.memory import InMemory
from jepa.text import shown

STORED = "source.npz"
T = TypeVar("T")


class Arrays(InMemory):
    """Examples in memory: (n, c, *lengths), of any rank; or several arrays by name, of two modalities.

    They become float32 as they are read; bytes of rank 2 and more, such as images, are divided by 255. By default a
    network sees (x - mean) / std, for each channel, of the examples to learn from; a channel that never changes becomes
    0. A share of each class is held out.

    x: an array (n, c, *lengths), or (n, t), examples of one channel; or a dict of them by name. labels: n whole numbers
    or texts, None for an example that has none. Raises DataError for no examples, numbers that are none, objects of
    Python's, and labels that do not fit.

    >>> source = Arrays(np.arange(60.0).reshape(10, 2, 3), list("aaaaabbbbb"), validation=0.2)
    >>> train, val = source.split("train"), source.split("val")
    >>> source.shape, len(train), val.names, val.labels, val.classes
    ((2, 3), 8, ['3', '8'], array([0, 1]), ['a', 'b'])
    >>> train.normalize(train.read(range(8))).std(axis=(0, 2)).round(6)
    array([1., 1.], dtype=float32)
    """

    held: Any

    def __init__(self, x: Any, labels: Any = None, settings: SourceSettings | None = None, /, **changes: Any) -> None:
        super().__init__(settings, **changes)
        named = {str(name): part for name, part in x.items()} if isinstance(x, Mapping) else {"": x}
        self.held = checked(named, lambda name: f"x[{name!r}]" if name else "x", labels)

    @property
    def pictures(self) -> str:  # type: ignore[override]
        return f"jepa.pictures.{'line' if len(self.shape) < 3 else 'image'}"

    def save(self, folder: str | Path) -> Path:
        """Write all examples and labels to FOLDER/source.npz, which an `ArrayFile` opens; return its path."""
        held, path = self.held, Path(folder) / STORED
        arrays = {name or "x": x for name, x in held.arrays.items()}
        if held.labels is not None:
            arrays |= {"labels": held.labels, "classes": np.array(held.classes, dtype=str)}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        return path

    def stored(self, folder: str | Path) -> "ArrayFile":
        """Return the source that opens what `save` writes."""
        path, names = self.save(folder).absolute(), {f.name for f in fields(SourceSettings)}
        several = None if "" in self.held.arrays else ",".join(self.held.arrays)
        return ArrayFile(path, key=several, **{name: getattr(self.settings, name) for name in names})


@dataclass(frozen=True)
class ArrayFileSettings(SourceSettings):
    """Of a file of arrays."""

    path: str | None = setting(None, PATH)
    """an .npy file, (n, c, *lengths), which stays on the disk; or an .npz file, which is read into memory"""
    key: str | None = setting(None)
    """which array of an .npz; several with commas between are parts of one example; null: x, or the first"""
    labels: str | None = setting(None, PATH)
    """which array of an .npz has the labels, or an .npy file of them; null: labels or y of the .npz"""
    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "masked", "encoder": "vit"}


class ArrayFile(Arrays):
    """The same from a file of NumPy's; nothing in it is unpickled. An .npy is mapped, not read into memory.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "series.npy"
    >>> np.save(path, np.zeros((20, 3, 50)))
    >>> ArrayFile(path).split("train")
    ArrayFile(series.npy, train: 18 examples, (3, 50))
    """

    Settings = ArrayFileSettings
    place = "path"
    taken = "an .npy or .npz file"

    def __init__(self, path: Any = None, /, **changes: Any) -> None:
        Source.__init__(self, path, **changes)

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.suffix.lower() in (".npy", ".npz") and path.is_file()

    def located(self) -> ArrayFileSettings:
        found: ArrayFileSettings = super().located()
        if found.labels is None or not _is_file(found.labels):
            return found
        return replace(found, labels=str(Path(found.labels).absolute()))

    def stored(self, folder: str | Path) -> "ArrayFile":
        return self

    @cached_property
    def held(self) -> Held:
        """All examples, as the file has them."""
        path, key = self.path, self.settings.key
        with _opened(path) as file:
            if file.read(2) != b"PK":
                if key is not None:
                    raise DataError(f"source.key={key}: {shown(path)} is one array without a name; leave the key out")
                found: Any = {}
                arrays = {"": _mapped(path)}
            else:
                file.seek(0)
                found = _tried(path, lambda: np.load(file, allow_pickle=False))
                names = [name.strip() for name in (key.split(",") if key is not None else [_first(found, path)])]
                arrays = {name if len(names) > 1 else "": _of(found, path, name) for name in names}
            labels, classes = self._labels(found, path)
        return checked(arrays, lambda name: f"{shown(path)}{f' ({name})' if name else ''}", labels, classes)

    def _labels(self, found: Any, path: Path) -> tuple[Any, Any]:
        name = self.settings.labels
        if name is not None and _is_file(name):
            return _mapped(Path(name)), None
        if name is not None and not found:
            raise DataError(f"source.labels={name}: {shown(path)} has one array; name an .npy file of labels")
        name = name or next((known for known in LABELS[:2] if known in found), None)
        classes = _of(found, path, "classes") if name == "labels" and "classes" in found else None
        return (None if name is None else _of(found, path, name)), classes


def _is_file(labels: str) -> bool:
    return labels.lower().endswith(".npy")


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise DataError(f"there is no file {shown(path)}" if not path.exists() else f"{shown(path)} is no regular file")
    return _tried(path, lambda: path.open("rb"))


def _mapped(path: Path) -> Any:
    _opened(path).close()
    return _tried(path, lambda: np.load(path, mmap_mode="r", allow_pickle=False))


def _first(found: Any, path: Path) -> str:
    names = [name for name in found if name not in LABELS]
    if not names:
        raise DataError(f"{shown(path)} has no array of examples")
    return "x" if "x" in names else names[0]


def _of(found: Any, path: Path, name: str) -> Any:
    if name not in found:
        raise DataError(f"{shown(path)} has no array {shown(name)}; it has {', '.join(map(shown, found))}")
    return _tried(path, lambda: found[name])


def _tried(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may bring about anything
        reason = str(error)
        if "(object) data" in reason:
            reason = "it does not begin like one"
        elif "bject" in reason:
            reason = "it holds Python objects, which are not unpickled"
        raise DataError(f"cannot read {shown(path)} as a file of NumPy's: {reason}") from error
