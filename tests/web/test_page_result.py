"""The page's results, in Chromium: where they are seen, compared, checked and saved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unfade.imaging import read_photo

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def test_photo_is_mended_compared_checked_and_taken_home(
    visit: Visit, steps: Any, address: str, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("print.png", height=240, width=360)
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("#uf-upload input[type=file]", state="attached")
    steps.choose(page, photo)
    steps.restore(page)
    _is_compared_by_the_slider(page, steps)
    _is_checked_by_holding_and_by_its_changes(page)
    kept = steps.download(page, "restored.png", tmp_path)
    assert kept.name == "print-restored.png"
    assert read_photo(kept).native.shape == (240, 360, 3)
    manifest = json.loads(steps.download(page, ".json", tmp_path).read_text("utf-8"))
    assert manifest["input"]["name"] == "print.png"
    assert asked and all(url.startswith((address, "data:", "blob:")) for url in asked)


def _is_compared_by_the_slider(page: Any, steps: Any) -> None:
    at, stack = page.locator(".uf-at"), page.locator(".uf-stack")
    view = page.locator(".uf-view:has(.uf-stack)")
    at.fill("20")
    assert stack.evaluate("e => e.style.getPropertyValue('--at')") == "20%"
    at.press("ArrowRight")
    assert at.input_value() == "20.5"
    steps.drag(page, (0.5, 0.5), (0.2, 0.5), over=".uf-stack")
    assert float(at.input_value()) == pytest.approx(20, abs=1)
    assert page.evaluate("getSelection().toString()") == ""
    stack.hover()
    small = stack.bounding_box()["width"]
    page.mouse.wheel(0, -100)
    page.wait_for_function(
        "w => document.querySelector('.uf-stack').offsetWidth > w", arg=1.3 * small
    )
    page.click(".uf-full")
    assert page.locator(".uf-after").bounding_box()["width"] == 360
    assert page.locator(".uf-after").evaluate("e => e.naturalWidth") == 360
    page.click("[data-zoom='4']")
    assert stack.bounding_box()["width"] == 4 * 360
    before = view.evaluate("e => [e.scrollLeft, e.scrollTop]")
    steps.drag(page, (0.6, 0.6), (0.5, 0.4), over=".uf-view:has(.uf-stack)")
    moved = view.evaluate("e => [e.scrollLeft, e.scrollTop]")
    assert moved[0] > before[0] and moved[1] > before[1]
    assert float(at.input_value()) == pytest.approx(20, abs=1)
    page.click(".uf-fit")


def _is_checked_by_holding_and_by_its_changes(page: Any) -> None:
    facts = page.inner_text(".uf-facts")
    for name in ("Filled in", "Tone", "Changed besides", "Largest change besides", "Sharpness"):
        assert name in facts
    assert "Agreement" not in page.inner_text("body")
    page.locator(".uf-at").fill("30")
    page.locator(".uf-hold").hover()
    page.mouse.down()
    assert page.locator(".uf-at").input_value() == "100"  # all of the photo before
    page.mouse.up()
    assert page.locator(".uf-at").input_value() == "30"
    page.locator(".uf-hold").press("Enter")
    assert page.locator(".uf-at").input_value() == "30"
    page.click(".uf-mark")
    overlay = page.locator(".uf-changes")
    assert overlay.is_visible() and page.locator(".uf-at").input_value() == "0"
    assert overlay.bounding_box() == page.locator(".uf-after").bounding_box()
    assert re.fullmatch(r"\d+ of 255 levels or more", page.inner_text(".uf-most"))
    spread = overlay.evaluate(
        """async (e) => { await e.decode(); const c = document.createElement('canvas');
        c.width = e.naturalWidth; c.height = e.naturalHeight; const p = c.getContext('2d');
        p.drawImage(e, 0, 0); const d = p.getImageData(0, 0, c.width, c.height).data;
        const a = d.filter((_, i) => i % 4 === 3).sort(); return [a[0], a[a.length - 1]]; }"""
    )
    assert spread[0] < 150 and spread[1] == 230  # it tells places apart


def test_result_takes_the_editors_place_and_the_view_goes_there(
    visit: Visit, steps: Any, make_photo: MakePhoto
) -> None:
    page = visit(touch=True)
    assert page.locator("#uf-restore").is_hidden()  # there is nothing to restore
    steps.choose(page, make_photo("tall.png", height=600, width=120))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    for _ in range(2):  # the button is under the thumb, at the top and at the end of the page
        box = page.locator("#uf-restore").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844
        page.evaluate("scrollTo(0, 0)")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    steps.restore(page)
    assert page.locator(".uf-canvas").is_hidden()
    page.wait_for_function(
        "(() => { const r = document.querySelector('.uf-stack').getBoundingClientRect();"
        " return r.top >= 0 && r.bottom <= innerHeight; })()"
    )
    page.click("[data-view=edit]")
    assert page.locator(".uf-canvas").is_visible() and page.locator(".uf-compare").is_hidden()
    page.click("[data-view=compare]")
    assert page.locator(".uf-canvas").is_hidden() and page.locator(".uf-compare").is_visible()
    for name in ("stack", "canvas"):  # all of a photo is seen, whatever its shape
        page.click(f"[data-view={'edit' if name == 'canvas' else 'compare'}]")
        box = page.locator(f".uf-{name}").bounding_box()
        view = page.locator(f".uf-view:has(.uf-{name})").bounding_box()
        assert box["height"] <= view["height"] + 1 <= 844
        assert box["width"] / box["height"] == pytest.approx(0.2, rel=0.02)
    page.locator(".uf-zoom").fill("2")
    assert page.locator(".uf-canvas").bounding_box()["height"] > 1.5 * box["height"]
    page.locator(".uf-zoom").fill("1")
    page.tap("[data-view=compare]")
    _is_held_and_pinched(page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.tap(".uf-remove")
    page.locator(".uf-strip").wait_for(state="hidden")


def _is_held_and_pinched(page: Any) -> None:
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def middle(name: str) -> tuple[float, float]:
        page.locator(name).scroll_into_view_if_needed()
        box = page.locator(name).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    touch("touchStart", middle(".uf-hold"))
    page.wait_for_function("document.querySelector('.uf-at').value === '100'")
    touch("touchEnd")
    page.wait_for_function("document.querySelector('.uf-at').value === '50'")
    (x, y), stack = middle(".uf-stack"), page.locator(".uf-stack")
    small = stack.bounding_box()["width"]
    touch("touchStart", (x, y - 20), (x, y + 20))
    touch("touchMove", (x, y - 40), (x, y + 40))
    touch("touchEnd")
    assert stack.bounding_box()["width"] == pytest.approx(2 * small, rel=0.05)
    assert page.evaluate("visualViewport.scale") == 1  # the photo, and not the page
    page.tap(".uf-fit")
