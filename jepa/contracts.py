"""The contracts: what a source, a task, an encoder, a predictor, a target and an objective are to each other.

    source -- examples --> task -- seen, keep --> encoder -- tokens --> predictor -- predictions --> objective
                                -- true, asked --> target -- targets ------------------------------->

Letters in shapes: n examples; e contexts of each, v true ones of each; N places of an encoder's grid, K of them kept; S
sets of k targets; d numbers in a token. An implementation is found by its kind in `jepa.parts`; any object that keeps
the contract will do as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.several import size_of

Array = NDArray[np.float32]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
Grid = tuple[int, ...]


class Source(Protocol):
    """Examples of one shape, such as (c, h, w) or (c, t); of several arrays, dictionaries of shapes and of these."""

    shape: tuple[int, ...]
    """of one example"""
    labels: NDArray[np.int64] | None
    """(N,): positions in `classes`, -1 where an example has none; None: there are no labels"""
    classes: list[str]
    """names of the classes"""
    names: Sequence[str]
    """what each example is called in a table of embeddings or an error: a file, a row"""
    pictures: str
    """the module that draws an example (`jepa.pictures`); or a class of it, MODULE:CLASS, that is made of the source"""

    def __len__(self) -> int: ...

    def read(self, indices: Sequence[int] | Index, /) -> Array:
        """Return examples (n, *shape), an array of the caller's own, as augmentations take them."""

    def normalize(self, x: Array, /) -> Array:
        """Return examples (..., *shape), or parts of them, as a network sees them."""

    def split(self, part: str, /) -> Source:
        """Return the examples to learn from ("train") or those held out ("val")."""

    def fingerprint(self) -> str:
        """Return a hash that changes when the examples do."""


class Acting(Source, Protocol):
    """A source of examples (c, T, ...) with actions between the frames."""

    actions: Array
    """(N, T - 1, a), of the part: action t leads from frame t to frame t + 1"""


@runtime_checkable
class Gappy(Protocol):
    """What a source has besides, if it says whether there are gaps in its examples."""

    gaps: Any
    """whether NaN stands in some example: nothing is there"""


class Keep(NamedTuple):
    """Which places an encoder is given of each example."""

    index: Index  # type: ignore[assignment]
    """(n, e, K), in raster order of the grid"""
    valid: Flags | None = None
    """(n, e, K): False where an entry is padding; None: nothing is"""


class Asked(Protocol):
    """What of the true tokens is asked for: S sets of targets. The predictor is told this and nothing else.

    An implementation is a NamedTuple whose arrays have the examples on their first axis, so that threads can take a
    part each (`mt.data_parallel`).
    """

    def context(self, tokens: mt.Tensor, keep: Keep | None, /) -> tuple[mt.Tensor, Flags | None]:
        """Return what the predictor gets of the context: tokens (n e, K, d) as they are, or their mean (n e, 1, d).

        The second is which of them are no padding, (n e, K); None: all.
        """

    @property
    def whole(self) -> bool:
        """Whether each token of `context` stands for a view of its own; else all of them together for one."""

    @property
    def single(self) -> bool:
        """Whether an objective looks at how the tokens of `context` spread one by one, as those of so many examples."""

    def of(self, tokens: mt.Tensor, /) -> list[mt.Tensor]:
        """Return the true targets of each set: (n, v, N, d) -> S of (n, k, d)."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each set, how many targets an example has, padding too."""

    @property
    def valid(self) -> Sequence[Flags | None]:
        """Of each set, which targets are no padding, (n, k); None: all."""

    @property
    def level_weights(self) -> tuple[float, ...]:
        """Weights in the loss of sets that are levels, which the log tells apart; () of one kind, which count alike."""

    def rolled(self) -> Asked | None:
        """Return another example's question, the held-out control; None where all are asked the same."""


class Posed(Asked, Protocol):
    """A question that says how one view lies seen from the context, so that there is a way back from it."""

    def back(self) -> Posed:
        """Return the question that leads from the target to the context: that of the inverse pose."""

    @property
    def code(self) -> Array:
        """What the predictor is told, numbers (n, q)."""

    def named(self, code: Array, /) -> dict[str, Array]:
        """Return what a code (n, q), or an estimate of one, says: numbers (n, m) by name."""
        ...


class Batch(NamedTuple):
    """n examples and a question about each."""

    seen: Any
    """(n, *shape): what the context encoder sees, by name of several arrays; or views, a list of (n, v, *shape')"""
    keep: Keep | None
    """the places of it that the context encoder is given; None: all"""
    true: Any
    """(n, v, *shape): what the target encoder sees; None: the views that come first in `seen`, or that `keep` keeps"""
    asked: Any
    """`Asked`: what of it is to be predicted"""
    team: Any = None
    """the processes of which each has a part of it (`minitensor.team.Team`), this one too; None: it is whole"""

    @property
    def size(self) -> int:
        """The number n of examples."""
        return size_of(self.seen[0] if isinstance(self.seen, list) else self.seen)

    def changed(self, f: Callable[[Any], Any]) -> Batch:
        """Return the batch with f of all examples in it; of several arrays f takes them all, by name."""
        seen = [f(x) for x in self.seen] if isinstance(self.seen, list) else f(self.seen)
        return self._replace(seen=seen, true=None if self.true is None else f(self.true))


class Generators(NamedTuple):
    """What a task draws from: all that is random about an example from the example's own generator."""

    examples: list[np.random.Generator]
    """n of them: they depend on seed, epoch and example, not on the batch"""
    batch: np.random.Generator
    """for what a batch has in common, such as the size of its masks"""
    part: tuple[slice, int] | None = None
    """which rows of a batch the examples are, and how many it has; None: all"""


class Task(Protocol):
    """From examples to a question: crops, masked places, groups of them, views."""

    asks: ClassVar[type]
    """the class of `Asked` that its batches have"""
    places: ClassVar[bool]
    """it asks for tokens of single places, so that a probe may look at these too"""
    several: ClassVar[bool]
    """it can be asked of examples of several arrays by name, too"""
    gaps: ClassVar[bool]
    """it makes gaps (NaN) in examples, which takes an encoder that leaves them out"""
    measures: ClassVar[tuple[str, ...]]
    """further evaluations of it, by name (`jepa.evaluation.measures`)"""
    poses: ClassVar[bool]
    """its questions are `Posed`: a predictor may be led back, and a probe looks for the pose in pairs of features"""
    forecasts: ClassVar[bool]
    """it asks what comes next along the first axis, and `question(count, grid, steps)` asks so many steps ahead"""
    acts: ClassVar[bool]
    """it is told actions: `ask` is given {"frames": examples, "actions": (n, T - 1, a)}"""
    pictures: ClassVar[str]
    """the module that draws its questions and their answers (`jepa.pictures`)"""
    augment: Any
    """what it changes examples with (`jepa.transforms.augment.Augment`)"""

    @property
    def resizes(self) -> bool:
        """Whether it resizes parts of examples, so that they have other numbers than these had."""
        ...

    def check(self, shape: tuple[int, ...], grid: Grid, /) -> None:
        """Raise ConfigError if examples of this shape, or an encoder with this grid, cannot be asked."""

    def sees(self, shape: tuple[int, ...], grid: Grid, /) -> dict[str, tuple[int, ...]]:
        """Return what shapes other than the source's the encoders are given, by the setting that makes them so."""

    def ask(self, x: Array, grid: Grid, generators: Generators, /) -> Batch:
        """Return the batch of examples (n, *shape), with a question for an encoder with this grid."""

    def at(self, progress: float, /) -> Task:
        """Return the task as it is at a progress of 0 to 1: a setting NAME with a NAME_end moves to it linearly."""

    def values(self, progress: float, /) -> dict[str, float]:
        """Return the moving settings at a progress, by name, for the log."""


@runtime_checkable
class Encoder(Protocol):
    """From examples to one token for each place of a grid."""

    dim: int
    """numbers in a token"""
    grid: Grid
    """places along each axis: (8, 8), (64,), (4, 8, 8)"""

    def tokens(self, x: mt.Tensor, keep: Keep | None = None, /) -> mt.Tensor:
        """Return the tokens of the places that are kept: (n, *shape) -> (n e, K, dim), an example's contexts together.

        Without `keep` all of them, (n, N, dim). A class token never leaves the encoder. What is not kept has no
        influence on what is.
        """

    def pooled(self, x: mt.Tensor, pool: str = "mean", /) -> mt.Tensor:
        """Return one vector of an example, (n, *shape) -> (n, d): what a probe reads. `pools` lists the ways."""


@runtime_checkable
class Attentive(Protocol):
    """What an encoder has besides, if its tokens can look at one another."""

    def attention_maps(self, x: mt.Tensor, /) -> list[mt.Tensor]:
        """Return how each token looks at each other in each block, (n, heads, T, T); [] if none looks after all.

        The N places are the last of the T tokens, in raster order; what comes before them, such as a class token, has
        no place.
        """
        ...


@runtime_checkable
class Gapped(Protocol):
    """What an encoder has besides, if it takes examples with gaps."""

    def there(self, x: mt.Tensor, keep: Keep | None = None, /) -> Flags | None:
        """Return which of its tokens have anything behind them, (n e, K); None: there are no gaps."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """From the context's tokens, and what is asked, to the targets."""

    answers: ClassVar[tuple[type, ...]]
    """the classes of `Asked` that it understands"""
    dim: int
    """numbers in an embedding"""
    grid: Grid
    """places along each axis of the encoder that it was made for"""

    def check(self, task: Any, /) -> None:
        """Raise ConfigError if it cannot answer a task whose questions it understands, such as one of more levels."""

    def __call__(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Any, /) -> list[mt.Tensor]:
        """Return predictions of each set of targets, S of (n e, k, d), from tokens (n e, K, d)."""


@runtime_checkable
class DynamicsModel(Protocol):
    """What a predictor has besides, if it is told actions: a planner asks it what follows, an objective what led on."""

    actions: int
    """numbers in an action"""
    reads: Any
    """what `inverse` reads actions with; None: it has none"""

    def imagine(self, codes: mt.Tensor, actions: mt.Tensor, /) -> mt.Tensor:
        """Return the codes of the S frames that follow K known ones: (n, K, d), (n, K - 1 + S, a) -> (n, S, d)."""
        ...

    def inverse(self, before: mt.Tensor, after: mt.Tensor, /) -> mt.Tensor:
        """Return the actions that led from codes to the next ones: (..., d) each -> (..., a)."""
        ...


class Embeddings(NamedTuple):
    """What an objective compares, in the space of the loss; tokens that are padding are left out."""

    context: mt.Tensor
    """(n e, V, d): of each context, its mean; or of each example V views"""
    predictions: list[mt.Tensor]
    """S of (rows, k, d)"""
    targets: list[mt.Tensor]
    """S of (rows, k, d)"""
    level_weights: tuple[float, ...] = ()
    """of each set, in the loss, where the sets are levels; (): they are of one kind"""
    same: bool = False
    """the targets are made of the contexts' own embeddings"""
    returned: Sequence[mt.Tensor] = ()
    """sets of (n e, k, d): the context as it is predicted back from the predictions, if the objective `returns`"""
    acted: tuple[mt.Tensor, mt.Tensor] | None = None
    """actions as they are read out of two embeddings that follow one another, and true ones, (n, T - 1, a) each, if the
    objective `inverts`"""


class Objective(Protocol):
    """Draws predictions towards targets, and says itself what others need to know of it."""

    spreads: bool
    """it forbids constants by itself, so that a target may learn"""
    contrasts: bool
    """it compares each row with the others of its set, so that sets are not joined"""
    returns: bool
    """it compares the context with what is predicted back from the prediction, which takes a task that `poses`"""
    unrolls: bool
    """it compares embeddings of frames that follow one another, which takes a task that `acts`"""
    inverts: bool
    """it compares actions that are read out of two such embeddings with the true ones, by the predictor's `inverse`"""

    def lacks(self, target: Target, learns: bool, /) -> str:
        """Say what it needs not to collapse, and does not have, beside a predictor that learns or not; "": nothing."""
        ...

    def __call__(self, z: Embeddings, rng: np.random.Generator, /) -> dict[str, mt.Tensor]:
        """Return "loss", which is minimized; "distance", what prediction and target are apart; and parts by name."""


class Target(Protocol):
    """What makes the true tokens, and what keeps them from following the context encoder into a constant."""

    learns: bool
    """a gradient flows into it: only an objective that spreads forbids constants then"""
    lags: bool
    """it follows the context encoder from behind, which hinders constants even without a predictor"""

    def follow(self, branch: Any, /) -> None:
        """Take what this kind needs of the context's branch, once, when the learner is made."""

    def __call__(self, branch: Any, true: mt.Tensor, asked: Any, /) -> list[mt.Tensor]:
        """Return the targets of each set; `branch` is the context's encoder and projector."""

    def among(self, branch: Any, seen: Any, keep: Keep | None, z: mt.Tensor, asked: Any, /) -> mt.Tensor:
        """Return embeddings of what is seen, (n, V', d): those of the context itself, z (n, V, d), or this target's."""
        ...

    def branch(self, branch: Any, /) -> Any:
        """Return the encoder and projector that make the targets."""

    def update(self, branch: Any, step: int, steps: float, /) -> dict[str, float]:
        """Move after an optimizer step, counted from 0, of so many; return what the log should show."""

    def kept(self, steps: int, horizon: float, /) -> float:
        """Return the share of its first weights that are left after so many steps of a schedule of length `horizon`."""
