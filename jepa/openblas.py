"""What OpenBLAS, NumPy's library for matrix products, has to be told before NumPy loads it: nothing here does."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["choose_kernels", "misses_avx512"]

WIDE = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}  # what its SkylakeX kernels are made of
CPUINFO = Path("/proc/cpuinfo")


def misses_avx512(cpuinfo: str) -> bool:
    r"""Whether this is an AMD processor with AVX-512, given the text of /proc/cpuinfo.

    OpenBLAS picks its kernels by a table of models, in which new ones are missing: those run with half the width of
    their registers, and matrix products take twice the time. Intel's are told by what they can do.

    >>> misses_avx512("vendor_id : AuthenticAMD\nflags : fpu avx2")
    False
    """
    lines = dict(line.split(":", 1) for line in cpuinfo.partition("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value for key, value in lines.items()}
    return fields.get("vendor_id", "").strip() == "AuthenticAMD" and WIDE <= {*fields.get("flags", "").split()}


def choose_kernels() -> None:
    """Set OPENBLAS_CORETYPE=SkylakeX on such a processor, unless it is set; it counts where NumPy is not loaded yet."""
    if "OPENBLAS_CORETYPE" in os.environ or not CPUINFO.exists():
        return
    if misses_avx512(CPUINFO.read_text()):
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
