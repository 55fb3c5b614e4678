"""Every page: its Python runs and prints what it says, its commands are commands, its links lead somewhere."""

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from jepa.__main__ import VERBS, main
from jepa.sources import shapes

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("minitensor", "jepa", "examples", "benchmarks", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(page for room in ROOMS for page in (ROOT / room).rglob("README.md"))])
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M))
RECIPES = re.compile(r"^## \w+ recipes$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
"""The part of a page whose code needs its diffs: tests of their own apply them and run it."""
LONGEST = 1450  # words of the front page, figures and all


class Block(NamedTuple):
    """What stands between three backquotes."""

    page: Path
    kind: str
    text: str
    after: str
    """the text behind it"""
    recipe: bool
    """whether it needs a diff"""

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text.strip().splitlines()[-1][:40]}"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text("utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    recipes = [range(*part.span()) for part in RECIPES.finditer(text)]
    return [Block(page, m[1], m[2], text[m.end() :], any(m.start() in part for part in recipes)) for m in found]


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


ALL = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in ALL if block.kind == "python" and not block.recipe]
SHELL = [
    pytest.param(block, line, id=f"{name(block.page)}: {line[:50]}")
    for block in ALL
    if block.kind == "sh"
    for line in block.text.splitlines()
    if line.strip()
]
each = pytest.mark.parametrize("page", PAGES, ids=name)


def test_there_are_pages_and_every_block_is_of_a_known_kind() -> None:
    assert {"README.md", "CONTRIBUTING.md", "jepa/README.md", "benchmarks/README.md"} <= set(map(name, PAGES))
    assert {block.kind for block in ALL} <= {"python", "sh", "diff", ""}  # a block without a kind is output, or a tree
    assert len(PYTHON) >= 4 and len(SHELL) > 15


@pytest.mark.parametrize("block", PYTHON, ids=lambda b: b.id)
def test_python_runs_and_prints_what_the_page_says(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "FOLDER" in block.text:
        shapes.write(tmp_path / "FOLDER", count=60, size=32, seed=0)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(block.text, name(block.page), "exec"), {"__name__": "__page__"})
    told = re.match(r"\n+prints\n+```\n(.*?)```|\n+prints `([^`\n]*)`", block.after, re.DOTALL)
    if told:
        assert said.getvalue().strip() == (told[1] or told[2]).strip()


@pytest.mark.parametrize(("block", "line"), SHELL)
def test_a_command_is_one(block: Block, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    words = words[3:] if words[:2] == ["mpiexec", "-n"] else words
    match words:
        case ["make", target, *_]:
            assert target in TARGETS
        case ["python", "-m", "jepa", *rest]:
            check_jepa(rest, tmp_path, monkeypatch, settings=not block.recipe)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["python", script, *_]:
            assert (ROOT / script).is_file()
        case _:
            raise AssertionError(f"no command that this test knows: {line}")


def check_jepa(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, *, settings: bool) -> None:
    """Fail for a verb, a flag or a setting that there is not."""
    verb = " ".join(words[:2]) if " ".join(words[:2]) in VERBS else words[0]
    assert verb in VERBS
    with contextlib.redirect_stdout(io.StringIO()) as help, pytest.raises(SystemExit) as ended:
        main([*verb.split(), "--help"])
    assert ended.value.code == 0
    for flag in (word for word in words if word.startswith("--")):
        assert f"{flag} " in help.getvalue().replace("]", " "), f"{verb} has no {flag}"
    if settings and any("=" in word for word in words):
        monkeypatch.chdir(folder)
        (folder / "FOLDER").mkdir()
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(["config", *(word for word in words if "=" in word)]) == 0


@each
def test_commands_and_targets_in_the_text_exist(page: Path) -> None:
    text = prose(page)
    assert set(re.findall(r"python -m jepa ([a-z]+(?: (?:make|inspect|get|clean))?)", text)) <= set(VERBS)
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= TARGETS
    for module in re.findall(r"python -m ((?:benchmarks|tests)[\w.]*)", text):
        assert importlib.util.find_spec(module), module


@each
def test_links_lead_somewhere(page: Path) -> None:
    for picture, link in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file() or (there.is_dir() and not picture), f"{link} is not there"
        assert not anchor or anchor in anchors(there), f"{link}: there is no such heading"


def test_the_tour_has_every_example() -> None:
    text = (ROOT / "examples/README.md").read_text("utf-8")
    assert re.findall(r"\]\((\d\d_\w+\.py)\)", text) == sorted(p.name for p in (ROOT / "examples").glob("[0-9]*.py"))


def test_the_front_page_is_short_and_leads_to_every_door() -> None:
    front = ROOT / "README.md"
    text = front.read_text("utf-8")
    assert len(text.split()) <= LONGEST
    doors = {page for page in PAGES if page.parent.parent == ROOT} | {ROOT / "CONTRIBUTING.md"}
    linked = {ROOT / link for link in re.findall(r"\]\(([^)#]+)\)", text)}
    assert not {name(door) for door in doors if not {door, door.parent} & linked}


def test_every_room_of_the_tree_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    tree = re.search(r"^```\n(minitensor/\n.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    folder, listed = "", set()
    for line in tree.splitlines():
        word = line.split()[0]
        if not line.startswith(" "):
            folder = word
        path = ROOT / word if word == folder else ROOT / folder / word
        assert path.exists(), f"{word} of {folder} is in the tree of CONTRIBUTING.md and does not exist"
        listed.add(path)
    for room in ("minitensor", "jepa"):
        folders = {p for p in (ROOT / room).iterdir() if p.is_dir() and p.name != "__pycache__"}
        missing = folders - listed - {above for path in listed for above in path.parents}
        assert not missing, f"add to the tree of CONTRIBUTING.md: {', '.join(p.name for p in missing)}"
