"""The README's Python runs as it stands, its files exist, and its commands are the command line's."""

import re
from pathlib import Path

import pytest

from jepa.__main__ import VERBS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")


def test_autograd_demo_runs_and_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = re.search(r"```python\n(import minitensor.*?)```\n+prints\n+```\n(.*?)```", TEXT, re.S).groups()
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_commands_exist() -> None:
    named = set(re.findall(r"python -m jepa ([a-z]+(?: (?:make|inspect))?)", TEXT))
    assert named and named <= set(VERBS)
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"`make ([a-z]+)", TEXT)) | set(re.findall(r"^make ([a-z]+)", TEXT, re.M)) <= targets


def test_files_and_pictures_exist() -> None:
    tree = re.search(r"## How to read it.*?```\n(.*?)```", TEXT, re.S).group(1)
    folder = ""
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
        path = ROOT / name if name == folder else ROOT / folder / name
        assert path.exists(), f"{name} of {folder} is in the README's tree and does not exist"
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", TEXT):
        assert (ROOT / picture).is_file()


def test_the_masked_example_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = re.search(
        r"```python\n(import numpy as np\n\nimport jepa.*?)```\n+prints `(.*?)`", TEXT, re.S
    ).groups()
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == printed
