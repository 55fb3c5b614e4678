"""The pages have the figures of the files, and a figure that changes changes the page."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from benchmarks import page
from benchmarks.page import FRONT, HERE, TEMPLATE, Page

FILES = sorted(path.stem for path in (HERE / "results").glob("*.json"))


def test_the_page_is_what_the_command_writes() -> None:
    assert (HERE / "README.md").read_text("utf-8") == page.page(), "python -m benchmarks page"


def test_the_front_page_has_the_table_and_the_times_of_the_files() -> None:
    text = FRONT.read_text("utf-8")
    assert page.front(text) == text, "python -m benchmarks page"
    with pytest.raises(ValueError, match="no table"):
        page.front("# no table")


NOT_SHOWN = re.compile(r"scaling-|memory-2-|memory-.*-avx2|functions-")  # a picture; much the same; many rows


@pytest.mark.parametrize("name", [n for n in FILES if not NOT_SHOWN.match(n)])
def test_another_figure_makes_another_page(name, tmp_path) -> None:
    """With 7 added to each number of a file, the page and what the front page has of it are others."""
    folder = tmp_path / "results"
    shutil.copytree(HERE / "results", folder)
    path = folder / f"{name}.json"
    path.write_text(re.sub(r"-?\b\d+(\.\d+)?(?=,?\n)", lambda m: str(7 + float(m[0])), path.read_text("utf-8")))
    assert page.page(folder) != page.page(), f"{name}.json is nowhere in benchmarks/page.template.md"
    text = FRONT.read_text("utf-8")
    assert page.Page(folder).front() != page.Page().front() or name not in page.FRONT_ROWS
    assert page.Page(folder).front() in page.front(text, folder)


def test_the_times_of_the_front_page_are_those_of_the_files(tmp_path) -> None:
    rows = {"a": (3.0, 4.0, 5.0), "b": (1.0, 4.0, 2.0)}
    rows = {
        name: dict(zip(("ours", "torch", "torch, tuned"), ([t] for t in times), strict=True))
        for name, times in rows.items()
    }
    shutil.copytree(HERE / "results", tmp_path / "results")
    for threads in ("1-thread", "2-threads"):
        (tmp_path / "results" / f"steps-{threads}.json").write_text(json.dumps({"rows": rows}))
    assert "takes 0.25 to 0.75 of the time" in page.front(FRONT.read_text("utf-8"), tmp_path / "results")


def test_a_second_instruction_set_and_a_gpu_are_shown_where_they_were_measured(tmp_path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(HERE / "results", folder)
    shutil.copy(folder / "kernels-1-thread.json", folder / "kernels-1-thread-avx2.json")
    part = {"tests": 9, "failed": {}, "skipped": 1, "status": "ok", "took": 3.0}
    (folder / "gpu.json").write_text(json.dumps({"parts": {"tests": part}}))
    text = page.page(folder)
    assert "held to AVX2 (`--isa avx2`)" in text and "9 tests, 0 failed, 1 skipped" in text
    if not {"kernels-1-thread-avx2", "gpu"} & set(FILES):
        assert "AVX2 (`--isa" not in page.page() and "No run on a GPU" in page.page()


def test_every_result_is_named_once() -> None:
    template = TEMPLATE.read_text("utf-8")
    named = [word for words in re.findall(r"\{\{results (.*?)\}\}", template) for word in words.split()]
    assert len(named) == len(set(named))
    assert re.findall(r"\{\{(\w+)", template) and not re.search(r"\{\{", page.page())
    with pytest.raises(AttributeError):
        Page().filled("{{nothing at all}}")
