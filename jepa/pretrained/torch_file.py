"""Reading the arrays of a PyTorch checkpoint without PyTorch, and without running the program that a pickle is.

`torch.save` writes a zip file: `data.pkl`, a pickle that says which tensors there are (`torch_pickle` beside this), and
`data/0`, `data/1`, ..., their bytes. A file may lie about all of it; how much is read and kept is bounded by its size.
"""

import math
import struct
import zipfile
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from jepa.errors import RunError
from jepa.pretrained.torch_pickle import STORAGES, Refused, StoredTensor, understood

LARGEST_PICKLE, LARGEST_DIRECTORY = 32 << 20, 8 << 20  # bytes; the largest published checkpoints have 1 MB
TIMES = 8  # as many bytes as a file has may be read and handed out in all: tensors may share their numbers
OLD_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the number that PyTorch before 1.6 wrote first
KINDS = {
    b"\x89HDF\r\n": "an HDF5 file, as Keras writes",
    b"\x93NUMPY": "a NumPy array",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"BZh": "a bzip2 file: unpack it first",
    b"\xfd7zXZ": "an xz file: unpack it first",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"<": "a page of HTML or XML, perhaps what a failed download left",
    b"version https://git-lfs": "a pointer of Git LFS, not the weights: fetch them with git lfs pull",
    b"\x08": "perhaps an ONNX model",
}
WANTED = "what was looked for is a checkpoint, a zip file of torch.save (.pth, .pth.tar, .bin)"
FOLDER = (
    ". A model of this project in that format is a folder, with config.json beside model.safetensors: name the folder"
)
CONVERTED = (
    ". Where PyTorch is, this line converts it, and refuses to run anything that is hidden in it: import torch; "
)
RUNS = ". A pickle runs whatever it likes when it is loaded: do not, if you do not trust it"


class TorchFile:
    """A checkpoint that `torch.save` wrote, opened without PyTorch. Nothing in it is executed.

    `content`: what was saved, with `StoredTensor` in place of tensors; `array` reads one, as long as the file is open
    (`with TorchFile(path) as file`). So the parts of a large file that nobody asks for are not read. Raises
    FileNotFoundError, and RunError for a file that is none, that is damaged, that names anything but dicts, lists,
    numbers, texts and tensors, or that asks for more memory than a file of its size needs.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        self._size = self.path.stat().st_size
        self._allowance = TIMES * self._size + (1 << 20)
        self._last: tuple[str, bytes] = "", b""
        self._zip = self._opened()
        names = self._zip.namelist()
        heads = [name for name in names if name.split("/")[1:] == ["data.pkl"] or name == "data.pkl"]
        if len(heads) != 1:
            raise RunError(f"{path} is a zip file, but none of torch.save: it has {len(heads)} data.pkl, not one")
        self._stem = heads[0].removesuffix("data.pkl")
        order = f"{self._stem}byteorder"
        self._order: Literal["<", ">"] = ">" if order in names and self._read(order) == b"big" else "<"
        self.content: Any = self._understood(heads[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def _opened(self) -> zipfile.ZipFile:
        """Open the zip file; its reader has many ways to stumble over a damaged one."""
        try:
            if not zipfile.is_zipfile(self.path):
                raise RunError(f"{self.path} is {kind_of_file(self.path)}")
            if _directory(self.path) > LARGEST_DIRECTORY:
                raise RunError(f"{self.path} is refused: the list of its entries is longer than any of torch.save")
            return zipfile.ZipFile(self.path)
        except RunError:
            raise
        except Exception as error:
            raise RunError(f"{self.path} is damaged: the list of its entries cannot be read ({error})") from error

    def _read(self, entry: str) -> bytes:
        """Return the bytes of an entry; compressed ones, which torch.save does not write, could be of any size."""
        if entry == self._last[0]:
            return self._last[1]
        try:
            info = self._zip.getinfo(entry)
            stored = info.compress_type == zipfile.ZIP_STORED
            if stored and info.file_size == info.compress_size <= self._size:
                self._spend(info.file_size)
                self._last = entry, self._zip.read(info)
                return self._last[1]
        except RunError:
            raise
        except Exception as error:  # the reader's, of entries that are encrypted, cut short, or somewhere else
            raise RunError(f"{self.path} is damaged: {entry} in it cannot be read") from error
        if stored:
            raise RunError(f"{self.path} is damaged: {entry} in it has more bytes than the file")
        raise RunError(f"{self.path} is refused: {entry} in it is compressed, which torch.save never does")

    def _spend(self, count: int) -> None:
        """Count the bytes that are read or handed out."""
        self._allowance -= count
        if self._allowance < 0:
            raise RunError(f"{self.path} is refused: its tensors take more than {TIMES} times the memory of the file")

    def _understood(self, entry: str) -> Any:
        program = self._read(entry)
        if len(program) > LARGEST_PICKLE:
            raise RunError(f"{self.path} is refused: its list of tensors has more than {LARGEST_PICKLE >> 20} MB")
        try:
            return understood(program)
        except Refused as error:
            why = f"its pickle {error}, which a file of weights does not need; nothing of it was run"
            raise RunError(f"{self.path} is refused: {why}") from error
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
            raise RunError(f"{self.path} is damaged: its list of tensors cannot be read ({error})") from error

    def array(self, tensor: StoredTensor) -> NDArray[Any]:
        """Return a tensor's numbers as an array of its own; bfloat16 as float32, which holds each of them exactly."""
        dtype = np.dtype(STORAGES[tensor.storage.kind]).newbyteorder(self._order)
        entry = f"{self._stem}data/{tensor.storage.key}"
        raw = self._read(entry)
        last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.size, tensor.stride, strict=True))
        count = math.prod(tensor.size)
        fits = min((tensor.offset, *tensor.size, *tensor.stride)) >= 0 and count <= tensor.storage.numel
        fits = fits and (count > 0 or math.prod(max(1, n) for n in tensor.size) < 1 << 31)
        if len(raw) != tensor.storage.numel * dtype.itemsize or not fits or (count and last >= tensor.storage.numel):
            raise RunError(f"{self.path} is damaged: a tensor of shape {tensor.size} does not fit into {entry}")
        self._spend(2 * count * dtype.itemsize)
        storage = np.frombuffer(raw, dtype)
        strides = tuple(s * dtype.itemsize for s in tensor.stride)
        view = np.empty(tensor.size, dtype)
        if count:
            view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.size, strides)
        if tensor.storage.kind == "BFloat16Storage":
            return (view.astype(np.uint32) << 16).view(np.float32)
        return np.array(view, dtype.newbyteorder("="), order="C")


def _directory(path: Path) -> int:
    """Return how many bytes the list of a zip file's entries has, by what its end says."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 22))
        end = file.read()
    at, long = end.rfind(b"PK\x05\x06"), end.rfind(b"PK\x06\x06")
    short = int.from_bytes(end[at + 12 : at + 16], "little")
    return int.from_bytes(end[long + 40 : long + 48], "little") if short == 0xFFFFFFFF and long >= 0 else short


def kind_of_file(path: Path) -> str:
    """Say what a file is that is no zip file, by its first bytes, and what helps.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.pth"
    >>> _ = path.write_bytes(b"GGUF....")
    >>> kind_of_file(path).partition(";")[0]
    'a GGUF file'
    """
    with open(path, "rb") as file:
        start = file.read(512)
    header, pickle = int.from_bytes(start[:8], "little"), start[:1] == b"\x80"
    call = f"torch.save(torch.load({path.name!r}, map_location='cpu', weights_only=True), 'converted.pth')"
    text = all(32 <= byte < 127 or byte in b"\r\n\t" for byte in start)
    kinds = [
        (not start, "empty", ""),
        (start[8:9] == b"{" and header < path.stat().st_size, "a safetensors file", FOLDER),
        (pickle and OLD_TORCH in start[:32], "in the format of PyTorch before 1.6", CONVERTED + call),
        (pickle, "a pickle", RUNS),
        (start[257:262] == b"ustar", "a tar archive", ""),
        *((start.startswith(magic), kind, "") for magic, kind in KINDS.items()),
        (text, "a text", ""),
        (True, "no zip file", ". It may also be cut short"),
    ]
    return next(f"{kind}; {WANTED}{way}" for is_it, kind, way in kinds if is_it)
