"""Texts as a source: folders and tables of them, words and bytes, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.config import load
from jepa.errors import DataError
from jepa.parts import kind_of
from jepa.sources.base import Source
from jepa.sources.texts.source import Text
from jepa.sources.texts.vocabulary import BYTES, read_vocabulary, words_of
from jepa.training.run import train

GOOD, BAD = "a good film , really good .", "a bad film , and long !"
SHORT = "train.epochs=1 train.batch_size=8 device=cpu".split()
ROWS = [(GOOD, "yes"), (BAD, "no")] * 10


def csv(rows: Any, names: str = "text,label") -> str:
    return "\n".join([names, *(f'"{text}",{label}' for text, label in rows)]) + "\n"


def jsonl(rows: Any) -> str:
    return "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows)


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "files",
    [
        {"a.csv": csv(ROWS)},
        {"a.tsv": "label\ttext\n" + "".join(f"{label}\t{text}\n" for text, label in ROWS)},
        {"a.jsonl": jsonl(ROWS)},
        {f"{label}/{k}.txt": text for k, (text, label) in enumerate(ROWS)},
    ],
)
def test_ways_to_keep_texts(files: dict[str, str], tmp_path: Path) -> None:
    place = folder(tmp_path, files) / (next(iter(files)) if len(files) == 1 else "")
    assert kind_of(place) == "text"
    source = Text(place, length=10)
    assert (len(source), source.classes, source.shape) == (20, ["no", "yes"], (1, 10))
    x = source.read(range(20))
    for k, label in enumerate(source.labels):
        assert source.shown(x[k]) == words_of(GOOD if label else BAD)
    assert (np.isnan(x[:, 0]).sum(axis=1) == 10 - np.array([len(source.shown(row)) for row in x])).all()


def test_a_note_beside_images_is_no_text(tmp_path: Path) -> None:
    folder(tmp_path, {"README.txt": GOOD, "cat/1.png": "", "dog/2.png": ""})
    assert kind_of(tmp_path) == "folder"


PARTS = {"x_train.csv": csv(ROWS), "x_validation.csv": csv(ROWS[:6]), "x_test.csv": csv(ROWS[:4])}


@pytest.mark.parametrize(
    ("files", "held_out"),
    [
        (PARTS, 6),
        ({name: text for name, text in PARTS.items() if "valid" not in name}, 4),
        ({f"{part}/{label}/{k}.txt": t for part in ("train", "test") for k, (t, label) in enumerate(ROWS[:4])}, 4),
    ],
)
def test_official_parts(files: dict[str, str], held_out: int, tmp_path: Path) -> None:
    source = Text(folder(tmp_path, files))
    assert kind_of(tmp_path) == "text"
    assert len(source.split("val")) == held_out
    assert len(source.split("train")) == len(source) - held_out


def test_the_held_out_rows_in_a_file_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path, {"a.csv": csv(ROWS), "b.csv": csv([("another film", "no")])})
    source = Text(tmp_path / "a.csv", val=str(tmp_path / "b.csv"), buckets=1)
    val = source.split("val")
    assert val.texts == ["another film"]
    assert val.shown(val.read([0])[0]) == ["[rare 0]", "film"]  # words are counted in the texts to learn from


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "nothing in it"),
        ("a.csv", csv(ROWS, "words,label"), "no column that is called text, but words, label: set source.text."),
        ("a.csv", csv([*ROWS, ("", "no")]), "a.csv:22: its text is empty"),
        ("a.csv", csv(ROWS) + "one,two,three\n", "line 22 has 3 cells, and the header 2"),
        ("a.csv", csv(ROWS).encode() + b"\xff\xfe,no\n", "no UTF-8 text (line 22)"),
        ("a.jsonl", jsonl(ROWS) + "\n{broken", "a.jsonl:21: it is no JSON"),
        ("a.jsonl", jsonl([*ROWS, (7, "no")]), "a.jsonl:21: its text is a whole number, and no text"),
        ("a.jsonl", jsonl([*ROWS, (GOOD, 7)]), "a.jsonl:21: its label is a whole number, and others are a text"),
        ("a.jsonl", jsonl([*ROWS, (None, "no")]), "a.jsonl:21: it has no text"),
        ("a.jsonl", jsonl(ROWS) + "\n[1]", "a.jsonl:21: it is no object with a text and a label, but a list"),
        ("a.jsonl", "\n", "no texts: it is empty"),
        ("no/a.txt", "", "no/a.txt: it is empty"),
        ("no/a.txt", b"good\n\xff", "no/a.txt: it is no UTF-8 text (line 2)"),
    ],
)
def test_bad_input_is_one_sentence(name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    folder(tmp_path, {"yes/b.txt": GOOD} if path.suffix == ".txt" else {})
    place = tmp_path if path.suffix == ".txt" else path
    with pytest.raises(DataError) as error:
        len(Text(place))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_is_skipped_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(jsonl([*ROWS, (7, "no"), ("", "no")]) + "\n{broken")
    source = Text(path, on_error="skip")
    assert len(source) == 20
    assert source.skipped.startswith("skipped 3 of 23 texts: a.jsonl:21 (its text is a whole number")
    report = Text.inspect(path)
    assert "20 examples of (1, 64), 2 classes" in str(report)
    assert len(report.list_bad().splitlines()) == 3


def test_bytes(tmp_path: Path) -> None:
    path = folder(tmp_path, {"a.csv": csv([("é.", "x"), ("ab", "y")] * 5)}) / "a.csv"
    source = Text(path, vocabulary="bytes", length=4)
    assert source.symbols == BYTES
    np.testing.assert_array_equal(source.read([0, 1])[:, 0], [[0xC3, 0xA9, 46, np.nan], [97, 98, np.nan, np.nan]])


def test_a_run_keeps_its_words(tmp_path: Path) -> None:
    """Evaluated on other texts, and when its own have changed, a token is the word that it was in training."""
    path = folder(tmp_path, {"a.csv": csv(ROWS)}) / "a.csv"
    said = "source.words=20 source.buckets=4 task=halves encoder=bag encoder.dim=8 encoder.symbols=300 objective=vicreg"
    train(load(overrides=[f"source={path}", *said.split(), *SHORT]), out=tmp_path / "run")
    vocabulary = read_vocabulary(tmp_path / "run" / "vocabulary.txt", 20, 4)
    assert vocabulary == Text(path, words=20, buckets=4).vocabulary
    assert "good" in vocabulary.common
    path.write_text(csv([("dull dull words", "no")] * 9 + [(GOOD, "yes")] * 9))
    kept = Text(path, words=20, buckets=4, dictionary=str(tmp_path / "run" / "vocabulary.txt"))
    there = folder(tmp_path, {"b.csv": csv([("good good dull", "yes")] * 4)}) / "b.csv"
    other = Text(path.with_name("b.csv"), words=20, buckets=4)
    for source in (kept, kept.at(there)):
        assert isinstance(source, Source)
        assert source.vocabulary == vocabulary
    assert kept.at(there).read([0])[0, 0, 0] == vocabulary.token("good") != other.read([0])[0, 0, 0]
