"""Public data sets: downloaded, checked, unpacked and brought into what the sources read."""

from jepa.downloads.sets import SETS, get

__all__ = ["SETS", "get"]
