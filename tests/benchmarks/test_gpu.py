"""`python -m benchmarks gpu`: all of it in small with the stand-in for CuPy; parts that fail, hang, or are late."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.session import Part, Session
from benchmarks.gpu.table import lines

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 800  # it takes thirty of an idle processor; the shares of a busy one must do


@pytest.mark.timeout(900)
def test_the_whole_of_it_in_small(tmp_path):
    out = tmp_path / "gpu.json"
    words = [sys.executable, "-m", "benchmarks", "gpu", "--dry", "--seconds", str(SECONDS), "--out", str(out)]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    results = json.loads(out.read_text("utf-8"))
    parts = results["parts"]
    assert said.returncode == 0, said.stdout + said.stderr
    assert list(parts) == ["machine", "ops", "tests", "demo", "half", "steps", "cifar10"]
    assert {name for name, part in parts.items() if part["status"] != "ok"} <= {"steps"}  # which needs PyTorch
    assert parts["ops"]["right"] == parts["ops"]["run"] == parts["ops"]["cases"] > 30
    assert parts["tests"]["tests"] > 30 and not parts["tests"]["failed"]
    assert set(parts["demo"]["probes"]["linear"]) >= {"jepa", "random", "pixels", "chance"}
    assert 0 < parts["half"]["first_apart"] < 0.1 and parts["half"]["scaler"]["scale"] > 0
    (epoch,) = parts["cifar10"]["epochs"]
    assert {"loss", "probe/linear", "probe/knn"} <= set(epoch)
    if parts["steps"]["status"] == "skipped":
        assert "PyTorch" in parts["steps"]["why"]
    else:
        for name in ("vit", "cnn", "resnet"):
            ours, theirs = (parts["steps"][name]["losses"][side] for side in ("ours", "torch"))
            assert ours == pytest.approx(theirs, rel=1e-3)
    assert results["took"] < SECONDS
    assert not any("half of its results" in line for line in lines(results))


class Planned(Session):
    """A session whose parts are these scripts, in place of the real ones."""

    def __init__(self, seconds, out, scripts):
        super().__init__(seconds, out, dry=True)
        self.scripts = scripts

    def _process(self, part, folder, limit, *, ahead=False):
        code = self.scripts[part.name].format(report=str(folder / f"{part.name}.json"))
        with open(folder / f"{part.name}.log", "wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


WRITES = "from benchmarks.gpu.report import Report; from pathlib import Path; r = Report(Path(r'{report}')); "


def test_what_fails_or_hangs_is_recorded_and_the_next_part_runs(tmp_path, monkeypatch):
    scripts = {
        "fails": WRITES + "r.update(seen=1); raise ValueError('a planted mistake')",
        "dies": "import os; os.abort()",
        "hangs": WRITES + "import time; r.update(seen=2); time.sleep(600)",
        "skips": WRITES + "r.update(status='skipped', why='for a reason')",
        "works": WRITES + "r.update(seen=3)",
        "late": "1 / 0",
    }
    parts = [Part(name, {"hangs": 0.3, "works": 1.0}.get(name, 0.5)) for name in scripts]
    monkeypatch.setattr("benchmarks.gpu.session.PARTS", parts)
    monkeypatch.chdir(ROOT)
    out = tmp_path / "gpu.json"
    session = Planned(24.0, out, scripts)
    real = session._run_part

    def run_part(part, folder):
        if part.name == "late":
            session.start -= 24.0  # the time is over
        real(part, folder)

    session._run_part = run_part
    assert session.run(list(scripts)) == 1
    found = json.loads(out.read_text("utf-8"))["parts"]
    statuses = {name: part["status"] for name, part in found.items()}
    wanted = ("failed", "failed", "out of time", "skipped", "ok", "out of time")
    assert statuses == dict(zip(scripts, wanted, strict=True))
    assert found["fails"]["seen"] == 1 and "a planted mistake" in found["fails"]["error"]
    assert found["hangs"]["seen"] == 2 and found["hangs"]["took"] < 12
    assert found["works"]["seen"] == 3


def test_an_archive_of_the_images_is_unpacked(tmp_path):
    import tarfile

    (tmp_path / "cifar10" / "train" / "cat").mkdir(parents=True)
    with tarfile.open(tmp_path / "images.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "cifar10", "cifar10")
    session = Session(10.0, tmp_path / "gpu.json", dry=True, cifar10=str(tmp_path / "images.tar.xz"))
    (tmp_path / "work").mkdir()
    with session._images(tmp_path / "work"):
        session.unpacking.join()
    assert session.cifar10 == str(tmp_path / "work" / "images" / "cifar10")


def test_a_worker_that_dies_is_a_failure_of_the_case_it_was_at(tmp_path, monkeypatch):
    from benchmarks.gpu import cases
    from benchmarks.gpu.report import Report

    monkeypatch.chdir(ROOT)
    report = Report(tmp_path / "ops.json")
    table = cases._Table(3, report)
    script = """
import json, os
for index in todo:
    print(json.dumps({"begins": index, "name": f"case {index}"}), flush=True)
    if index == 1:
        os.abort()
    print(json.dumps({"ends": index, "largest": 0.5}), flush=True)
"""
    real = subprocess.Popen

    def planted(words, **settings):
        todo = words[2].split("work(")[1].split("], ")[0] + "]"
        return real([words[0], "-c", f"todo = {todo}\n{script}"], **settings)

    monkeypatch.setattr(cases.subprocess, "Popen", planted)
    table.tend([0, 1, 2], True)
    table.tell()
    found = json.loads(report.path.read_text("utf-8"))
    assert (found["right"], found["run"], list(found["failures"])) == (2, 3, ["case 1"])
    assert "died or hung" in found["failures"]["case 1"]
