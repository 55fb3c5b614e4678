"""Going on with a run: over the examples that it learned from, or over others, knowingly, with the schedule it had."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import minitensor as mt
from jepa.errors import RunError
from jepa.files.mark import read_object
from jepa.parts import ROLES
from jepa.runs.checkpoint import step_of
from jepa.runs.folder import read_config
from jepa.training.epochs import Epochs, fresh_epochs, what_differs


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

    @property
    def knows_examples(self) -> bool:
        """Whether it is written down which examples they were."""
        return isinstance(self.env.get("examples"), dict)

    def epochs(self, t: Any, length: int, examples: Mapping[str, Any]) -> Epochs:
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
            epochs = epochs.changed(step_of(self.start), length)
        return epochs if (before.epochs, before.max_steps) == (t.epochs, t.max_steps) else epochs.longer(t)

    def warnings(self, threads: int) -> Iterator[str]:
        """Yield a sentence for each thing that makes other bits than a run that was never stopped has."""
        before = self.env.get("threads")
        if isinstance(before, int) and before != threads:
            yield (
                f"this run was trained with {before} threads, and goes on with {threads}: the results are as good, but "
                f"not the same to the bit; --threads {before} keeps them so"
            )
        kernels = self.env.get("kernels", mt.get_kernels())
        if kernels != mt.get_kernels():
            yield (
                f"this run was trained with {kernels} kernels, and goes on with {mt.get_kernels()} ones: the results "
                f"are as good, but not the same to the bit; "
                f"the environment variable MINITENSOR_KERNELS={kernels} keeps them so"
            )
        if self.differs:
            yield f"the examples have changed: {self.differs}"


def _are_pieces(value: Any) -> bool:
    """Whether a value that was read is what `Epochs` was made of."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(piece, list) and len(piece) == 3 for piece in value)
        and all(type(x) is int and 0 <= x < 1 << 60 for piece in value for x in piece)
        and all(piece[2] > 0 for piece in value)
        and value[0][0] == 0
        and all(a[0] < b[0] for a, b in zip(value, value[1:], strict=False))
    )
