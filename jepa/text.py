"""Text that comes from outside (names of files and classes, messages of other libraries), made fit to be shown."""

from __future__ import annotations

import re

__all__ = ["printable", "shortened"]

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
