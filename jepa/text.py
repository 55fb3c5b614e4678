"""Text that comes from outside (names of files and classes, messages of other libraries), made fit to be shown."""

import os
import re
from collections.abc import Iterable, Sequence

# Controls (escape sequences begin with one), line and paragraph separators, what turns the direction of writing, and
# the halves of characters that stand for the bytes of a file name that is no UTF-8.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, keep: str = "") -> str:
    r"""Return the text with what a terminal would obey, or cannot show, written out; characters in `keep` stay.

    >>> print(printable("red \x1b[31m.png"), printable("two\nlines", keep="\n"))
    red \x1b[31m.png two
    lines
    """
    return _ODD.sub(lambda m: m[0] if m[0] in keep else m[0].encode("unicode_escape").decode(), text)


def shortened(text: str, limit: int) -> str:
    """Return at most about `limit` characters of a text: its beginning, and its end, where the advice stands.

    >>> shortened("a" * 50 + "b" * 50, 20)
    'aaaaaaaaaaaaaa [... 80 characters ...] bbbbbb'
    """
    if len(text) <= limit + 30:
        return text
    tail = limit // 3
    return f"{text[: limit - tail]} [... {len(text) - limit} characters ...] {text[-tail:]}"


def shown(name: str | os.PathLike[str]) -> str:
    r"""Return the name of a file or folder as it can stand in a sentence.

    >>> print(shown("a\nb\udcff.png"))
    a\nb\udcff.png
    """
    return shortened(printable(os.fspath(name)), 200)


def listed(names: Iterable[str], most: int = 10) -> str:
    """Return names in a row; of many only the first.

    >>> listed(map(str, range(600)), most=3)
    '0, 1, 2 and 597 more'
    """
    every = list(names)
    return ", ".join(map(shown, every[:most])) + (f" and {len(every) - most:,} more" if len(every) > most else "")


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Name the nearest word; for settings also by the last part alone: `lr` means `optimizer.lr`.

    >>> did_you_mean("optim.lrr", ["optimizer.lr", "train.epochs"]), did_you_mean("xyz", ["optimizer.lr"])
    (" Did you mean 'optimizer.lr'?", '')
    """
    from difflib import get_close_matches

    words, word = list(words), word[:100]
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    if not near:
        last = {w.rpartition(".")[2]: w for w in reversed(words)}
        near = [last[n] for n in get_close_matches(word.rpartition(".")[2], last, n=1, cutoff=0.7)]
    return f" Did you mean {near[0]!r}?" if near else ""


def cell(text: str) -> str:
    """Return a text as a cell of a table that a spreadsheet takes for text, not for a formula: with an apostrophe.

    >>> cell("=HYPERLINK(1)"), cell("cat"), cell("-3")
    ("'=HYPERLINK(1)", 'cat', "'-3")
    """
    text = printable(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "|", "%") or text[:1].isspace() else text


def by_x(lengths: Sequence[int]) -> str:
    """Return lengths in words.

    >>> by_x((24, 32)), by_x((128,))
    ('24 x 32', '128')
    """
    return " x ".join(map(str, lengths))
