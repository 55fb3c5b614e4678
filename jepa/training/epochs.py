"""The epochs of a run; and going on with it, over the examples that it learned from, or over others, knowingly."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import minitensor as mt
from jepa.config import TrainSettings
from jepa.contracts import Source
from jepa.errors import RunError
from jepa.files.mark import read_object
from jepa.parts import ROLES
from jepa.runs.checkpoint import read_checkpoint
from jepa.runs.folder import read_config


def fingerprint(train: Source, held_out: Source) -> dict[str, Any]:
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

    def longer(self, t: TrainSettings) -> Self:
        """Return the same epochs up to where these settings end."""
        first, epoch, length = self.pieces[-1]
        return self._replace(steps=_capped(first + (t.epochs - epoch) * length, t))


def fresh_epochs(t: TrainSettings, length: int) -> Epochs:
    """Return the epochs of a run over the same examples from its first step to its last, `length` steps each."""
    return Epochs([[0, 0, length]], _capped(t.epochs * length, t))


def _capped(steps: int, t: TrainSettings) -> int:
    return steps if t.max_steps is None else min(steps, t.max_steps)


def batch_size(t: TrainSettings, examples: int) -> int:
    """Return how many of so few examples make a batch: as many as asked for, or what there is for each step.

    >>> from jepa.config import TrainSettings
    >>> batch_size(TrainSettings(batch_size=128, accumulate=2), examples=54)
    27
    """
    size = min(t.batch_size, examples // t.accumulate)
    if size < 2:
        cure = f"lower train.accumulate to {examples // 2} or less" if examples > 3 else "add examples"
        step = f"step of train.accumulate={t.accumulate} batches, of 2 examples at least"
        raise RunError(f"{examples} training examples make no {step}: {cure}")
    return size


def limits(t: TrainSettings, per_epoch: int, steps: int) -> str:
    """Return the settings that have to be larger for a run to be longer.

    >>> from jepa.config import TrainSettings
    >>> limits(TrainSettings(epochs=2, max_steps=5), 10, 5), limits(TrainSettings(epochs=2), 10, 20)
    ('train.max_steps', 'train.epochs')
    """
    capped = ["train.max_steps"] if t.max_steps is not None and t.max_steps <= steps else []
    return " and ".join([*capped, *(["train.epochs"] if t.epochs * per_epoch <= steps or not capped else [])])


class Earlier:
    """A run that is gone on with from a checkpoint, and what its folder says of how it was trained.

    accept: go on over other examples than those.
    """

    def __init__(self, folder: Path, start: Path, *, accept: bool = False) -> None:
        self.folder, self.start, self.accept, self.differs = folder, start, accept, ""
        try:
            self.env: Mapping[str, Any] = read_object(folder / "env.json")
        except (OSError, ValueError):
            self.env = {}
        self.knows_examples = isinstance(self.env.get("examples"), dict)  # it is written down which they were

    def epochs(self, t: TrainSettings, length: int, examples: Mapping[str, Any]) -> Epochs:
        """Return the epochs of the run from its checkpoint on, over these examples, in epochs of `length` steps.

        Raises RunError if they are not those of the run, unless that is accepted: then what is left of the steps is
        gone through in epochs of the new length, and the schedules go on as they were.
        """
        self.differs = what_differs(self.env.get("examples"), examples)
        if self.differs and not self.accept:
            raise RunError(
                f"the examples of {self.folder} have changed: {self.differs}. Put them back as they were, or add "
                "--accept-changes to go on over these, with the schedule that the run had"
            )
        pieces: Any = self.env.get("epochs")
        steps = self.env.get("steps")
        if not (_are_pieces(pieces) and isinstance(steps, int)) or (len(pieces) == 1 and not self.differs):
            return fresh_epochs(t, length)
        before = read_config(self.folder, without=tuple(ROLES)).train
        epochs = Epochs(pieces, steps)
        if self.differs or pieces[-1][2] != length:
            epochs = epochs.changed(read_checkpoint(self.start)[1]["step"], length)
        return epochs if (before.epochs, before.max_steps) == (t.epochs, t.max_steps) else epochs.longer(t)

    def warnings(self, threads: int, processes: int = 1) -> Iterator[str]:
        """Yield a sentence for each thing that makes other bits than a run that was never stopped has."""
        before, kernels = self.env.get("threads"), self.env.get("kernels", mt.get_kernels())
        together = self.env.get("processes", 1)
        others: list[tuple[str, object, str]] = []
        if isinstance(before, int) and before != threads:
            others += [(f"{before} threads", threads, f"--threads {before}")]
        if isinstance(together, int) and together != processes:
            start = "without mpiexec" if together == 1 else f"mpiexec -n {together}"
            others += [(f"{together} process{'es' * (together > 1)}", processes, start)]
        if kernels != mt.get_kernels():
            variable = f"the environment variable MINITENSOR_KERNELS={kernels}"
            others += [(f"{kernels} kernels", f"{mt.get_kernels()} ones", variable)]
        for was, now, way in others:
            how = f"the results are as good, but not the same to the bit; {way} keeps them so"
            yield f"this run was trained with {was}, and goes on with {now}: {how}"
        if self.differs:
            yield f"the examples have changed: {self.differs}"


def _are_pieces(value: Any) -> bool:
    """Whether a value that was read is what `Epochs` was made of."""
    if not isinstance(value, list) or not all(isinstance(piece, list) and len(piece) == 3 for piece in value):
        return False
    whole = all(type(x) is int and 0 <= x < 1 << 60 for piece in value for x in piece)
    firsts = [piece[0] for piece in value]
    return whole and firsts[:1] == [0] and firsts == sorted(set(firsts)) and all(piece[2] > 0 for piece in value)
