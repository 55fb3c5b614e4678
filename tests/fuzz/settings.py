"""Settings that nobody means: as files and as words. Each is read, or refused in one sentence that names the file."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jepa.config import Config, every_key, from_yaml, load, to_yaml
from jepa.errors import ConfigError

SECONDS, LONGEST = 5, 1500  # for one case; characters of a sentence about some broken rules
VALUES = [
    "???", "!!int foo", "!!binary aGk=", "!!python/object/apply:os.system [date]", "${oc.env:HOME}", "${x}", "", "-1",
    "0", "1e400", ".nan", ".inf", "nan", "inf", "-inf", "1_0", "0x10", "010", "12:30", "2024-01-01", "~", "null", "yes",
    "[]", "{}", "[1,2", "[[1],[2]]", "{a: 1}", "*a", "&a x", "|", ">", "%", "@", "`", '"\\UFFFFFFFF"', '"\\ud800"', "'",
    '"', "a: b", "# x", "\t", "\0", "\x1b[31m", "\x85", "\u2028", "\ufeff", "<<", str(10**12), "9" * 5000, "x" * 9000,
    "[" * 150 + "]" * 150, "{a: " * 90, "[" + "1," * 3000 + "]",
]  # fmt: skip
LINES = [
    "a: &a [1, 2]",
    "b: [*a, *a]",
    "---",
    "...",
    "%YAML 9.9",
    "<<: *a",
    "? [1]",
    "- 1",
    "\t",
    "optimizer:",
    "optimizer: {lr: 1}",
    "encoder: {kind: vit, patch: 8}",
]


def campaign(seed: int, seconds: float) -> list[str]:
    """Read files and words made from random pieces for some seconds; return what has broken the rule."""
    draw, failures = random.Random(seed), list[str]()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "mine.yaml"
        while time.monotonic() < end:
            failures += _word(draw) if draw.random() < 0.3 else _file(draw, file)
    return failures


def _word(draw: random.Random) -> list[str]:
    word = f"{draw.choice(_keys())}={draw.choice(VALUES)}"
    return _tried(lambda: load(overrides=[word]), word, "")


def _file(draw: random.Random, file: Path) -> list[str]:
    content = _text(draw).encode("utf-8", "surrogatepass")
    if draw.random() < 0.3 and content:
        at = draw.randrange(len(content))
        content = content[:at] + bytes([draw.randrange(256)]) * draw.choice((1, 1, 40)) + content[at + 1 :]
    file.write_bytes(content)
    return _tried(lambda: from_yaml(file), repr(content[:300]), "mine.yaml")


def _text(draw: random.Random) -> str:
    if draw.random() < 0.4:
        lines = to_yaml(Config(), comments=draw.random() < 0.5).splitlines()
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(lines))
            lines[at] = draw.choice((lines[at].partition(":")[0] + ": " + draw.choice(VALUES), draw.choice(LINES), ""))
        return "\n".join(lines)
    made = [f"{draw.choice(_keys())}: {draw.choice(VALUES)}" for _ in range(draw.randint(1, 5))]
    return "\n".join(draw.sample(made + draw.sample(LINES, draw.randint(0, 2)), len(made)))


def _keys() -> list[str]:
    return [*every_key(), "optimizer", "train", "data.root", "optim.lr", "lr", "backbone", "loss_type", "mask_ratio"]


def _tried(read: Callable[[], Config], what: str, named: str) -> list[str]:
    started = time.monotonic()
    try:
        read()
        said = ""
    except ConfigError as error:
        text = str(error)
        fair = named in text and len(text) < LONGEST and "\n" not in text and "\x1b" not in text
        said = "" if fair else f"said {text[:300]!r}"
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:200]}"
    late = time.monotonic() - started
    said = f"took {late:.0f} s" if not said and late > SECONDS else said
    return [f"{said} of {what[:300]}"] if said else []
