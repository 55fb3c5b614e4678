"""The results in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["lines"]


def lines(results: dict[str, Any]) -> list[str]:
    """Return a table of the parts: their status, their seconds, and what they found."""
    rows = []
    for name, part in results["parts"].items():
        said = ""
        try:
            said = SAYINGS.get(name, lambda part: "")(part)
        except (KeyError, IndexError, TypeError, ValueError):
            said = "with half of its results"
        rows.append(f"{name:9} {part['status']:12} {part.get('took', 0):6.1f} s  {part.get('why') or said}")
        if "error" in part:
            rows += ["    " + line for line in str(part["error"]).splitlines()[-4:]]
        wrong = part.get("failures") or part.get("failed")
        if isinstance(wrong, dict):
            rows += [f"    {case}: {why[:150]}" for case, why in list(wrong.items())[:20]]
            rows += [f"    and {len(wrong) - 20} more"] if len(wrong) > 20 else []
    return rows


def _machine(part: dict[str, Any]) -> str:
    gpu, versions = part["gpu"], part["versions"]
    name = gpu if isinstance(gpu, str) else f"{gpu['name']}, CuPy {gpu['cupy']}, driver {gpu['driver']}"
    return f"{name}, NumPy {versions['numpy']}, PyTorch {versions['torch']}, Python {versions['python']}"


def _ops(part: dict[str, Any]) -> str:
    return (
        f"{part['right']} of {part['run']} cases right ({part['cases']} in all), largest error "
        f"{part['largest_error']:.1e}, {len(part['failures'])} failures"
    )


def _tests(part: dict[str, Any]) -> str:
    return f"{part['tests']} tests, {len(part['failed'])} failed, {part['skipped']} skipped"


def _demo(part: dict[str, Any]) -> str:
    rows = [f"{probe} {_row(row)}" for probe, row in part["probes"].items()]
    return f"{part['steps']} steps, {part['examples_per_second']} images/s; {'; '.join(rows)}"


def _row(row: dict[str, float]) -> str:
    return ", ".join(f"{who} {100 * value:.1f} %" for who, value in row.items())


def _half(part: dict[str, Any]) -> str:
    speeds = ", ".join(f"{p} {part[p]['examples_per_second']} images/s" for p in ("float32", "float16"))
    apart = f"losses {part['first_apart']:.1e} apart at first, {part['largest_apart']:.1e} at most"
    return f"{apart}, scale {part['scaler']['scale']:g}; {speeds}"


def _steps(part: dict[str, Any]) -> str:
    said = []
    for step in (part[name] for name in ("vit", "cnn", "resnet") if name in part):
        if "error" in step:
            said.append(step["error"])
            continue
        megabytes = f"{step['megabytes']['ours']} MB to {step['megabytes'].get('torch', '-')}"
        apart = f", DISAGREES: {step['disagrees']}" if "disagrees" in step else ""
        time = f"{step['milliseconds']['ours'][0]:.1f} ms, {step['ratio']} of PyTorch's"
        said.append(f"{step['name']} {time}, {megabytes}{apart}")
    return "; ".join(said)


def _cifar10(part: dict[str, Any]) -> str:
    curve = [f"{e['loss']:.3f} / {100 * e.get('probe/linear', float('nan')):.1f} %" for e in part["epochs"]]
    return f"{part['examples_per_second']} images/s; loss and linear probe of each epoch: {', '.join(curve)}"


SAYINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "machine": _machine,
    "ops": _ops,
    "tests": _tests,
    "demo": _demo,
    "half": _half,
    "steps": _steps,
    "cifar10": _cifar10,
}
