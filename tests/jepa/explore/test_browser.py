"""The page in a real browser, on a desk and on a phone: what is tapped changes what it should, and nothing is loaded.

Chromium, driven by Playwright: `make browser` installs the latter. Skipped where one of them is missing.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
from jepa.pictures.style import PALETTE

from .runs import data, own, page, trained, vit
from .test_page import unpacked

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium"),
]
SCREENS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1200, "height": 900}},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark", "reduced_motion": "reduce"},
    "phone": {
        "viewport": {"width": 375, "height": 740},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
IMAGE, SERIES = (3, 16, 24), (2, 32)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page of a run of each kind."""
    root = tmp_path_factory.mktemp("browser")
    runs = {
        "vit": trained(root / "vit", IMAGE, vit(IMAGE, class_token=True)),
        "cnn": trained(root / "cnn", IMAGE, jepa.encoders.CNN(IMAGE, widths=(4, 8, 8)), steps=1),
        "mlp": trained(root / "mlp", IMAGE, jepa.encoders.MLP(IMAGE, width=8), steps=1),
        "series": trained(root / "series", SERIES),
    }
    found = {name: (page(run), run / "explore.html")[1] for name, run in runs.items()}
    return found | {"own": own(root / "own")}


class Opened:
    """A page in a browser."""

    def __init__(self, page: Any, path: Path, touch: bool) -> None:
        self.page, self.touch = page, touch
        self.shown = json.loads(data(path.read_text("utf-8")))

    def text(self, name: str) -> str:
        return str(self.page.locator(f"#{name}").inner_text())

    def pixels(self, name: str) -> str:
        return str(self.page.evaluate(f"element('{name}').toDataURL()"))

    def tap(self, name: str, x: float, y: float) -> None:
        """Click or tap a canvas at a place in CSS pixels."""
        target = self.page.locator(f"#{name}")
        (target.tap if self.touch else target.click)(position={"x": x, "y": y})

    def tap_share(self, name: str, x: float, y: float) -> None:
        box = self.page.locator(f"#{name}").bounding_box()
        self.tap(name, x * box["width"], y * box["height"])

    def slide(self, name: str, value: int) -> None:
        self.page.locator(f"#{name}").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
        )
        while self.page.evaluate("moving !== null"):  # the page's policy forbids `wait_for_function`
            self.page.wait_for_timeout(20)


Open = Callable[[str], Opened]


@pytest.fixture(params=list(SCREENS))
def screen(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_page(browser: Any, pages: dict[str, Path], screen: str) -> Iterator[Open]:
    """Open a page; in the end nothing may have gone wrong in it, been loaded, or asked."""
    context, troubles = browser.new_context(**SCREENS[screen]), list[str]()

    def opened(name: str) -> Opened:
        found = context.new_page()
        found.on("console", lambda message: troubles.append(f"console {message.type}: {message.text}"))
        found.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        found.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        url = pages[name].as_uri()
        known = (url, "data:")
        found.on("request", lambda request: request.url.startswith(known) or troubles.append(request.url))
        found.goto(url)
        found.wait_for_selector("main:not([hidden])")
        return Opened(found, pages[name], SCREENS[screen].get("has_touch", False))

    yield opened
    context.close()
    assert troubles == []


def looks_most(shown: dict[str, Any], head: int | None, token: int) -> tuple[int, float]:
    """Return the place that a token of the first example looks most at in the last layer, and its share."""
    given = (unpacked(shown["places"]["attention"]) / 255 * unpacked(shown["places"]["peaks"])[..., None])[-1, 0, 3:]
    row = given.mean(0)[token] if head is None else given[head, token]
    return int(row.argmax()), float(row.max())


def percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.0995 else 1}f} %"


def in_words(place: int) -> str:
    return f"row {place // 6 + 1}, column {place % 6 + 1}"


def test_a_tap_on_a_patch_shows_where_it_looks_and_what_resembles_it(open_page: Open) -> None:
    opened = open_page("vit")
    seen = [{name: opened.pixels(name) for name in ("attention-map", "cosine-map")}]
    for x, y, place in ((0.95, 0.05, 5), (0.1, 0.9, 18)):
        opened.tap_share("attention-map" if place == 5 else "cosine-map", x, y)
        seen.append({name: opened.pixels(name) for name in seen[0]})
        most, share = looks_most(opened.shown, None, 1 + place)
        said = opened.text("attention-said")
        assert f"the patch in {in_words(place)} looks most at the patch in {in_words(most)}" in said
        assert percent(share) in said and in_words(place) in opened.text("cosine-said")
    assert all(len({one[name] for one in seen}) == 3 for name in seen[0])


def test_layers_heads_class_token_and_examples_are_chosen(open_page: Open) -> None:
    opened = open_page("vit")
    head = opened.page.locator("#heads button").nth(2)
    seen = [opened.pixels("attention-map")]
    head.click()
    most, share = looks_most(opened.shown, 1, 1 + 15)
    assert f"Layer 2, head 2: the patch in row 3, column 4 looks most at the patch in {in_words(most)}" in opened.text(
        "attention-said"
    )
    assert percent(share) in opened.text("attention-high") and head.get_attribute("aria-pressed") == "true"
    seen.append(opened.pixels("attention-map"))
    opened.slide("layer", 1)
    assert "Layer 1, head 2" in opened.text("attention-said") and opened.text("layer-said") == "1 of 2"
    seen.append(opened.pixels("attention-map"))
    opened.page.locator("#class-token").click()
    assert "the class token looks most" in opened.text("attention-said")
    seen.append(opened.pixels("attention-map"))
    opened.page.locator("#examples button").nth(3).click()
    seen.append(opened.pixels("attention-map"))
    opened.slide("strength", 10)
    seen.append(opened.pixels("attention-map"))
    assert len(set(seen)) == 6


def test_arrow_keys_move_the_patch_and_the_point(open_page: Open) -> None:
    opened = open_page("vit")
    opened.page.locator("#attention-map").focus()
    for key, place in (("ArrowRight", 16), ("ArrowUp", 10), ("ArrowLeft", 9), ("ArrowDown", 15)):
        opened.page.keyboard.press(key)
        assert in_words(place) in opened.text("attention-said")
    opened.page.locator("#map").focus()
    opened.page.keyboard.press("ArrowLeft")
    assert opened.shown["map"]["names"][-1] in opened.text("self")


def test_pointing_shows_an_example_and_tapping_its_neighbors(open_page: Open) -> None:
    opened = open_page("vit")
    found = opened.shown["map"]
    order, cosines = (unpacked(found[name])[-1] for name in ("neighbors", "cosines"))
    points = np.array([opened.page.evaluate(f"pointAt({k})") for k in range(len(found["labels"]))])
    apart = np.linalg.norm(points[:, None] - points, axis=2) + 999 * np.eye(len(points))
    for k in map(int, np.argsort(-apart.min(axis=1))[:3]):  # those that no other is near to
        if not opened.touch:
            opened.page.locator("#map").hover(position=dict(zip("xy", points[k].tolist(), strict=True)))
            assert opened.page.locator("#hover canvas").is_visible()
            assert opened.text("hover") == f"{found['classes'][found['labels'][k]]}, {found['names'][k]}"
        opened.tap("map", *points[k].tolist())
        assert opened.page.locator("#hover").is_visible()
        said = opened.text("self")
        assert found["names"][k] in said and found["classes"][found["labels"][k]] in said
        rows = opened.page.locator("#neighbors li").all_inner_texts()
        assert rows == [
            f"{found['classes'][found['labels'][other]]}\ncosine {near / 1000:.2f}"
            for other, near in zip(order[k], cosines[k], strict=True)
        ]
        assert opened.page.locator("#neighbors canvas").count() == 8
    opened.page.locator("#neighbors button").nth(2).click()
    assert found["names"][order[k][2]] in opened.text("self")
    opened.page.mouse.move(2, 2)
    if not opened.touch:
        assert not opened.page.locator("#hover").is_visible()


def test_the_slider_moves_the_map_the_neighbors_and_the_attention(open_page: Open) -> None:
    opened = open_page("vit")
    seen = []
    for step in (3, 2, 1, 0):
        opened.slide("step", step)
        assert opened.text("step-said") == f"{opened.shown['steps'][step] or 'untrained'} ({step + 1} of 4)"
        at = np.array([opened.page.evaluate(f"pointAt({k})") for k in range(3)])
        points = unpacked(opened.shown["map"]["points"])[step]
        scale = opened.page.evaluate("frame.scale")
        between = np.linalg.norm(at[0] - at[1]) / scale
        assert between == pytest.approx(np.linalg.norm(points[0] - points[1]), rel=1e-3)
        cosine = unpacked(opened.shown["map"]["cosines"])[step, 0, 0] / 1000
        assert opened.page.locator("#neighbors li").first.inner_text().endswith(f"cosine {cosine:.2f}")
        seen.append((opened.pixels("map"), opened.pixels("attention-map"), opened.pixels("cosine-map"), str(at)))
    assert all(len(set(side)) == 4 for side in zip(*seen, strict=True))


def test_the_page_fits_the_screen_and_can_be_read(open_page: Open, screen: str) -> None:
    opened = open_page("vit")
    wide, inner = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner == SCREENS[screen]["viewport"]["width"]
    small = opened.page.evaluate(
        "[...document.querySelectorAll('button, input')].filter(x => x.offsetParent && x.offsetHeight < 30).length"
    )
    assert small == 0  # a finger hits them
    pairs = [("ink", "ground"), ("quiet", "ground"), ("quiet", "raised")]
    contrast = {pair: opened.page.evaluate(CONTRAST, [f"--{name}" for name in pair]) for pair in pairs}
    assert min(contrast.values()) >= 4.5, contrast
    signs = {ink: opened.page.evaluate(CONTRAST, [ink, "--ground"]) for ink in PALETTE}
    assert min(signs.values()) >= (4 if screen == "dark" else 2), signs  # orange on white has 2.2; forms differ, too
    if screen == "dark":
        assert signs["#000000"] > 10


CONTRAST = """([a, b]) => {
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const light = (name) => {
        pen.fillStyle = name.startsWith("--") ? color(name.slice(2)) : legible(name);
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
            .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const [x, y] = [light(a), light(b)];
    return Math.max(x, y) / Math.min(x, y);
}"""


def test_names_of_others_are_text(open_page: Open) -> None:
    opened = open_page("vit")
    assert "<b>c</b>'\" (8)" in opened.text("legend") and "</script><img src=x onerror=alert(1)> (8)" in opened.text(
        "legend"
    )
    assert opened.page.locator("img, b").count() == 0


def test_encoders_without_attention_or_places_and_a_single_checkpoint(open_page: Open) -> None:
    opened = open_page("cnn")
    assert not opened.page.locator("#attention").is_visible() and not opened.page.locator("#heads").is_visible()
    assert "This encoder has no attention" in opened.text("places-how") and opened.text("step-said") == "1 (2 of 2)"
    before = opened.pixels("cosine-map")
    opened.tap_share("cosine-map", 0.01, 0.01)
    assert "row 1, column 1" in opened.text("cosine-said") and opened.pixels("cosine-map") != before
    opened = open_page("mlp")
    assert "there are no places to ask" in opened.text("places-how") and opened.page.locator("#map").is_visible()
    assert not opened.page.locator("#cosine-map").is_visible()
    opened = open_page("own")
    assert opened.text("step-said") == "1 (1 of 1)" and opened.page.locator("#step").is_disabled()
    assert (
        "Layer 1, the mean of its heads" in opened.text("attention-said") and opened.page.locator("#map").is_visible()
    )


def test_a_place_of_a_series_is_tapped(open_page: Open) -> None:
    opened = open_page("series")
    left, top, right, bottom = unpacked(opened.shown["places"]["boxes"])[0, 6, 0]
    before = opened.pixels("attention-map")
    opened.tap_share("attention-map", float(left + right) / 2, float(top + bottom) / 2)
    assert "patch 7 looks most at patch" in opened.text("attention-said") and opened.pixels("attention-map") != before
    opened.tap_share("attention-map", 0.01, 0.5)  # beside the axes
    assert "patch 7 looks most at patch" in opened.text("attention-said")
