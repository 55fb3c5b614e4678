"""Examples that are held in arrays: parts of them, mean and deviation, and what is there of those with gaps."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jepa.contracts import Index
from jepa.errors import DataError
from jepa.sources.base import Scale, Source, as_floats, held_out, of_part, of_whole, scaled, spread
from jepa.sources.examples import chunks, measured, scale_of


class Rows(NamedTuple):
    """Which examples are in a part."""

    names: list[str]
    labels: NDArray[np.int64] | None
    rows: NDArray[np.int64]


class InMemory(Source):
    """Base of the sources whose examples are held in arrays: a subclass defines `held`.

    `held` has all examples, an array (n, c, *lengths) or several by name, and what is known about each. NaN in an
    example means that nothing is there: it is padding, or missing.
    """

    held: Any
    """all examples there are (`jepa.sources.examples.Held`)"""

    @of_part
    def content(self) -> Rows:
        """The rows of the part."""
        n, labels = len(next(iter(self.held.arrays.values()))), self.held.labels
        keys = np.random.default_rng(0).integers(2**63, size=n)  # of row i, however many follow
        order = spread(keys, labels)
        if self.part is None:
            rows = np.arange(n)
        elif self.held.parts is not None:
            rows = np.flatnonzero(self.held.parts == self.part)
        else:
            rows = held_out(order, self.part, self.settings.validation)
        if not len(rows) and self.held.parts is not None:
            raise DataError(f"there are no examples of the part {self.part!r}: add some, or leave the parts out")
        if not len(rows):
            raise DataError(f"{n} example cannot be divided into some to learn from and some held out: add more")
        if self.settings.limit is not None and self.settings.limit < len(rows):
            mine = spread(keys[rows], None if labels is None else labels[rows])
            rows = np.sort(rows[mine[: self.settings.limit]])
        names = self.held.names
        called = [str(k) if names is None else names[k] for k in rows.tolist()]
        return Rows(called, None if labels is None else labels[rows], rows)

    def split(self, part: str) -> Self:
        """Return the examples to learn from ("train") or those held out ("val"); they share what is held."""
        assert self._parts[None].held is not None  # read once, and not once for each part
        return super().split(part)

    def divided(self, parts: NDArray[np.str_]) -> Self:
        found = type(self)(self.settings)
        found.__dict__["held"] = self.held._replace(parts=parts)
        return found

    @property
    def shape(self) -> Any:
        """Of one example; of several arrays, by name."""
        return self._each(lambda x: x.shape[1:])

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return list(self.held.classes)

    @property
    def remarks(self) -> list[str]:
        return list(self.held.remarks)

    @of_whole
    def gaps(self) -> bool:
        """Whether NaN stands in some example."""
        return any(map(_has_gaps, self.held.arrays.values()))

    @of_whole
    def scale(self) -> Any:
        """Mean and deviation; by name of several arrays."""
        return self._each(self._scale)

    def _scale(self, x: NDArray[Any]) -> Scale:
        return scale_of(self.settings, x.shape[1], lambda: measured(x, self.split("train").content.rows))

    def _each(self, f: Callable[[NDArray[Any]], Any]) -> Any:
        arrays = self.held.arrays
        return f(arrays[""]) if "" in arrays else {name: f(x) for name, x in arrays.items()}

    def read(self, indices: Sequence[int] | Index) -> Any:
        rows = self.content.rows[np.asarray(indices, dtype=np.int64)]
        return self._each(lambda x: as_floats(x, rows))

    def normalize(self, x: Any) -> Any:
        if not isinstance(x, Mapping):
            return super().normalize(x)
        return {name: scaled(part, self.scale[name], self.held.arrays[name].ndim - 1) for name, part in x.items()}

    def fingerprint(self) -> str:
        mark, held = hashlib.blake2b(digest_size=16), self.held
        for name, x in held.arrays.items():
            mark.update(f"{name} {x.dtype.str} {x.shape}\0".encode())
            for chunk in chunks(x):
                mark.update(np.ascontiguousarray(x[chunk]).tobytes())
        mark.update(b"" if held.labels is None else held.labels.tobytes())
        mark.update(b"" if held.parts is None else np.asarray(held.parts, "U5").tobytes())
        mark.update("\0".join([*held.classes, *(() if self.part is None else self.names)]).encode())
        return mark.hexdigest()


def _has_gaps(x: NDArray[Any]) -> bool:
    return x.dtype.kind == "f" and any(bool(np.isnan(x[chunk]).any()) for chunk in chunks(x))
