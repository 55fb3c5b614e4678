"""Runs on one page: what is clear between them, their curves, the settings that differ, and what is refused."""

import json
from pathlib import Path

import pytest

from jepa.__main__ import main
from jepa.config import load, to_yaml
from jepa.errors import RunError
from jepa.pictures import style
from jepa.pictures.compare import _read as read_run
from jepa.pictures.compare import compare, curves

from .examples import metrics
from .test_report import Page


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 30)


def made(folder: Path, *settings: str, linear: float | None = None) -> Path:
    """Write what compare reads of a run."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(to_yaml(load("demo", overrides=settings)))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics()))
    if linear is not None:
        row = {"jepa": linear, "random": 0.2, "pixels": 0.15, "chance": 0.1}
        (folder / "evaluation.json").write_text(json.dumps({"linear": row, "images": 1000, "step": 40, "data": "x"}))
    return folder


def test_the_page_says_what_is_clear_and_what_differs(tmp_path, monkeypatch):
    runs = [
        made(tmp_path / "a", "optimizer.lr=0.001", linear=0.6),
        made(tmp_path / "b <i>", "optimizer.lr=0.002", "encoder=resnet9", linear=0.59),
        made(tmp_path / "c", linear=0.3),
        made(tmp_path / "d"),
    ]
    out = compare(runs, tmp_path / "page.html")
    page = Page(out.read_text("utf-8"))
    assert "a is right on 60.0 %, clearly more than c (30.0 ± 4.2 points)" in page.text
    assert "no clear difference from b <i> (1.0 ± " in page.text
    assert "Not evaluated yet: d (" in page.text and len(page.images) == 1
    rows = out.read_text("utf-8").partition("Settings</h2>")[2]
    assert ">optimizer.lr<" in rows and ">0.001<" in rows and ">encoder.width<" in rows and ">seed<" not in rows
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # a page of ours is replaced
        assert main(["compare", *map(str, runs[:2])]) == 0 and (tmp_path / "compare.html").is_file()


def test_each_run_has_a_line_in_each_panel(tmp_path):
    figure = curves([read_run(made(tmp_path / name), name) for name in "ab"])
    drawn = [axes for axes in figure.axes if axes.lines]
    assert len(drawn) >= 3 and all(len(axes.lines) == 2 for axes in drawn)
    assert all(axes.get_xlabel() == "training step" and axes.get_ylabel() for axes in drawn)


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
    page = Page(compare([made(tmp_path / "x/run"), made(tmp_path / "y/run")], tmp_path / "p.html").read_text("utf-8"))
    assert "x/run" in page.text and "y/run" in page.text and str(tmp_path) not in page.text
    assert "settings are the same." in page.text


def test_what_cannot_be_compared_is_refused(tmp_path, monkeypatch):
    run, damaged = made(tmp_path / "a"), made(tmp_path / "b", linear=0.5)
    (damaged / "evaluation.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    Path("compare.html").write_text("<p>mine")
    (tmp_path / "empty").mkdir()
    for runs, out, said in (
        ([run], "p.html", "compare needs two runs or more, got 1"),
        ([run, run], "p.html", "is named twice: name each run once"),
        ([run, tmp_path / "empty"], "p.html", "is not a run's folder"),
        ([run, damaged], "p.html", "is damaged: `python -m jepa eval"),
        ([run, made(tmp_path / "c")], None, "is in the way"),
    ):
        with pytest.raises(RunError, match=said):
            compare(runs, out)
    assert Path("compare.html").read_text() == "<p>mine" and not Path("p.html").exists()
