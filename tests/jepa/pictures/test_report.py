"""The report: self-contained and valid, honest about what is missing, right in its verdict."""

import base64
import json
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from jepa.errors import RunError
from jepa.pictures import draw, style, summary
from jepa.pictures import page as html
from jepa.pictures.captions import CAPTIONS
from jepa.pictures.curves import read_metrics
from jepa.pictures.embedding import plot_embedding

from .examples import EVALUATION, Run, metrics

OTHERS = {"forecast", "detections", "horizons", "retrieval", "rollout", "off", "energy", "paths", "budget"}
"""pictures of forecasts, clips, pairs and world models, which have tests of their own"""
VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """Checks that tags are closed in order; collects pictures and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.text, self.links = [], [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Small pictures, because these tests do not look at them."""
    monkeypatch.setattr(style, "DPI", 30)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "a <run> & more"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps(record) for record in metrics()) + "\n")
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    (folder / "config.yaml").write_text("name: demo  # <b>not bold</b>\n")
    (folder / "env.json").write_text(json.dumps({"versions": {"numpy": "2.4.6"}, "threads": 2}))
    return folder


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """What opening a run gives: a run, or an error; by default a task that draws nothing."""
    found = {"run": Run()}
    found["run"].task = SimpleNamespace(pictures="tests.jepa.pictures.test_report")

    def load_run(run_dir, *, device, settings, **given):
        if isinstance(found["run"], Exception):
            raise found["run"]
        return found["run"]

    monkeypatch.setattr("jepa.runs.run.load_run", load_run)
    return found


def examples(run, count):
    return {}


def figures(run, examples):
    return {}


def test_the_whole_report_is_one_valid_file(run, opened):
    opened["run"] = Run()
    report = draw(run)
    assert report == run / "report.html"
    page = Page(report.read_text(encoding="utf-8"))
    assert {image["alt"] for image in page.images} == {CAPTIONS[name][0] for name in CAPTIONS.keys() - OTHERS}
    prefix = "data:image/png;base64,"
    assert page.links and all(link.startswith(prefix) for link in page.links)  # nothing is loaded from elsewhere
    assert all(base64.b64decode(image["src"][len(prefix) :]).startswith(b"\x89PNG") for image in page.images)
    assert "script" not in page.tags and "link" not in page.tags
    assert "<b>not bold</b>" in page.text and "a <run> & more" in page.text  # escaped
    for part in ("21.0 points above the best baseline (raw pixels, 62.0 %)", "83.0 %", "numpy", "2.4.6", "61.2"):
        assert part in page.text
    assert "Not in this report" not in page.text
    assert {path.stem for path in (run / "plots").iterdir()} == CAPTIONS.keys() - OTHERS


def test_drawing_twice_gives_the_same_file(run):
    first = draw(run).read_bytes()
    assert draw(run).read_bytes() == first


def test_an_empty_run_says_what_is_missing_and_which_command_makes_it(tmp_path, opened):
    opened["run"] = RunError("there is no checkpoint in this run.")
    page = Page(draw(tmp_path).read_text(encoding="utf-8"))
    for part in ("jepa eval", "jepa train", "jepa plot", "there is no checkpoint in this run."):
        assert part in page.text
    assert page.images == []


def test_what_a_task_of_ones_own_draws_has_its_name(run, opened, monkeypatch):
    monkeypatch.setattr(
        sys.modules[__name__], "figures", lambda run, examples: {"forecasts": plot_embedding(np.eye(4))}
    )
    assert "Forecasts" in [image["alt"] for image in Page(draw(run).read_text()).images]
    assert (run / "plots" / "forecasts.png").is_file()


def test_unlabeled_and_damaged_evaluations(run, opened):
    (run / "evaluation.json").write_text(
        json.dumps({"images": 5, "feature_std": 0.01, "effective_rank": 1.1, "note": "Note."})
    )
    (run / "metrics.jsonl").unlink()
    opened["run"].source("val").labels = None
    text = Page(draw(run).read_text()).text
    assert "Note." in text and "has collapsed" in text and "linear probe" not in text
    assert "near 1 = collapsed; more is not better" in text  # the rank is an alarm
    (run / "evaluation.json").write_text("{")
    assert "evaluation.json is damaged" in Page(draw(run).read_text()).text


def test_figures_of_other_weights_are_named(run):
    checkpoints = run / "checkpoints"
    checkpoints.mkdir()
    (run / "evaluation.json").write_text(json.dumps(EVALUATION | {"step": 10}))
    (checkpoints / "step-00000010.safetensors").touch()
    assert "These figures are of" not in Page(draw(run).read_text()).text
    (checkpoints / "step-00000020.safetensors").touch()
    text = Page(draw(run).read_text()).text
    assert "These figures are of step 10, and the last checkpoint is of step 20: python -m jepa eval" in text


def test_another_data_set_has_a_section_of_its_own(run):
    other = EVALUATION | {"data": "birds", "linear": {"jepa": 0.3, "random": 0.4, "pixels": 0.5, "chance": 0.1}}
    (run / "evaluation-birds.json").write_text(json.dumps(other))
    page = Page(draw(run).read_text())
    assert "Results on birds" in page.text and "does not beat its baselines" in page.text
    assert (run / "plots" / "probes-birds.png").is_file()


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        draw(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("jepa", "pixels", "words"),
    [
        (0.80, 0.60, "20.0 points above the best baseline (raw pixels, 60.0 %)"),
        (0.40, 0.60, "does not beat its baselines: that is 20.0 points below the best baseline"),
        (0.61, 0.60, "no clear difference"),
        (0.59, 0.60, "no clear difference"),
        (0.80, 0.10, "above the best baseline (same encoder, untrained, 50.0 %)"),
    ],
)
def test_the_verdict(jepa, pixels, words):
    evaluation = {"images": 1000, "linear": {"jepa": jepa, "random": 0.5, "pixels": pixels, "chance": 0.1}}
    assert words in summary(evaluation)[0]


def test_the_verdict_needs_more_images_for_a_small_difference():
    row = {"jepa": 0.65, "random": 0.5, "pixels": 0.6, "chance": 0.1}
    assert "no clear difference" in summary({"images": 100, "linear": row})[0]
    assert "5.0 points above" in summary({"images": 10_000, "linear": row})[0]


def test_geometry_that_is_not_used_is_named():
    sentence = summary({"images": 10, "geometry": {"loss": 0.5, "shuffled": 0.51, "ratio": 1.02}})[-1]
    assert "hardly uses" in sentence


def test_metrics_of_a_resumed_and_killed_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [{"kind": "step", "step": step, "loss": loss} for step, loss in ((1, 1.0), (2, 9.0), (3, 9.0), (2, 2.0))]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"kind": "step", "st')
    assert [(record["step"], record["loss"]) for record in read_metrics(path)] == [(1, 1.0), (2, 2.0), (3, 9.0)]
    path.write_text('{"kind": "step", "step": 1}\nnonsense\n{"kind": "step", "step": 2}\n')
    with pytest.raises(RunError, match="line 2"):
        read_metrics(path)


def test_page_escapes_what_it_is_given():
    text = html.document("<t>", [html.paragraph("`a<b` & c"), html.table(["<h>"], [["<c>"]]), html.code("<x>")])
    page = Page(text)
    assert "<h>" in page.text and "<c>" in page.text and "<x>" in page.text and page.tags.count("code") == 1
    assert Page(html.paragraph("a ` alone")).text == "a ` alone"


def test_few_images_prove_little():
    row = {"jepa": 1.0, "random": 0.8, "pixels": 0.6, "chance": 0.2}
    assert "no clear difference" in summary({"linear": row, "images": 5})[0]
    assert "±0.0" not in summary({"linear": {**row, "random": 1.0}, "images": 8})[0]


def test_what_is_missing_is_said_aloud_too(tmp_path, caplog):
    (tmp_path / "run").mkdir()
    draw(tmp_path / "run")
    assert any("not in the report: Curves" in message for message in caplog.messages)
