"""A lock on a folder, for as long as a process writes to it. The system lets go of it, however the process ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = ".lock"
WINDOWS = sys.platform == "win32"


class Taken(Exception):
    """Somebody else is writing to the folder; the text says who."""


@contextmanager
def writing(folder: str | Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; raise Taken at once if another process or thread has it.

    It is the file `.lock`, which is gone again at the end. One that a killed process left is no obstacle: what counts
    is the system's lock on it. Where the file system knows no locks, the folder is not protected.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with writing(folder):
    ...     try:
    ...         with writing(folder):
    ...             pass
    ...     except Taken as error:
    ...         print(str(error).replace(str(os.getpid()), "N"))
    process N
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    descriptor = _acquire(path)
    try:
        os.ftruncate(descriptor, 0)
        with suppress(OSError):  # a full disk: the name of the process is no more than a courtesy
            os.write(descriptor, f"process {os.getpid()}".encode())
        yield
    finally:
        if not WINDOWS:
            path.unlink(missing_ok=True)  # while it is held: whoever opens it now finds that it is no longer there
            os.close(descriptor)
        else:
            os.close(descriptor)
            with suppress(OSError):  # Windows keeps a file that somebody else has opened since
                path.unlink()


def _acquire(path: Path) -> int:
    """Open and lock the file; once more, if it was taken away in between by the one who had the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
            if WINDOWS or _is(path, descriptor):
                return descriptor
        except BlockingIOError:
            who = os.read(descriptor, 80).decode("utf-8", "replace")
            os.close(descriptor)
            raise Taken(who or "another process") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # a byte past the end: the others can read what is before it
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            return
