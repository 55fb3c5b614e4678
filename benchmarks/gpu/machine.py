"""What the figures depend on: the GPU, its driver, and the versions of what runs on it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from benchmarks.gpu.device import begin
from benchmarks.gpu.report import Report

__all__ = ["run"]

PACKAGES = """numpy torch pillow matplotlib pyyaml tqdm safetensors threadpoolctl scikit-learn ml_dtypes pytest
    hypothesis""".split()


def run(report: Report, *, dry: bool, **_: Any) -> None:
    """Record it; fail if the GPU cannot be used."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    report.update(versions=versions, cores=os.cpu_count(), gpu="a stand-in on the CPU" if dry else _gpu())
    begin(dry)


def _gpu() -> dict[str, Any]:
    """Return what CuPy says of the first GPU."""
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    return {
        "name": properties["name"].decode(),
        "memory_gb": round(properties["totalGlobalMem"] / 2**30, 1),
        "multiprocessors": properties["multiProcessorCount"],
        "cupy": cupy.__version__,
        "driver": runtime.driverGetVersion(),
        "runtime": runtime.runtimeGetVersion(),
    }
