"""Texts as tokens: words, the commonest with a number of their own and the rest in buckets by a hash; or bytes."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from jepa.errors import DataError
from jepa.files.atomic import write_text
from jepa.text import shown

BYTES = 256  # the first tokens: those of bytes, and of words of one ASCII character
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
HEAD = "# the commonest words of a vocabulary of jepa, one a line"


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text, in small letters.

    >>> words_of("It's GOOD, isn't it?")
    ["it's", 'good', ',', "isn't", 'it', '?']
    """
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """From words to tokens, and back.

    A word of one ASCII character has its byte, so that a sentence ends with the same token in words and in bytes; one
    of the `common` words has 256 + its place among them; any other has the bucket of its CRC-32, behind the places that
    there are for common words (`most`). So there are 256 + most + buckets tokens, whatever the texts.

    >>> vocabulary = Vocabulary(("good", "film"), most=4, buckets=2)
    >>> tokens = [vocabulary.token(word) for word in ("good", "film", ".", "abracadabra")]
    >>> tokens, [vocabulary.word(token) for token in tokens], vocabulary.size
    ([256, 257, 46, 261], ['good', 'film', '.', '[rare 1]'], 262)
    """

    common: tuple[str, ...]
    most: int
    buckets: int
    places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {word: BYTES + k for k, word in enumerate(self.common)})

    @classmethod
    def of(cls, counts: Counter[str], most: int, buckets: int) -> "Vocabulary":
        """Return the vocabulary of the words that occur most often, and at least twice; of equal ones the first."""
        ranked = sorted((-n, word) for word, n in counts.items() if n > 1 and not _is_byte(word))
        return cls(tuple(word for _, word in ranked[:most]), most, buckets)

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return BYTES + self.most + self.buckets

    def token(self, word: str) -> int:
        """Return the token of a word."""
        if _is_byte(word):
            return ord(word)
        found = self.places.get(word)
        if found is not None:
            return found
        return BYTES + self.most + zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.buckets

    def is_rare(self, word: str) -> bool:
        """Whether a word shares its token with others."""
        return self.token(word) >= BYTES + self.most

    def word(self, token: int) -> str:
        """Return what a token stands for, as it can be shown."""
        if token < BYTES:
            return chr(token) if 32 <= token < 127 else f"[{token}]"
        k = token - BYTES
        return self.common[k] if k < len(self.common) else f"[rare {k - self.most}]"

    def save(self, path: Path) -> None:
        """Write the common words, one a line, the commonest first."""
        write_text(path, "\n".join([HEAD, *self.common]) + "\n")


def _is_byte(word: str) -> bool:
    return len(word) == 1 and ord(word) < 128


def read_vocabulary(path: Path, most: int, buckets: int) -> Vocabulary:
    """Return the vocabulary of a file of words, one a line; DataError if it cannot be read or has more than `most`."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is no UTF-8 text (byte {error.start})"
        how = f"a run keeps its own: set source.dictionary=RUN/{path.name} if it has moved"
        raise DataError(f"cannot read the vocabulary {shown(path)}: {reason}; {how}") from error
    words = tuple(dict.fromkeys(line for line in lines if line and line != HEAD))
    if len(words) > most:
        raise DataError(f"the vocabulary {shown(path)} has {len(words):,} words: set source.words={len(words)} or more")
    return Vocabulary(words, most, buckets)
