"""What goes wrong for a user: the text of each of these errors is one finished sentence."""

import struct
import sys
import zlib

from jepa.text import printable, shortened

LONGEST = 1500  # characters of a sentence on the terminal


class JEPAError(Exception):
    """Base of the errors that a user can do something about; the command line prints them without a traceback."""


class ConfigError(JEPAError):
    """A setting that does not exist, has the wrong type, or cannot work."""


class DataError(JEPAError):
    """A folder or an image that cannot be read or written."""


class RunError(JEPAError):
    """A run folder or checkpoint that is missing, damaged, in the way, or of another run."""


def sentence(error: BaseException) -> str | None:
    r"""Return the one sentence, fit for a terminal, that says what a user has to know of an error; None of a bug.

    Ours and the engine's have it. Of the system's (files, memory, threads) and of other libraries', which an odd file
    can bring about, it is made here.

    >>> sentence(DataError("no images in \x1b[31mred"))
    'no images in \\x1b[31mred'
    >>> sentence(ZeroDivisionError())
    """
    text = _said(error)
    if text is None:
        return None
    return shortened(printable("; ".join([text, *getattr(error, "__notes__", [])])), LONGEST)


def _said(error: BaseException) -> str | None:
    engine = sys.modules.get("minitensor.errors")
    ours = (JEPAError,) if engine is None else (JEPAError, engine.DeviceError, engine.DamagedFileError)
    if isinstance(error, ours):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            f"there is not enough memory{f' ({error})' if str(error) else ''}: a smaller train.batch_size, a smaller "
            "model or fewer examples need less"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"cannot read or write {error.filename or 'a file'}: {error.strerror}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "the system allows no more threads: --threads 1 train.threads=1 train.prefetch=0 needs the fewest"
    if isinstance(error, RecursionError):
        return "something that was read is nested too deeply"
    if isinstance(error, UnicodeError):
        return f"a text cannot be read or written: {error}"
    if isinstance(error, zlib.error | struct.error | EOFError):
        return f"a file that was read is damaged: {error}"
    return None
