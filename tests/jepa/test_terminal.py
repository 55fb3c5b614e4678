"""Streams that are closed, full or of another encoding; names with odd characters; failures of every kind."""

import errno
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minitensor as mt
from jepa.errors import ConfigError, sentence
from jepa.pictures.embedding import plot_embedding
from jepa.runs.checkpoint import list_checkpoints
from jepa.terminal import Patient, Plain
from jepa.text import cell, printable, shortened
from tests.jepa.tiny import CROPS, SHORT

JEPA = [sys.executable, "-m", "jepa"]


def shell(line, folder, **env):
    """Run a line of the shell in which $JEPA is the program; return its standard output and error, and the status."""
    found = subprocess.run(
        ["bash", "-c", line.replace("$JEPA", shlex.join(JEPA))],
        cwd=folder,
        env={**os.environ, "SET": " ".join([*SHORT, *CROPS]), **env},
        capture_output=True,
    )
    return found.stdout.decode("latin-1"), found.stderr.decode("utf-8", "replace"), found.returncode


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory):
    """A folder of images whose classes and files have odd names."""
    folder = os.fsencode(tmp_path_factory.mktemp("odd"))
    for name in (b"$a$b$", b"=HYPERLINK(1)", b"\x1b[31mred", b"_under", b"caf\xe9"):
        os.makedirs(folder + b"/images/" + name)
        for i in range(6):
            Image.new("RGB", (16, 16), (40 * i, 9, 9)).save(folder + b"/images/" + name + b"/\xff%d.png" % i, "png")
    return Path(os.fsdecode(folder))


def test_a_reader_that_goes_away_does_not_end_the_training(odd_names, tmp_path):
    line = f"set -o pipefail; $JEPA train source={odd_names}/images $SET --out run 2>&1 | head -1"
    out, _, code = shell(line, tmp_path)
    assert code == 0 and out.count("\n") == 1
    log = (tmp_path / "run" / "train.log").read_text("utf-8")
    assert "trained 9 steps" in log and len(list_checkpoints(tmp_path / "run")) == 4


def test_every_verb_of_odd_names_without_streams_and_in_any_encoding(odd_names, tmp_path):
    assert shell(f"$JEPA train source={odd_names}/images $SET --out run >&- 2>&-", tmp_path)[2] == 0
    verbs = ["eval run", "plot run", "embed run --out e.csv", f"data inspect {odd_names}/images", "config", "doctor"]
    encodings = [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
    for i, verb in enumerate(verbs):
        out, errors, code = shell(f"$JEPA {verb}", tmp_path, **encodings[i % 2])
        assert code == 0 and "Traceback" not in errors and "\x1b" not in out, (verb, errors)
    rows = (tmp_path / "e.csv").read_text("utf-8").splitlines()
    assert {row.split(",")[1] for row in rows[1:]} == {
        "$a$b$",
        "'=HYPERLINK(1)",
        "\\x1b[31mred",
        "_under",
        "caf\\udce9",
    }
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "\x1b" not in report and "Pictures of what the model does" not in report


def test_a_full_disk_is_no_success(tmp_path):
    assert shell("$JEPA config >/dev/full", tmp_path)[1:] == (
        "jepa: error: cannot read or write <stdout>: No space left on device\n",
        2,
    )
    assert shell("set -o pipefail; $JEPA config | head -1", tmp_path)[2] == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_under_the_words_ends_no_training(odd_names, tmp_path):
    _, _, code = shell(f"$JEPA train source={odd_names}/images $SET --out run 2>/dev/full", tmp_path)
    assert code == 0 and "trained 9 steps" in (tmp_path / "run" / "train.log").read_text("utf-8")


def test_names_in_warnings_and_errors_are_printable(odd_names, tmp_path):
    name = os.fsdecode(b"\x1b[31mcaf\xe9")
    _, errors, code = shell(f"$JEPA train source={odd_names}/images $SET train.epochs=1 --out '{name}'", tmp_path)
    assert code == 0 and "\x1b" not in errors and "-> \\x1b[31mcaf\\udce9" in errors
    _, errors, code = shell(f"$JEPA plot '{name}'", tmp_path)
    assert code == 0 and "\x1b" not in errors and "jepa eval \\x1b[31mcaf\\udce9" in errors
    _, errors, code = shell(f"$JEPA plot '{name}.png'", tmp_path)
    assert code == 2 and "\x1b" not in errors


@pytest.mark.parametrize("log", ["metrics.jsonl", "train.log"])
def test_a_full_disk_while_logging_is_one_sentence(odd_names, tmp_path, log):
    often = (
        "train.log_every=1 train.checkpoint_every=null train.epochs=400"
        if log == "metrics.jsonl"
        else "train.log_every=1000 train.epochs=4000"
    )
    line = f"ulimit -f 20; trap '' XFSZ; $JEPA train source={odd_names}/images $SET {often} train.keep=0 --out run"
    _, errors, code = shell(line, tmp_path)
    assert code == 2 and "Traceback" not in errors and "Logging error" not in errors
    assert errors.splitlines()[-1].startswith("jepa: error: cannot read or write run/")


def test_a_lost_terminal_saves(odd_names, tmp_path):
    words = ["train", f"source={odd_names}/images", *SHORT, *CROPS, "train.epochs=100000", "--out", "run"]
    heard = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # nohup would have it ignored
    code = heard + "from jepa.__main__ import main; sys.exit(main(sys.argv[1:]))"
    line = [sys.executable, "-c", code, *words]
    with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not list_checkpoints(tmp_path / "run"):
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGHUP)  # the shell and the system may both send one
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert "saved. Go on with" in (tmp_path / "run" / "train.log").read_text("utf-8")


# -- streams -----------------------------------------------------------------------------------------------------------


class Broken(io.StringIO):
    def __init__(self, code):
        super().__init__()
        self.code = code

    def write(self, text):
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EIO, errno.EBADF])
def test_what_nobody_reads_is_dropped(code):
    stream = Patient(Broken(code))
    assert stream.write("a") == 1 and stream.write("b") == 1 and not stream.isatty()
    stream.flush()


def test_a_stream_that_is_closed_or_full():
    for stream in (Patient(None), Plain(None)):
        assert stream.write("a") == 1 and not stream.isatty()
        stream.flush()
    closed = io.StringIO()
    closed.close()
    assert Patient(closed).write("a") == 1
    assert Patient(Broken(errno.ENOSPC)).write("a") == 1
    with pytest.raises(OSError, match="No space left"):
        Patient(Broken(errno.ENOSPC), wanted=True).write("a")


def test_plain_text_has_no_controls_and_any_encoding_will_do():
    raw = io.BytesIO()
    stream = Plain(io.TextIOWrapper(raw, encoding="cp1252"))
    stream.write("\x1b]0;title\x07 → \udcff\tend\n")
    stream.flush()
    assert raw.getvalue() == rb"\x1b]0;title\x07 \u2192 \udcff" + b"\tend\n"


# -- sentences ---------------------------------------------------------------------------------------------------------

SENTENCES = [
    (ConfigError("a\nb"), r"a\\nb"),
    (ConfigError("x" * 10_000 + " do this"), r"x+ \[\.\.\. 8508 characters \.\.\.\] x+ do this"),
    (MemoryError(), "there is not enough memory: a smaller train.batch_size"),
    (MemoryError("Unable to allocate 9 GiB"), r"not enough memory \(Unable to allocate 9 GiB\)"),
    (OSError(errno.ENOSPC, "No space left on device", "run/train.log"), "cannot read or write run/train.log: No space"),
    (RuntimeError("can't start new thread"), "the system allows no more threads: --threads 1"),
    (RecursionError(), "nested too deeply"),
    (UnicodeEncodeError("ascii", "é", 0, 1, "not in range"), "a text cannot be read or written"),
    (zlib.error("Error -3"), "a file that was read is damaged: Error -3"),
    (mt.errors.DamagedFileError("x is damaged"), "x is damaged"),
    (mt.errors.DeviceError("no cuda"), "no cuda"),
]


@pytest.mark.parametrize(("error", "text"), SENTENCES, ids=lambda value: type(value).__name__)
def test_every_failure_is_one_readable_sentence(error, text):
    found = sentence(error)
    assert found is not None and re.search(text, found) and "\n" not in found and len(found) < 1600


@pytest.mark.parametrize("error", [ValueError("a"), KeyError("a"), TypeError(), RuntimeError("a"), AssertionError()])
def test_a_bug_has_none(error):
    assert sentence(error) is None


def test_text_is_made_fit_to_be_shown():
    assert printable("a\u202eb\u2028c\x9b") == "a\\u202eb\\u2028c\\x9b" and printable("é 漢 🎉") == "é 漢 🎉"
    assert shortened("short", 10) == "short"
    assert [cell(x) for x in ("=1", "+1", "-1", "@x", "\t=1", "a=1", "")] == [
        "'=1",
        "'+1",
        "'-1",
        "'@x",
        "\\t=1",
        "a=1",
        "",
    ]


@pytest.mark.parametrize("name", ["$a$b$", "$\\frac$", "_hidden", "\udcff", "a\x1bb", "x" * 300])
def test_class_names_are_no_formulas(name, tmp_path):
    figure = plot_embedding(np.random.default_rng(0).standard_normal((6, 3)), np.array([0, 1] * 3), [name, "other"])
    figure.savefig(tmp_path / "x.png")
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(texts) == 2 and all(len(text) < 120 for text in texts)
