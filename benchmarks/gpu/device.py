"""The device that is measured: `cuda`; in a dry run the strict stand-in for CuPy bears that name."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Memory", "begin", "synchronize"]


def begin(dry: bool) -> None:
    """Make `cuda` usable, or raise a sentence that says why it is not."""
    if dry:
        from tests.minitensor import fake_cupy

        fake_cupy.as_cuda()
    import minitensor as mt

    mt.zeros(1, device="cuda")


def synchronize(dry: bool) -> None:
    """Wait until the GPU has done all that it was given, by either library."""
    if not dry:
        import cupy

        cupy.cuda.Device().synchronize()


class Memory:
    """The peak of what CuPy's pool has given out, in MB, while it is entered; nothing in a dry run."""

    peak = 0.0

    def __init__(self, dry: bool) -> None:
        self.dry = dry

    def __enter__(self) -> Memory:
        if not self.dry:
            import cupy

            memory, pool = self, cupy.get_default_memory_pool()

            class Hook(cupy.cuda.MemoryHook):  # type: ignore[misc]
                name = "peak"

                def malloc_postprocess(self, **kwargs: Any) -> None:
                    memory.peak = max(memory.peak, pool.used_bytes() / 2**20)

            pool.free_all_blocks()
            self.peak = pool.used_bytes() / 2**20
            self.hook = Hook()
            self.hook.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if not self.dry:
            self.hook.__exit__(*error)


def first_line(error: BaseException) -> str:
    """Return an error as one line of a readable length."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def largest(a: Any, b: Any) -> float:
    """Return the largest difference of two lists of arrays, as a share of the largest entry of each."""
    found = 0.0
    for x, y in zip(a, b, strict=True):
        if x is not None and x.size and x.dtype.kind in "fc" and np.isfinite(y).all():
            found = max(found, float(np.abs(x - y).max() / max(1.0, np.abs(y).max())))
    return found
