"""Texts as a source: (1, length), the tokens of the words or bytes, and NaN behind the end."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, between, setting
from jepa.contracts import Index
from jepa.errors import DataError
from jepa.sources.base import Report, SourceSettings, of_whole
from jepa.sources.examples import Held
from jepa.sources.folders import has_mostly
from jepa.sources.memory import InMemory
from jepa.sources.texts.reading import Columns, Entry, has_texts, is_table, read, tables_in
from jepa.sources.texts.vocabulary import BYTES, Vocabulary, read_vocabulary, words_of
from jepa.text import listed, printable, shortened, shown

STORED = "vocabulary.txt"
WORDS = "vocabulary", ("words",)
COUNTED = 1024  # columns of the row of word counts


@dataclass(frozen=True)
class TextSettings(SourceSettings):
    """Of texts."""

    usual: ClassVar[Mapping[str, str]] = {"augment": "none", "task": "masked"}
    needs: ClassVar[Mapping[str, str]] = {"encoder": "words"}
    counts: ClassVar[Any] = dict.fromkeys(("words", "buckets", "dictionary"), WORDS)
    path: str | None = setting(None, PATH)
    """a folder of .txt files, each below the folder of its class; or a .csv, .tsv or .jsonl file with a text in each
    row; or a folder with such files of the parts, train.csv and test.csv"""
    val: str | None = setting(None, PATH)
    """file of the held-out rows, beside that of the rows to learn from; null: a share is held out"""
    text: str | None = setting(None)
    """column of the texts; null: the first that is called text, sentence, review, content or document"""
    label: str | None = setting(None)
    """column of the classes; null: the first that is called label, class, sentiment, category, language or target"""
    length: int = setting(64, between(2, 16_384))
    """tokens of a text that are read; what is behind them is left out"""
    vocabulary: Literal["words", "bytes"] = setting("words")
    """what a token stands for: a word or sign, or a byte of the text in UTF-8"""
    words: int = setting(8000, between(1, 1_000_000))
    """words that have a token of their own, the commonest of the texts to learn from (words)"""
    buckets: int = setting(256, between(1, 1_000_000))
    """tokens that all other words share, by a hash (words)"""
    dictionary: str | None = setting(None, PATH)
    """file of those words, one a line; null: they are counted, and a run keeps them (words)"""
    on_error: Literal["raise", "skip"] = setting("raise")
    """what a text that cannot be read does: stop, or be skipped and listed"""


class Read(NamedTuple):
    """What was read of all parts."""

    entries: list[Entry]
    failed: list[Entry]
    remarks: list[str]


class Text(InMemory):
    r"""Texts as tokens: (1, length) of whole numbers below `symbols`, NaN behind a text's end.

    A folder has .txt files, each of the class of the folder that it lies in, with parts train/ and val/ (or test/) or
    without; a table has a text and a class in each row. Words are counted in the texts to learn from alone.

    Raises DataError, naming file and line, for a table without such columns, what is no UTF-8, an empty text, and
    values of mixed types, unless source.on_error=skip leaves these out.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
    >>> _ = path.write_text("text,label\n" + "a good film .,yes\na bad film .,no\n" * 5)
    >>> source = Text(path, length=6, words=10, buckets=2)
    >>> source, source.symbols
    (Text(reviews.csv: 10 examples of 2 classes, (1, 6)), 268)
    >>> source.read([0])[0, 0].tolist(), source.shown(source.read([0])[0])
    ([97.0, 257.0, 256.0, 46.0, nan, nan], ['a', 'good', 'film', '.'])
    """

    Settings = TextSettings
    place = "path"
    pictures = "jepa.pictures.words:Words"
    raw_title = f"word counts, hashed to {COUNTED}"
    learned = ("vocabulary",)
    own = ("val",)
    methods = ("tfidf",)
    taken = "a .csv, .tsv or .jsonl file with a column of texts, a folder of .txt files"

    @classmethod
    def takes(cls, path: Path) -> bool:
        if path.is_dir():
            return bool(tables_in(path)) and has_texts(tables_in(path)["train"]) or has_mostly(path, (".txt",))
        return is_table(path) and has_texts(path)

    @classmethod
    def inspect(cls, path: Path) -> Report:
        return TextReport(cls(path, on_error="skip"))

    @property
    def symbols(self) -> int:
        """How many tokens there are: an example's numbers are below it."""
        s = self.settings
        return BYTES + s.words + s.buckets if s.vocabulary == "words" else BYTES

    @of_whole
    def found(self) -> Read:
        """All texts as they were read."""
        s = self.settings
        every, remarks = read(self.path, Columns(s.text, s.label), None if s.val is None else Path(s.val))
        failed = [entry for entry in every if entry.reason]
        if failed and s.on_error == "raise":
            first = f"{shown(self.path)}: {shown(failed[0].name)}: {failed[0].reason}"
            raise DataError(f"{first}; correct it, or set source.on_error=skip to leave such texts out")
        if len(failed) == len(every):
            raise DataError(f"{shown(self.path)}: none of its {len(every)} texts can be read: {failed[0].reason}")
        return Read([entry for entry in every if not entry.reason], failed, remarks)

    @cached_property
    def texts(self) -> list[str]:
        """The texts of the part, as they were read."""
        return [self.found.entries[k].text for k in self.content.rows]

    @cached_property
    def held(self) -> Held:
        """All texts, their words by number among `distinct`, or their bytes; -1 behind the end."""
        found, length = self.found, self.settings.length
        numbers, rows, longer = self.distinct, np.full((len(found.entries), 1, length), -1, np.int32), 0
        for k, entry in enumerate(found.entries):
            pieces = self.pieces(entry.text)
            longer += len(pieces) > length
            mine = [numbers[piece] if isinstance(piece, str) else piece for piece in pieces[:length]]
            rows[k, 0, : len(mine)] = mine
        named = sorted({entry.label for entry in found.entries if entry.label is not None})
        place = {name: k for k, name in enumerate(named)}
        labels = np.array([-1 if e.label is None else place[e.label] for e in found.entries], np.int64)
        parts = np.array([str(e.part) for e in found.entries]) if found.entries[0].part is not None else None
        said = f"{longer} texts have more than source.length={length} tokens: what is behind is not read"
        remarks = [*found.remarks, *([said] if longer else [])]
        return Held({"": rows}, labels if named else None, named, remarks, [e.name for e in found.entries], parts)

    def pieces(self, text: str) -> Sequence[str | int]:
        """Return the words of a text, or its bytes."""
        return words_of(text) if self.settings.vocabulary == "words" else text.encode("utf-8", "surrogatepass")

    @of_whole
    def distinct(self) -> dict[str, int]:
        """The number of each word that occurs, in the order of the texts."""
        found: dict[str, int] = {}
        for entry in self.found.entries if self.settings.vocabulary == "words" else ():
            for word in words_of(entry.text):
                found.setdefault(word, len(found))
        return found

    @of_whole
    def vocabulary(self) -> Vocabulary:
        """The words that have a token of their own."""
        s = self.settings
        if s.vocabulary == "bytes":
            return Vocabulary((), 0, 0)
        if s.dictionary is not None:
            return read_vocabulary(Path(s.dictionary), s.words, s.buckets)
        counts: Counter[str] = Counter()
        for text in self.split("train").texts:
            counts.update(words_of(text))
        return Vocabulary.of(counts, s.words, s.buckets)

    @of_whole
    def _tokens(self) -> NDArray[np.float32]:
        """The token of each number in `held`, NaN for the last, -1."""
        words = self.settings.vocabulary == "words"
        every = [self.vocabulary.token(word) for word in self.distinct] if words else list(range(BYTES))
        return np.array([*every, np.nan], np.float32)

    @property
    def gaps(self) -> bool:
        return True

    @property
    def scale(self) -> Any:
        return np.zeros(1), np.ones(1)

    def read(self, indices: Sequence[int] | Index) -> NDArray[np.float32]:
        rows = self.content.rows[np.asarray(indices, dtype=np.int64)]
        return np.asarray(self._tokens[self.held.arrays[""][rows]])

    def normalize(self, x: Any) -> Any:
        """Return examples as they are: tokens are names, and no measurements."""
        return x

    def raw(self, x: Any) -> NDArray[np.float32]:
        """Return how often each token occurs, as a share of an example's, those that are equal mod 1024 together."""
        there = ~np.isnan(x[:, 0])
        found = np.zeros((len(x), COUNTED), np.float32)
        row, _ = np.nonzero(there)
        np.add.at(found, (row, x[:, 0][there].astype(np.int64) % COUNTED), 1)
        return np.asarray(found / np.maximum(there.sum(axis=1, keepdims=True), 1), np.float32)

    def shown(self, x: Any) -> list[str]:
        """Return what the tokens of an example (1, length) stand for."""
        return [self.vocabulary.word(int(token)) for token in np.asarray(x)[0] if not np.isnan(token)]

    def stored(self, folder: str | Path) -> "Text":
        """Return a source that reads the same words as this one: they are kept in the folder."""
        if self.settings.vocabulary == "bytes":
            return self
        path = Path(folder) / STORED
        self.vocabulary.save(path)
        return type(self)(replace(self.settings, dictionary=str(path.absolute())))

    def located(self) -> TextSettings:
        found: TextSettings = super().located()
        names = ("val", "dictionary")
        whole: dict[str, Any] = {n: str(Path(v).absolute()) for n in names if (v := getattr(found, n)) is not None}
        return replace(found, **whole)

    @property
    def skipped(self) -> str:
        failed = self.found.failed
        what = listed(f"{entry.name} ({entry.reason})" for entry in failed)
        return f"skipped {len(failed):,} of {len(failed) + len(self.found.entries):,} texts: {what}" if failed else ""

    def fingerprint(self) -> str:
        words = "\0".join(self.distinct).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(super().fingerprint().encode() + words, digest_size=16).hexdigest()


class TextReport(Report):
    """What is in a folder or file of texts: lengths, words, and what cannot be read."""

    source: Text

    def lines(self) -> Any:
        yield from super().lines()
        source = self.source
        there = np.sort((source.held.arrays[""][:, 0] >= 0).sum(axis=1))
        every = [len(source.pieces(text)) for text in source.texts]
        low, middle, high = (int(v) for v in np.percentile(every, [0, 50, 100]))
        what, length = source.settings.vocabulary, source.settings.length
        yield f"{what} of a text: {low} to {high}, median {middle}; source.length={length} reads up to {there[-1]}"
        if what == "words":
            rare = np.mean([source.vocabulary.is_rare(word) for word in source.distinct])
            yield f"{len(source.distinct):,} different words, of which {100 * rare:.0f} % share source.buckets"

    @property
    def bad(self) -> list[str]:
        return [
            f"{printable(entry.name)}: {shortened(printable(entry.reason), 200)}" for entry in self.source.found.failed
        ]
