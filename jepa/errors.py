"""What goes wrong for a user: the text of each of these errors is one finished sentence."""

from __future__ import annotations

__all__ = ["ConfigError", "DataError", "JEPAError", "RunError"]


class JEPAError(Exception):
    """Base of the errors that a user can do something about; the command line prints them without a traceback."""


class ConfigError(JEPAError):
    """A setting that does not exist, has the wrong type, or cannot work."""


class DataError(JEPAError):
    """A folder or an image that cannot be read or written."""


class RunError(JEPAError):
    """A run folder or checkpoint that is missing, damaged, in the way, or of another run."""
