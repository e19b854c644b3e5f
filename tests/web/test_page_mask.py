"""What is painted on the page, in Chromium: damage, what is protected, colours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unfade.imaging import read_mask, read_photo

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def test_mask_is_painted_erased_protected_and_undone(
    visit: Visit, steps: Any, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("print.png", height=300, width=400)
    page = visit()
    steps.choose(page, photo)
    _is_painted_with_the_keyboard(page)
    _is_zoomed_by_the_wheel(page)
    page.locator(".uf-size").fill("20")
    steps.drag(page, (0.6, 0.8), (0.9, 0.8))
    page.click("[data-tool=eraser]")
    steps.drag(page, (0.32, 0.8), (0.33, 0.98))
    shares: dict[str, float] = {}
    for sensitivity in ("low", "normal", "high"):
        page.locator(".uf-sensitivity").select_option(sensitivity)
        page.evaluate("new Promise(requestAnimationFrame)")
        shares[sensitivity] = float(page.inner_text(".uf-share").split()[0])
    assert shares["low"] <= shares["normal"] <= shares["high"]
    assert shares["low"] < shares["high"]
    page.click("[data-tool=protect]")
    page.locator(".uf-size").fill("40")
    steps.drag(page, (0.2, 0.4), (0.8, 0.4))  # across the scratch
    page.wait_for_function(
        "most => parseFloat(document.querySelector('.uf-share').innerText) < most",
        arg=shares["high"],
    )
    steps.restore(page)
    mask = read_mask(steps.download(page, "mask.png", tmp_path), size=(300, 400))
    assert (mask[235:245, 245:355] == 255).all()
    assert not mask[245:285, 129:131].any()
    white = read_mask(steps.download(page, "protect-1.png", tmp_path), size=(300, 400)) == 255
    assert white[110:130, 100:300].all() and not white[200:].any() and not mask[white].any()
    made = read_photo(steps.download(page, "restored.png", tmp_path)).native
    before = read_photo(photo).native
    np.testing.assert_array_equal(made[white], before[white])
    assert (made[200:] != before[200:]).any()
    options = json.loads(steps.download(page, ".json", tmp_path).read_text("utf-8"))["options"]
    assert options["protect"] == ["print-protect-1.png"]


def _is_painted_with_the_keyboard(page: Any) -> None:
    before = page.inner_text(".uf-share")
    canvas = page.locator(".uf-canvas")
    canvas.focus()
    canvas.press("ArrowRight")
    canvas.press(" ")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText != t", arg=before)
    page.locator(".uf-undo").press("Enter")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText == t", arg=before)


def _is_zoomed_by_the_wheel(page: Any) -> None:
    """About the place under the pointer; where it can go no further, the page scrolls."""
    canvas = page.locator(".uf-canvas")

    def at() -> list[float]:
        box = canvas.bounding_box()
        return [(x - box["x"]) / box["width"], (y - box["y"]) / box["height"]]

    page.evaluate("scrollTo(0, 0)")
    box = canvas.bounding_box()
    x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"]
    page.mouse.move(x, y)
    page.mouse.wheel(0, -200)
    page.wait_for_function("document.querySelector('.uf-zoom').value === '2'")
    assert at() == pytest.approx([0.4, 0.6], abs=0.02)
    assert canvas.bounding_box()["width"] == pytest.approx(2 * box["width"], rel=0.01)
    page.mouse.wheel(0, 300)
    page.wait_for_function("document.querySelector('.uf-zoom').value === '1'")
    assert page.evaluate("scrollY") == 0
    page.mouse.wheel(0, 60)
    page.wait_for_function("scrollY > 0")
    page.evaluate("scrollTo(0, 0)")


def test_fingers_scroll_until_a_brush_is_chosen(
    visit: Visit, steps: Any, make_photo: MakePhoto
) -> None:
    page = visit(touch=True)
    photos = [make_photo(f"{name}.png", height=300, width=300) for name in "abc"]
    steps.choose(page, *photos)
    page.wait_for_selector(".uf-thumb >> nth=2")
    over = page.locator(".uf-over").bounding_box()
    assert over["x"] + over["width"] <= 390
    share = page.inner_text(".uf-share")
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def middle() -> tuple[float, float]:
        box = page.locator(".uf-canvas").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def stroke() -> None:
        x, y = middle()
        touch("touchStart", (x, y))
        for step in range(1, 7):
            touch("touchMove", (x, y - 15 * step))
        touch("touchEnd")
        page.wait_for_timeout(300)

    stroke()
    assert page.evaluate("scrollY") > 30
    assert page.inner_text(".uf-share") == share
    page.click("[data-tool=brush]")
    before = page.evaluate("scrollY")
    stroke()
    assert page.evaluate("scrollY") == before
    assert float(page.inner_text(".uf-share").split()[0]) > float(share.split()[0])
    page.keyboard.press("Control+z")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText == t", arg=share)
    x, y = middle()
    touch("touchStart", (x - 20, y))  # one finger paints, until the second comes
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 40, y), (x + 40, y))
    touch("touchEnd")
    assert float(page.locator(".uf-zoom").input_value()) == pytest.approx(2, abs=0.26)
    page.wait_for_function("t => document.querySelector('.uf-share').innerText == t", arg=share)
    page.locator(".uf-zoom").fill("1")
    page.evaluate("scrollTo(0, 0)")
    x, y = middle()
    touch("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 7):
        touch("touchMove", (x - 20, y - 15 * step), (x + 20, y - 15 * step))
    touch("touchEnd")
    assert page.evaluate("scrollY") == pytest.approx(90, abs=20)
    assert page.inner_text(".uf-share") == share
    assert float(page.locator(".uf-zoom").input_value()) == 1
    page.get_by_text("Start over").tap()
    page.locator(".uf-strip").wait_for(state="hidden")


def test_region_gets_its_colour_and_a_photo_keeps_those_it_has(
    visit: Visit, steps: Any, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("gray.png", height=150, width=200)
    gray = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    cv2.imwrite(str(photo), gray)
    page = visit()
    steps.choose(page, photo, make_photo("dress.png", height=150, width=200, seed=2))
    page.get_by_text("Give it colours").click()
    question = page.locator("#uf-existing")
    page.locator("#uf-prompt").wait_for()
    assert question.is_hidden()  # this one is gray
    page.locator(".uf-size").fill("60")
    page.click(".uf-dot[title=red]")
    steps.drag(page, (0.7, 0.3), (0.7, 0.7))
    page.locator(".uf-own").evaluate(
        "e => { e.value = '#3060a0'; e.dispatchEvent(new Event('change')); }"
    )
    steps.drag(page, (0.15, 0.9), (0.25, 0.9))
    page.locator(".uf-undo").click()
    steps.restore(page)
    made = read_photo(steps.download(page, "gray-coloured.png", tmp_path))
    red, _, blue = made.native[75, 140].astype(int)
    assert red > blue + 20
    mask = read_mask(steps.download(page, "gray-colour-1.png", tmp_path), size=(150, 200))
    assert (mask[60:90, 130:150] == 255).all() and not mask[:, :80].any()
    manifest = json.loads(steps.download(page, ".json", tmp_path).read_text("utf-8"))
    assert manifest["options"]["colour_regions"] == ["gray-colour-1.png=red"]
    assert "New: a guess" in page.inner_text(".uf-facts")

    page.click(".uf-thumb[data-name='dress.png'] .uf-pick")
    question.wait_for()
    assert "This photo has colours. Refresh them, or replace them?" in question.inner_text()
    assert page.locator("#uf-prompt").is_hidden()  # colours are refreshed, unless asked otherwise
    assert page.locator("[data-tool=brush]").is_hidden()  # and damage stays
    assert page.locator("[data-tool=protect]").is_visible()
    page.get_by_text("Replace them with").click()
    page.locator("#uf-prompt").wait_for()
    assert page.locator("[data-tool=brush]").is_visible()
    page.get_by_text("Refresh them:").click()
    page.locator("#uf-prompt").wait_for(state="hidden")
    page.click("#uf-restore")
    page.wait_for_selector("#uf-files a[download='dress-coloured.json']")
    assert "The photo's own, refreshed" in page.inner_text(".uf-facts")
    told = json.loads(steps.download(page, ".json", tmp_path).read_text("utf-8"))
    assert told["options"]["existing_colours"] == "refresh" and told["damaged"] is None
    page.click(".uf-thumb[data-name='gray.png'] .uf-pick")
    words = page.get_by_label("What is in the photo, and in which colours?")
    words.fill("a red hat")
    page.wait_for_function("sessionStorage.getItem('unfade-controls').includes('a red hat')")
    page.reload()  # the task and the words are still there
    page.wait_for_selector("#uf-restore >> text=Colour this photo")
    words.wait_for()
    assert words.input_value() == "a red hat"
