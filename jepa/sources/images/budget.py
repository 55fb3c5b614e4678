"""How many bytes of decoded images are kept, and in which folder."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from jepa.sources.images.listing import CACHE

UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
SIZE = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
SHARE = 4  # of the memory, one part in so many is kept if nothing is said
UNKNOWN = 8 << 30  # bytes of memory, where the system does not say


def in_bytes(text: str) -> int | None:
    """Return the bytes of a size in words; None of what is none.

    >>> in_bytes("2GB"), in_bytes("1.5 MiB"), in_bytes("0"), in_bytes("2 boxes")
    (2000000000, 1572864, 0, None)
    """
    found = SIZE.fullmatch(text)
    if found is None:
        return None
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** UNITS[unit.lower()])


def in_words(size: float) -> str:
    """Return a number of bytes as it is read.

    >>> in_words(614_400_000), in_words(2.5e9)
    ('614 MB', '2.5 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def memory() -> int:
    """Return the bytes of memory that this process may have: the machine's, or what its container is left."""
    found = [UNKNOWN]
    with suppress(AttributeError, ValueError, OSError):
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(path).read_text("utf-8")))
    return min(size for size in found if size > 0)


def budget(asked: str | None) -> int:
    """Return how many bytes are kept: as many as were asked for, or a share of the memory."""
    size = None if asked is None else in_bytes(asked)
    return memory() // SHARE if size is None else size


def place() -> Path:
    """Return the folder for what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(home):
        return Path(home) / CACHE
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")) / CACHE / "Cache"
    return Path(os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")) / CACHE
