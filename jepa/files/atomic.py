"""Writing a file so that a reader sees the old one or the new one, never half of one."""

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)(-[0-9a-f]{16})?\.tmp")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a new temporary file beside `path` to write to; put it in the place of `path` if the block ends well.

    The folder is made if need be. The temporary name cannot be guessed, is never an existing file's or link's, and ends
    in `.tmp`: writers that look at the suffix are given an open file, or told the format. Who may read it is for the
    umask to say. A full disk and its like are named with `path`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [(path.name, path.read_text()) for path in folder.iterdir()]
    [('a.txt', 'whole')]
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:50]}.{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:
        temporary.open("xb").close()  # "x": new, through no link
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is None or error.filename not in (None, temporary, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: str | Path, text: str) -> None:
    r"""Write a text file, UTF-8, whole or not at all; the bytes of a name that is no UTF-8 come as \udc80 to \udcff."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def sweep(folder: Path, ours: Callable[[str], bool], *, alone: bool = False) -> None:
    """Delete the temporary files of `replacing` and `mt.save` that a killed process left in a folder.

    Those of files whose name is `ours`, and whose process has ended; `alone`: of any process, because nobody else can
    be writing.
    """
    for path in folder.glob(".*.tmp") if folder.is_dir() else ():
        found = _TEMPORARY.fullmatch(path.name)
        if found and ours(found["name"]) and path.is_file() and (alone or not _lives(int(found["process"]))):
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Whether a process runs, as far as can be told."""
    if os.name != "posix":
        return True  # a signal would end it there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
