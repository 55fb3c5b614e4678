"""A share of the labels, of each class alike; what of it is learned from, and what chooses; batches that ask for it."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import NoSettings
from jepa.contracts import Array, Batch, Generators, Grid, Index, Source
from jepa.evaluation.split import Part, stratified, streamed
from jepa.finetuning.classifier import Classifier
from jepa.tasks.base import Task, chunked, kept_shape
from jepa.tasks.batches import Batches

MOST = 2000  # examples that choose the epoch, at most


def balanced(labels: NDArray[np.int64], size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw min(size, N) positions from labels (N,), ascending, as many of each class as there are, in turn.

    A larger draw of an equal generator contains a smaller one.

    >>> labels = np.array([0] * 90 + [1] * 10)
    >>> np.bincount(labels[balanced(labels, 12, np.random.default_rng(0))]).tolist()
    [6, 6]
    """
    shuffled = generator.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)  # the how-manieth of its class each is
    for label in np.unique(labels):
        mine = np.flatnonzero(labels[shuffled] == label)
        turn[mine] = np.arange(len(mine))
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:size]])


class Some:
    """Some examples of a source, in this order, as a source; one may occur several times."""

    def __init__(self, source: Source, rows: Index) -> None:
        self.source, self.rows = source, rows
        self.shape, self.classes, self.pictures = source.shape, source.classes, source.pictures
        self.names: Sequence[str] = [source.names[row] for row in rows]
        labels = source.labels
        self.labels = None if labels is None else labels[rows]

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Sequence[int] | Index, /) -> Array:
        return self.source.read(self.rows[np.asarray(indices, np.int64)])

    def normalize(self, x: Array, /) -> Array:
        return self.source.normalize(x)

    def split(self, part: str, /) -> "Some":
        return self

    def fingerprint(self) -> str:
        return hashlib.blake2b(self.rows.tobytes(), digest_size=16).hexdigest() + self.source.fingerprint()


class Share(NamedTuple):
    """A share of the labels: what is learned from, and what chooses the epoch whose weights are kept."""

    train: Some
    val: Some
    examples: int
    """that are learned from, each counted once"""

    @property
    def shape(self) -> Any:
        """Of one example."""
        return self.train.shape

    def split(self, part: str) -> Some:
        """Return the examples to learn from ("train"), or those that choose ("val")."""
        return self.train if part == "train" else self.val


def share_of(part: Part, share: float, validation: float, least: int, seed: int) -> Share:
    """Return a share of the labeled examples of a part, at least one of each class.

    validation: the share of them, each class in its own, that chooses; a class keeps one to learn from. least: how many
    examples an epoch has; fewer are repeated, each time changed anew.
    """
    labels = part.labels
    assert labels is not None, "there are labels"
    classes, generator = len(np.unique(labels)), np.random.default_rng([seed, 0])
    drawn = balanced(labels, max(round(share * len(labels)), classes), generator)
    count = min(round(validation * len(drawn)), len(drawn) - classes, MOST)
    choose = stratified(labels[drawn], count, generator=generator)
    learn = np.setdiff1d(np.arange(len(drawn)), choose)
    rows = part.kept[drawn]
    train = np.tile(rows[learn], -(-least // len(learn)))
    return Share(Some(part.source, train), Some(part.source, rows[choose]), len(learn))


class Changed(Task):
    """Whole examples, changed as a run's `augment` says: which class they are of is the question."""

    Settings = NoSettings

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return the changed examples; the question is put by `Asking`, which knows the labels."""
        (seen,) = chunked(self._changed, x, generators.examples)
        return Batch(seen, None, None, None)

    def _changed(self, x: Array, each: list[np.random.Generator]) -> tuple[Array]:
        x = kept_shape(self.whole, x, [self.whole.draw(g) for g in each])
        return (kept_shape(self.part, x, [self.part.draw(g) for g in each]),)


class Asking(Batches):
    """Batches that ask for the classes of their examples."""

    def batch(self, indices: Sequence[int] | Index, epoch: int = 0, number: int = 0, progress: float = 0.0) -> Batch:
        """Return the batch of these examples, `asked` their classes (n,)."""
        labels = self.source.labels
        assert labels is not None, "there are labels"
        return super().batch(indices, epoch, number, progress)._replace(asked=labels[np.asarray(indices, np.int64)])


class Tuning(NamedTuple):
    """The parts of a fine-tuning, in the place of `jepa.assembly.Assembly`."""

    source: Share
    task: Changed
    model: Classifier

    def batches(self, examples: Source, t: Any, *, seed: int, drop_last: bool = True, team: Any = None) -> Batches:
        """Return batches of the labeled examples; team: None, as `finetune` refuses several processes."""
        assert team is None, "several processes are refused"
        how = {"drop_last": drop_last, "prefetch": t.prefetch, "threads": t.threads}
        return Asking(examples, self.task, (), batch_size=t.batch_size, seed=seed, **how)

    def held_out(self, config: Any, examples: Some, limit: int | None = None) -> dict[str, Any]:
        """Return cross-entropy ("loss") and accuracy of the examples that choose; {} if there are none."""
        if not len(examples):
            return {}
        p = streamed(
            lambda x: self.model.probabilities(examples.normalize(x)), examples, range(len(examples)), "choosing"
        )
        own = np.maximum(p[np.arange(len(p)), examples.labels], 1e-12)
        hits = p.argmax(axis=1) == examples.labels
        return {"loss": float(-np.log(own).mean()), "parts": {"accuracy": float(hits.mean())}}
