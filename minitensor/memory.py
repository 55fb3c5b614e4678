"""Telling the allocator that a training step frees the arrays that the next step asks for again."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
LARGEST = 1 << 30  # bytes


def keep_freed_memory() -> bool:
    """Let the process keep memory that arrays have freed, for the next ones; return whether the C library does.

    By default glibc gives an array of some megabytes back to the system when it is freed, and every page of the next
    one has to be mapped and cleared anew: an eighth of a vision transformer's step. It is a setting of the whole
    process, so a program calls it, not a library when it is imported. Other C libraries than glibc are left as they
    are (False).

    Reference: mallopt(3). Differs from PyTorch: it has an allocator of its own, on the GPU.

    >>> keep_freed_memory() in (True, False)
    True
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # absent elsewhere, where these numbers mean nothing
        return bool(library.mallopt(M_MMAP_THRESHOLD, LARGEST) and library.mallopt(M_TRIM_THRESHOLD, LARGEST))
    except (OSError, AttributeError, TypeError):
        return False
