"""Every example runs from start to end, in a folder of its own."""

import ast
import io
import os
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, str(path)], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def code(source: str) -> int:
    """Return how many lines hold code: no blank ones, no comments, no docstrings."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in layout]
    lines = {n for t in tokens for n in range(t.start[0], t.end[0] + 1)}
    texts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr)]
    texts = [node for node in texts if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)]
    return len(lines - {n for node in texts for n in range(node.lineno, (node.end_lineno or 0) + 1)})


def test_the_engine_and_its_network_are_sixty_lines() -> None:
    assert code('"""A docstring."""\n\nx = [  # two lines\n]\n# a comment\n') == 2
    source = (ROOT / "examples" / "00_engine_in_60_lines.py").read_text("utf-8")
    engine, those, _ = source.partition("# Those were 60 lines")
    assert those and code(engine) == 60
