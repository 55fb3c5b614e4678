"""Data sets of many files: how soon training begins, what it takes of memory, and how fast images come, beside PyTorch.

Two folders are made: 200,000 PNG files of 32 x 32 pixels in 100 classes, and 3,000 JPEG files of 1500 x 1000 in ten,
brought to 96 x 96. Of each: `python -m jepa train` from a cold start and once more, until its first line of metrics;
the largest memory of it and its processes; the share of a training in which it waits for batches, with decoded images
kept and without; and images per second, opening included, beside PyTorch's DataLoader over an ImageFolder on as many
processes as threads. torchvision's is ten lines here: Pillow opens, converts and resizes; `draft` decodes a JPEG at a
smaller size, as ours does.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks import record

DISTINCT, BATCH = 200, 128  # images that differ; images of a batch
GOALS = {"ratio": 1.5, "waiting": 0.02}


class Case(NamedTuple):
    """A folder of images, and how it is trained on."""

    count: int
    classes: int
    shape: tuple[int, int]  # width, height in the files
    format: str
    size: int  # that they are brought to
    steps: int  # of the training whose waiting is looked at


CASES = {
    "small": Case(200_000, 100, (32, 32), "png", 32, 200),
    "large": Case(3_000, 10, (1500, 1000), "jpeg", 96, 60),
}


def written(folder: Path, case: Case, share: float) -> int:
    """Write the images of a case, a share of them; return how many."""
    rng, count = np.random.default_rng(0), max(2 * BATCH, round(share * case.count))
    width, height = case.shape
    files = []
    for _ in range(min(DISTINCT, count)):
        coarse = Image.fromarray(rng.integers(256, size=(max(4, height // 40), max(4, width // 40), 3), dtype=np.uint8))
        fine = np.asarray(coarse.resize(case.shape, Image.Resampling.BICUBIC)) + rng.normal(0, 6, (height, width, 3))
        file = io.BytesIO()
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(file, case.format, quality=90)
        files.append(file.getvalue())
    for k in range(case.classes):
        (folder / f"{k:03}").mkdir(parents=True)
    for k in range(count):
        (folder / f"{k % case.classes:03}" / f"{k:06}.{case.format}").write_bytes(files[k % len(files)])
    return count


# -- training ---------------------------------------------------------------------------------------------------------


def trained(folder: Path, case: Case, threads: int, steps: int, *words: str) -> dict[str, float]:
    """Train for so many steps; return seconds to the first line, most MB, share of waiting, images per second."""
    with tempfile.TemporaryDirectory() as out:
        said = [f"source={folder}", f"source.size={case.size}", f"train.batch_size={BATCH}", "train.log_every=1"]
        said += [f"train.max_steps={steps}", "evaluation.every=null", *words]
        command = [sys.executable, "-m", "jepa", "train", *said, "--out", f"{out}/run", "--threads", str(threads)]
        clock, first, most = time.monotonic(), 0.0, 0.0
        metrics = Path(out) / "run" / "metrics.jsonl"
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None:
            if not first and metrics.exists() and metrics.stat().st_size:
                first = time.monotonic() - clock
            most = max(most, sum(map(resident, family(process.pid))))
            time.sleep(0.05)
        assert process.stderr is not None and process.returncode == 0, process.stderr and process.stderr.read()
        entries = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    later = [entry for entry in entries if entry["kind"] == "step"][len(entries) // 4 :]
    seconds = sum(entry["seconds"] for entry in later)
    waiting = sum(entry["waiting"] * entry["seconds"] for entry in later) / seconds
    found = {"first": first, "MB": most, "waiting": waiting, "per_second": BATCH * len(later) / seconds}
    return {name: round(value, 4) for name, value in found.items()}


def family(process: int) -> Iterator[int]:
    """Yield a process and those that it has started."""
    yield process
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return


def resident(process: int) -> float:
    """Return the MB of memory of a process."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


# -- images per second ------------------------------------------------------------------------------------------------


def ours(folder: str, size: int, threads: int, cache: str | None) -> tuple[int, float]:
    """Read all images once in a random order, in batches; return how many, and the seconds."""
    import minitensor as mt
    from jepa.sources import ImageFolder

    mt.set_num_threads(threads)
    clock = time.monotonic()
    source = ImageFolder(folder, size=size, workers=threads, cache=cache)
    order = np.random.default_rng(0).permutation(len(source))
    if cache == "0":  # what a run does once: it is measured without
        clock = time.monotonic()
    with ThreadPoolExecutor(2) as ahead:  # as train.prefetch=2 train.threads=2 does
        batches = [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
        for k in range(0, len(batches), 8):
            for _ in ahead.map(lambda batch: source.normalize(source.read(batch)), batches[k : k + 8]):
                pass
    return len(order), time.monotonic() - clock


def theirs(folder: str, size: int, threads: int, draft: bool) -> tuple[int, float]:
    """Read all images once in PyTorch's way."""
    import torch

    class Images(torch.utils.data.Dataset[Any]):
        def __init__(self) -> None:
            self.samples = [
                (os.path.join(inner, name), k)
                for k, inner in enumerate(sorted(entry.path for entry in os.scandir(folder)))
                for name in sorted(os.listdir(inner))
            ]

        def __len__(self) -> int:
            return len(self.samples)

        def __getitem__(self, k: int) -> Any:
            path, label = self.samples[k]
            with open(path, "rb") as file:
                image = Image.open(file)
                if draft:
                    image.draft("RGB", (2 * size, 2 * size))
                small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
            x = torch.from_numpy(np.array(small)).permute(2, 0, 1).float().div(255)
            return x.sub(0.5).div(0.25), label

    torch.set_num_threads(threads)
    clock = time.monotonic()
    images = Images()
    loader = torch.utils.data.DataLoader(images, BATCH, shuffle=True, num_workers=threads)
    count = sum(len(x) for x, _ in loader)
    return count, time.monotonic() - clock


SIDES: dict[str, tuple[Callable[..., tuple[int, float]], Any]] = {
    "first": (ours, None),
    "kept": (ours, None),
    "not kept": (ours, "0"),
    "torch": (theirs, False),
    "torch, draft": (theirs, True),
}


def side(name: str, folder: str, size: int, threads: int) -> None:
    """Print the images per second of a side."""
    read, how = SIDES[name]
    count, seconds = read(folder, size, threads, how)
    print(count / seconds)


def rate(name: str, folder: Path, case: Case, threads: int) -> float:
    """Return the images per second of a side, in a process of its own."""
    program = f"from benchmarks.folders import side; side({name!r}, {str(folder)!r}, {case.size}, {threads})"
    return float(subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout)


def measured(name: str, share: float, threads: int) -> dict[str, Any]:
    """Return all figures of a case."""
    case, found = CASES[name], dict[str, Any]()
    with tempfile.TemporaryDirectory() as place:
        folder, warm = Path(place) / "images", Path(place) / "warm"
        os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
        found["count"] = written(folder, case, share)
        written(warm, case, 0.001)
        trained(warm, case, threads, 2)  # compiles what is compiled once, for any data
        clean()
        few, steps = 3, max(8, round(share * case.steps))
        found["training, first time"] = trained(folder, case, threads, few)
        found["training, second time"] = trained(folder, case, threads, steps)
        found["training, not kept"] = trained(folder, case, threads, steps, "source.cache=0")
        clean()
        rates = {side: rate(side, folder, case, threads) for side in SIDES if side != "torch, draft" or name == "large"}
    found["per_second"] = {side: round(value) for side, value in rates.items()}
    best = max(value for side, value in rates.items() if side.startswith("torch"))
    ratios = {side: value / best for side, value in rates.items() if not side.startswith("torch")}
    found["ratio"] = {side: round(value, 2) for side, value in ratios.items()}
    return found


def clean() -> None:
    """Remove what is kept of decoded images."""
    subprocess.run([sys.executable, "-m", "jepa", "data", "clean"], check=True, stdout=subprocess.DEVNULL)


def run(threads: int, only: str, share: float) -> None:
    """Print the figures of each case; keep them if they are those of all images."""
    rows = {}
    for name in (n for n in CASES if only in n):
        rows[name] = found = measured(name, share, threads)
        print(f"{name}: {found['count']:,} images, {threads} threads and processes", flush=True)
        for key in ("training, first time", "training, second time", "training, not kept"):
            f = found[key]
            said = f"first line after {f['first']:6.1f} s, {f['MB']:6.0f} MB, waiting {100 * f['waiting']:5.1f} %"
            print(f"  {key:24} {said} (goal {100 * GOALS['waiting']:.0f} %), {f['per_second']:.0f} images/s")
        rates = ", ".join(f"{side} {value:,}" for side, value in found["per_second"].items())
        print(f"  images per second: {rates}")
        print(f"  ratio to the better of PyTorch's (goal {GOALS['ratio']}): {found['ratio']}", flush=True)
    if share == 1 and not only:
        path = record.HERE / f"folders-{threads}-threads.json"
        path.write_text(json.dumps({**record.machine(threads), "rows": rows}, indent=2) + "\n")
