"""Pictures of texts and of sound: each place lies where it is said to lie."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jepa.evaluation.split import Part
from jepa.evaluation.tfidf import accuracy
from jepa.pictures.places import canvas
from jepa.pictures.style import BLUE, VERMILION, drawing
from jepa.pictures.words import ACROSS, laid_out
from jepa.sources import Sound, Text
from tests.jepa.sources.test_sound import SPOKEN, clips


def text(tmp_path: Path) -> Text:
    (tmp_path / "a.csv").write_text("text,label\n" + "a good $5 film ,yes\na really bad film ,no\n" * 10)
    return Text(tmp_path / "a.csv", length=8)


def test_words_lie_where_they_are_drawn(tmp_path: Path) -> None:
    source = text(tmp_path)
    draw, axes = drawing(source), Figure().subplots()
    x = source.read([0])[0]
    kept = np.arange(8) < 2
    draw.show(axes, x, BLUE, kept=kept, instead=(np.arange(8) == 4, np.full((1, 8), 98.0)))
    assert len(axes.patches) == len(source.shown(x))
    [(left, _, right, _)] = draw.boxes(np.arange(8) == 1)
    spans = [patch.get_extents() for patch in axes.patches]
    assert len({patch.get_facecolor() for patch in axes.patches}) == 3  # kept, not kept, and in another's place
    draw.mark(axes, np.arange(8) == 1, VERMILION)
    (area,) = axes.patches[len(spans) :]
    assert area.get_x() < left < right < area.get_x() + area.get_width()
    draw.write(axes, np.arange(8) == 1, "1", VERMILION)
    assert draw.boxes(np.arange(8) == 7) == [(0.0, 0.0, 0.0, 0.0)]  # nothing is there
    assert draw.thumbnail(x).shape == draw.thumbnail(source.read([1])[0]).shape


def test_lines_are_no_longer_than_the_panel() -> None:
    found = laid_out(["word"] * 100)
    shown = [place for place in found if place is not None]
    assert max(right for _, _, right, _ in shown) <= 0.6 * ACROSS
    assert len(shown) == 6 * (ACROSS // 5)


def test_right_words_are_counted(tmp_path: Path) -> None:
    source = text(tmp_path)
    axes, x, place = Figure().subplots(), source.read([0])[0], canvas(source, (8,))
    where = np.arange(8) < 3
    other = x.copy()
    other[0, 1] = 65
    place.compare(axes, x, where, other, None, BLUE)
    assert axes.get_xlabel() == "2 of 3 right"


def test_a_spectrogram_has_seconds_and_hertz(tmp_path: Path) -> None:
    source = Sound(clips(tmp_path, SPOKEN))
    draw, axes = drawing(source), Figure().subplots()
    flags = np.zeros((32, 40), bool)
    flags[8:16, 4:8] = True
    draw.show(axes, source.read([0])[0], kept=flags)
    draw.mark(axes, flags, VERMILION)
    draw.write(axes, flags, "1", VERMILION)
    assert draw.boxes(flags) == [(4.0, 8.0, 8.0, 16.0)]
    centers, middles = source.axes
    for label, at in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True):
        assert np.interp(at - 0.5, np.arange(32), centers).round() == float(label.get_text())
    for label, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True):
        np.testing.assert_allclose(np.interp(at - 0.5, np.arange(40), middles), float(label.get_text()))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("s", "Hz")


def test_tfidf_reads_whole_texts(tmp_path: Path) -> None:
    source = text(tmp_path)
    parts = [Part.of(source.split(part)) for part in ("train", "val")]
    assert accuracy(*parts, 0) == 1.0
    short = Text(tmp_path / "a.csv", length=2, vocabulary="bytes")
    assert accuracy(*[Part.of(short.split(part)) for part in ("train", "val")], 0) == 1.0
