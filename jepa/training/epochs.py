"""Which examples a run learned from, so that it does not go on over others without a word; and its epochs."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Self


def fingerprint(train: Any, held_out: Any) -> dict[str, Any]:
    """Return how many examples are learned from and held out, and a hash of both parts."""
    mark = hashlib.blake2b(f"{train.fingerprint()}\n{held_out.fingerprint()}".encode(), digest_size=16)
    return {"train": len(train), "held_out": len(held_out), "hash": mark.hexdigest()}


def what_differs(before: Any, now: Mapping[str, Any]) -> str:
    """Say how the examples differ from those that a run was trained on; empty if they do not, or nobody knows.

    >>> what_differs({"train": 9, "held_out": 1, "hash": "a"}, {"train": 9, "held_out": 1, "hash": "b"})
    '9 training and 1 held-out examples as before, but some are others'
    """
    if not isinstance(before, dict) or before.get("hash") in (None, now["hash"]):
        return ""
    counts = f"{now['train']} training and {now['held_out']} held-out examples"
    if all(before.get(part) == now[part] for part in ("train", "held_out")):
        return f"{counts} as before, but some are others"
    return f"{counts} now, {before.get('train')} and {before.get('held_out')} before"


class Epochs(NamedTuple):
    """Which epoch a step belongs to, of a run whose examples may have changed on the way.

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

    def changed(self, step: int, length: int) -> Self:
        """Return the epochs of a run that goes on from a step over examples that make epochs of another length."""
        kept = [piece for piece in self.pieces if piece[0] <= step]
        epoch, begin, _ = self._replace(pieces=kept, steps=step + 1).at(step)
        kept = [piece for piece in kept if piece[0] < step]
        return self._replace(pieces=[*kept, [step, epoch + (step > begin), length]])

    def longer(self, t: Any) -> Self:
        """Return the same epochs up to where these settings end."""
        first, epoch, length = self.pieces[-1]
        return self._replace(steps=_capped(first + (t.epochs - epoch) * length, t))


def fresh_epochs(t: Any, length: int) -> Epochs:
    """Return the epochs of a run over the same examples from its first step to its last, `length` steps each."""
    return Epochs([[0, 0, length]], _capped(t.epochs * length, t))


def _capped(steps: int, t: Any) -> int:
    return steps if t.max_steps is None else min(steps, t.max_steps)


def limits(t: Any, per_epoch: int, steps: int) -> str:
    """Return the settings that have to be larger for a run to be longer.

    >>> from jepa.config import TrainSettings
    >>> limits(TrainSettings(epochs=2, max_steps=5), 10, 5), limits(TrainSettings(epochs=2), 10, 20)
    ('train.max_steps', 'train.epochs')
    """
    capped = ["train.max_steps"] if t.max_steps is not None and t.max_steps <= steps else []
    return " and ".join([*capped, *(["train.epochs"] if t.epochs * per_epoch <= steps or not capped else [])])
