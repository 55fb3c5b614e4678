"""Which images a run learned from, so that it does not go on over others without a word; and its epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Epochs", "fingerprint", "what_differs"]


def fingerprint(train: Any, held_out: Any) -> dict[str, Any]:
    """Return how many images are learned from and held out, and a hash of their names below the folder and their sizes.

    Another place of the same folder gives the same; an image that was added, taken away, renamed or replaced by one of
    another size does not.
    """
    mark = hashlib.blake2b(digest_size=16)
    for part, images in (("train", train), ("val", held_out)):
        for path in images.paths:
            name = Path(path).relative_to(images.root).as_posix().encode("utf-8", "surrogateescape")
            mark.update(b"%s\0%s\0%d\n" % (part.encode(), name, Path(path).stat().st_size))
    return {"train": len(train.paths), "held_out": len(held_out.paths), "hash": mark.hexdigest()}


def what_differs(before: Any, now: Mapping[str, Any]) -> str:
    """Say how the images differ from those that a run was trained on; empty if they do not, or nobody knows.

    >>> what_differs({"train": 9, "held_out": 1, "hash": "a"}, {"train": 9, "held_out": 1, "hash": "b"})
    '9 training and 1 held-out images as before, but some have other names or sizes'
    """
    if not isinstance(before, dict) or before.get("hash") in (None, now["hash"]):
        return ""
    counts = f"{now['train']} training and {now['held_out']} held-out images"
    if all(before.get(part) == now[part] for part in ("train", "held_out")):
        return f"{counts} as before, but some have other names or sizes"
    return f"{counts} now, {before.get('train')} and {before.get('held_out')} before"


class Epochs(NamedTuple):
    """Which epoch a step belongs to, of a run whose images may have changed on the way.

    `pieces` are (first step, first epoch, steps in an epoch), from the first on; `steps` is where training ends.

    >>> epochs = Epochs([[0, 0, 10], [25, 3, 4]], 40)
    >>> epochs.at(24), epochs.at(25), epochs.at(30), epochs.last
    ((2, 20, 25), (3, 25, 29), (4, 29, 33), 7)
    """

    pieces: list[list[int]]
    steps: int

    def at(self, step: int) -> tuple[int, int, int]:
        """Return the epoch of a step, the epoch's first step, and the first one after it."""
        number = max(k for k, piece in enumerate(self.pieces) if piece[0] <= step)
        first, epoch, length = self.pieces[number]
        begin = first + (step - first) // length * length
        later = self.pieces[number + 1][0] if number + 1 < len(self.pieces) else self.steps
        return epoch + (step - first) // length, begin, min(begin + length, later)

    @property
    def last(self) -> int:
        """The number of epochs."""
        return self.at(self.steps - 1)[0] + 1

    def changed(self, step: int, length: int) -> Epochs:
        """Return the epochs of a run that goes on from a step over images that make epochs of another length."""
        kept = [piece for piece in self.pieces if piece[0] <= step] or self.pieces[:1]
        epoch, begin, _ = Epochs(kept, step + 1).at(step)
        if kept[-1][0] == step:
            kept = kept[:-1]
            return Epochs([*kept, [step, epoch, length]], self.steps)
        return Epochs([*kept, [step, epoch + (step > begin), length]], self.steps)
