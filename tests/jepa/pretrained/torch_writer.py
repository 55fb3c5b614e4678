"""PyTorch's files, written by hand, and a checkpoint as I-JEPA's code saves it."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.encoders import ViT


class TorchWriter:
    """Writes a zip file as torch.save does: protocol 2, one storage for each array."""

    kinds = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "u2": "BFloat16", "b1": "Bool"}

    def __init__(self) -> None:
        self.storages: list[bytes] = []

    def text(self, s: str) -> bytes:
        return b"X" + struct.pack("<I", len(s.encode())) + s.encode()

    def value(self, x: Any) -> bytes:
        if isinstance(x, bytes):
            return x  # instructions, as they are
        if isinstance(x, dict):
            return b"ccollections\nOrderedDict\n)R(" + b"".join(self.value(v) for kv in x.items() for v in kv) + b"u"
        if isinstance(x, str):
            return self.text(x)
        if isinstance(x, float):
            return b"G" + struct.pack(">d", x)
        if isinstance(x, int):
            return b"J" + struct.pack("<i", x)
        if isinstance(x, tuple):
            return b"(" + b"".join(map(self.value, x)) + b"t"
        return self.tensor(x)

    def tensor(self, x: np.ndarray, numel: int | None = None, size: Any = None, stride: Any = None) -> bytes:
        self.storages.append(x.tobytes())
        kind = f"ctorch\n{self.kinds[x.dtype.str[1:]]}Storage\n".encode()
        key, steps = str(len(self.storages) - 1), tuple(s // x.itemsize for s in x.strides)
        storage = self.value(("storage", kind, key, "cuda:0", x.size if numel is None else numel)) + b"Q"
        head = (storage, 0, x.shape if size is None else size, steps if stride is None else stride, b"\x89")
        return b"ctorch._utils\n_rebuild_tensor_v2\n" + self.value((*head, b"ccollections\nOrderedDict\n)R")) + b"R"

    def write(self, path: Path, x: Any, compression: int = zipfile.ZIP_STORED) -> Path:
        with zipfile.ZipFile(path, "w", compression) as file:
            file.writestr("archive/data.pkl", b"\x80\x02" + self.value(x) + b".")
            for key, raw in enumerate(self.storages):
                file.writestr(f"archive/data/{key}", raw)
        return path


def small(shape: tuple[int, ...] = (3, 12, 12), **changes: Any) -> ViT:
    """A vision transformer of a published dim."""
    mt.manual_seed(3)
    return ViT(shape, **{"patch": 4, "dim": 192, "depth": 2, "heads": 3, **changes})


def checkpoint(encoder: ViT) -> dict[str, Any]:
    """What I-JEPA's code saves: parts with the prefix of distributed training, and the state of the training."""
    state = {f"module.{name}": x for name, x in encoder.state_dict().items()}
    target = {name: x * 2 for name, x in state.items()}
    return {"encoder": state, "predictor": {}, "opt": {"lr": 0.1}, "target_encoder": target, "epoch": 3, "loss": 0.5}
