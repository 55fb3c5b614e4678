"""The pages have the figures of the files, and a figure that changes changes the page."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from benchmarks import page
from benchmarks.page import FRONT, HERE, TEMPLATE, Page


def test_the_page_is_what_the_command_writes() -> None:
    assert (HERE / "README.md").read_text("utf-8") == page.page(), "python -m benchmarks page"


def test_the_front_page_has_the_table_of_the_files() -> None:
    text = FRONT.read_text("utf-8")
    assert page.front(text) == text, "python -m benchmarks page"
    with pytest.raises(ValueError, match="no table"):
        page.front("# no table")


@pytest.mark.parametrize("name", sorted(path.stem for path in (HERE / "results").glob("*.json")))
def test_another_figure_makes_another_page(name, tmp_path) -> None:
    """Every file is on the page: with 7 added to each of its numbers the page is another one."""
    if name.startswith("scaling") or name == "memory-2-threads":
        pytest.skip("a picture, and the same ratios as with one thread")
    folder = tmp_path / "results"
    shutil.copytree(HERE / "results", folder)
    path = folder / f"{name}.json"
    path.write_text(re.sub(r"-?\d+\.\d+(?=[,\s])", lambda m: str(7 + float(m[0])), path.read_text("utf-8")))
    assert json.loads(path.read_text("utf-8")) != json.loads((HERE / "results" / path.name).read_text("utf-8"))
    assert page.page(folder) != page.page()
    text = FRONT.read_text("utf-8")
    assert (page.front(text, folder) != text) == (name in page.FRONT_ROWS)


def test_every_result_is_named_once() -> None:
    template = TEMPLATE.read_text("utf-8")
    named = [word for words in re.findall(r"\{\{results (.*?)\}\}", template) for word in words.split()]
    assert len(named) == len(set(named))
    assert re.findall(r"\{\{(\w+)", template) and not re.search(r"\{\{", page.page())
    with pytest.raises(AttributeError):
        Page().filled("{{nothing at all}}")
