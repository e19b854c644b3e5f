"""The page, used in Chromium as a visitor would."""

from __future__ import annotations

import json
import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from unfade.cli.main import run
from unfade.imaging import read_mask, read_photo
from unfade.web.session import Desk

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def choose(page: Any, *paths: Path) -> None:
    """Uploads photos and waits for the first one's damage."""
    page.set_input_files("#uf-upload input[type=file]", [str(path) for path in paths])
    page.wait_for_selector(f".uf-editor[data-photo='{paths[0].name}']:not([hidden])")
    page.wait_for_selector("text=Red marks what will be filled in")
    page.wait_for_selector(".uf-share >> text=is marked")


def restore(page: Any) -> None:
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_selector(".uf-compare:not([hidden])")


def download(page: Any, suffix: str, folder: Path) -> Path:
    """One of the files of a result, as the browser saves it."""
    with page.expect_download() as waiting:
        page.click(f"#uf-files a[download$='{suffix}']")
    path = folder / "kept" / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def drag(page: Any, *points: tuple[float, float], over: str = ".uf-canvas") -> None:
    """Over the photo; points as shares of its width and height."""
    canvas = page.locator(over)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_photo_is_mended_compared_and_taken_home(
    visit: Visit, address: str, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("print.png", height=150, width=200)
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("#uf-upload input[type=file]", state="attached")
    choose(page, photo)
    restore(page)
    stack = page.locator(".uf-stack")
    page.locator(".uf-at").fill("20")
    assert stack.evaluate("e => e.style.getPropertyValue('--at')") == "20%"
    page.locator(".uf-at").press("ArrowRight")
    assert stack.evaluate("e => e.style.getPropertyValue('--at')") == "20.5%"
    page.click(".uf-full")
    assert page.locator(".uf-after").bounding_box()["width"] == 200
    assert page.locator(".uf-after").evaluate("e => e.naturalWidth") == 200
    kept, out = download(page, "restored.png", tmp_path), tmp_path / "out.png"
    assert kept.name == "print-restored.png"
    assert run(["restore", str(photo), "-o", str(out), "--device", "cpu"]) == 0
    np.testing.assert_array_equal(read_photo(kept).native, read_photo(out).native)
    manifest = json.loads(download(page, ".json", tmp_path).read_text("utf-8"))
    assert manifest["input"]["name"] == "print.png"
    assert asked and all(url.startswith((address, "data:", "blob:")) for url in asked)


def test_whole_photo_is_seen_whatever_its_shape(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit(viewport={"width": 900, "height": 700})
    choose(page, make_photo("tall.png", height=600, width=120))
    restore(page)
    for name in ("stack", "canvas"):
        page.click(f"[data-view={'edit' if name == 'canvas' else 'compare'}]")
        box = page.locator(f".uf-{name}").bounding_box()
        view = page.locator(f".uf-view:has(.uf-{name})").bounding_box()
        assert box["height"] <= view["height"] + 1 <= 700
        assert box["width"] / box["height"] == pytest.approx(0.2, rel=0.02)
    page.locator(".uf-zoom").fill("2")
    assert page.locator(".uf-canvas").bounding_box()["height"] > 1.5 * box["height"]


def test_slider_is_dragged_and_a_large_photo_is_moved(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("print.png", height=400, width=600))
    restore(page)
    stack, view = page.locator(".uf-stack"), page.locator(".uf-view:has(.uf-stack)")
    drag(page, (0.5, 0.5), (0.2, 0.5), over=".uf-stack")
    assert float(page.locator(".uf-at").input_value()) == pytest.approx(20, abs=1)
    assert page.evaluate("getSelection().toString()") == ""
    page.click("[data-zoom='4']")
    assert stack.bounding_box()["width"] == 2400
    before = view.evaluate("e => [e.scrollLeft, e.scrollTop]")
    area = view.bounding_box()
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.6 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 0.4 * area["height"], steps=4)
    page.mouse.up()
    moved = view.evaluate("e => [e.scrollLeft, e.scrollTop]")
    assert moved[0] > before[0] and moved[1] > before[1]
    assert float(page.locator(".uf-at").input_value()) == pytest.approx(20, abs=1)


#: What is seen with each task: controls by their words, tools of the editor by their class.
_SEEN = {
    "Mend an old photo": {"Change only the damage", "Keep the tone", ".uf-paints"},
    "Make it larger": {"Times larger"},
    "Give it colours": {"Change only the damage", "What is in the photo", "How many versions",
                        "Number that starts chance", ".uf-paints", ".uf-colours"},
}  # fmt: skip
_OWN = {"How much may be redrawn", "Steps"}  # seen once they are chosen by the visitor


def test_controls_and_tools_are_those_of_the_task(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("print.png"))
    page.click("#uf-diffusion button >> nth=0")
    page.get_by_label("Choose for me").wait_for()

    def seen() -> set[str]:
        """Of all that depends on the task, what is on the page."""
        page.wait_for_timeout(700)
        names = set().union(*_SEEN.values(), _OWN)
        controls = page.locator("#uf-controls")
        found = {n for n in names if n[0] != "." and controls.get_by_text(n).first.is_visible()}
        return found | {n for n in names if n[0] == "." and page.locator(n).first.is_visible()}

    for verb, (task, names) in zip(("Mend", "Enlarge", "Colour"), _SEEN.items(), strict=True):
        page.get_by_text(task).click()
        page.locator("#uf-restore", has_text=f"{verb} this photo").wait_for()
        assert seen() == names
    page.get_by_label("Choose for me").uncheck()
    page.get_by_text("Steps").wait_for()
    assert seen() == _SEEN["Give it colours"] | _OWN
    page.get_by_text("Mend an old photo").click()
    page.locator(".uf-colours").wait_for(state="hidden")
    page.locator("#uf-prompt").wait_for(state="hidden")


def test_mask_is_edited_by_brush_eraser_and_sensitivity(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("print.png", height=150, width=200)
    page = visit()
    choose(page, photo)
    page.locator(".uf-size").fill("10")
    drag(page, (0.6, 0.5), (0.9, 0.5))
    page.click("[data-tool=eraser]")
    drag(page, (0.25, 0.02), (0.28, 0.4))
    page.locator(".uf-sensitivity").select_option("low")
    restore(page)
    mask = read_mask(download(page, "mask.png", tmp_path), size=(150, 200))
    assert (mask[73:77, 120:180] == 255).all()
    assert not mask[8:50, 52:54].any()
    out = tmp_path / "out.png"
    given = ["--mask", str(tmp_path / "kept" / "print-mask.png"), "--device", "cpu"]
    assert run(["restore", str(photo), "-o", str(out), *given]) == 0
    made = read_photo(download(page, "restored.png", tmp_path))
    np.testing.assert_array_equal(made.native, read_photo(out).native)


def test_what_is_painted_with_protect_is_never_changed(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("print.png", height=300, width=400)
    page = visit()
    choose(page, photo)
    shares: dict[str, float] = {}
    for sensitivity in ("low", "normal", "high"):
        page.locator(".uf-sensitivity").select_option(sensitivity)
        page.evaluate("new Promise(requestAnimationFrame)")
        shares[sensitivity] = float(page.inner_text(".uf-share").split()[0])
    assert shares["low"] <= shares["normal"] <= shares["high"]
    assert shares["low"] < shares["high"]
    page.click("[data-tool=protect]")
    page.locator(".uf-size").fill("40")
    drag(page, (0.2, 0.4), (0.8, 0.4))  # across the scratch
    page.wait_for_function(
        "most => parseFloat(document.querySelector('.uf-share').innerText) < most",
        arg=shares["high"],
    )
    restore(page)
    white = read_mask(download(page, "protect-1.png", tmp_path), size=(300, 400)) == 255
    assert white[110:130, 100:300].all() and not white[200:].any()
    made = read_photo(download(page, "restored.png", tmp_path)).native
    before = read_photo(photo).native
    np.testing.assert_array_equal(made[white], before[white])
    assert (made[200:] != before[200:]).any()
    options = json.loads(download(page, ".json", tmp_path).read_text("utf-8"))["options"]
    assert (options["sensitivity"], options["protect"]) == ("high", ["print-protect-1.png"])


def test_mask_is_painted_and_undone_with_the_keyboard(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("print.png", height=200, width=300))
    before = page.inner_text(".uf-share")
    canvas = page.locator(".uf-canvas")
    canvas.focus()
    canvas.press("ArrowRight")
    canvas.press(" ")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText != t", arg=before)
    page.locator(".uf-undo").press("Enter")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText == t", arg=before)


def test_cancel_ends_the_work_and_the_page_goes_on(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("large.png", height=900, width=1000))
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress progress")
    page.click("#uf-cancel")
    page.wait_for_selector("#uf-progress >> text=Stopped.")
    assert page.locator(".uf-compare").is_hidden()
    assert page.locator("#uf-files").is_hidden()  # nothing to be downloaded
    restore(page)


def test_two_visitors_get_their_own_photos(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photos = [make_photo(f"{name}.png", seed=i) for i, name in enumerate(("ann", "bob"))]
    pages = [visit(), visit()]
    for page, photo in zip(pages, photos, strict=True):
        choose(page, photo)
    for page in pages:
        page.click("#uf-restore")
    for page, photo in zip(pages, photos, strict=True):
        page.wait_for_selector("#uf-progress >> text=Done.")
        assert photo.stem in page.inner_text("#uf-files")
        out = tmp_path / "out" / photo.name
        assert run(["restore", str(photo), "-o", str(out), "--device", "cpu"]) == 0
        kept = download(page, "restored.png", tmp_path / photo.stem)
        np.testing.assert_array_equal(read_photo(kept).native, read_photo(out).native)


def test_broken_and_too_large_files_are_told_in_sentences(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    page = visit()
    broken, wide = tmp_path / "broken.jpg", make_photo("wide.png", height=2001, width=2000)
    broken.write_bytes(b"this is no photo")
    page.set_input_files("#uf-upload input[type=file]", [str(broken), str(wide)])
    text = page.locator(".uf-alert[role=alert]").inner_text()
    assert "broken.jpg: A text file. Needed: a photo" in text
    assert "4.0 megapixels. Needed: at most 4. Make the photo smaller" in text
    assert "--" not in text and "/" not in text.split("broken.jpg")[0]
    heavy = tmp_path / "heavy.png"
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    cv2.imwrite(str(heavy), noise)
    assert heavy.stat().st_size > 2_000_000
    page.set_input_files("#uf-upload input[type=file]", str(heavy))
    page.get_by_text("exceed the maximum allowed size").first.wait_for()
    choose(page, make_photo("sound.png"))


def test_page_is_fresh_after_a_reload_in_the_middle(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("large.png", height=700, width=700))
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress progress")
    page.reload()
    page.wait_for_selector("#uf-upload input[type=file]", state="attached")
    choose(page, make_photo("small.png"))
    restore(page)
    assert "small" in page.inner_text("#uf-files")


def test_several_photos_are_chosen_from_a_strip_and_come_in_one_zip(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    page = visit()
    choose(page, make_photo("a.png"), make_photo("b.png", seed=1))
    page.click(".uf-thumb[data-name='b.png'] .uf-pick")
    page.wait_for_selector(".uf-editor[data-photo='b.png']")
    assert page.inner_text(".uf-name") == "b.png"
    restore(page)
    assert page.locator("#uf-files a[download]").first.get_attribute("download") == (
        "b-restored.png"
    )
    page.click(".uf-thumb[data-name='a.png'] .uf-pick")  # it has no result yet
    page.wait_for_selector(".uf-editor[data-photo='a.png']")
    page.locator(".uf-compare").wait_for(state="hidden")
    assert page.inner_text(".uf-name") == "a.png"
    assert page.locator("#uf-result").is_hidden()
    page.click("#uf-restore-all")
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_selector("#uf-files a[download='a-restored.png']")
    with page.expect_download() as waiting:
        page.click("#uf-zip")
    kept = tmp_path / "kept.zip"
    waiting.value.save_as(kept)
    with zipfile.ZipFile(kept) as file:
        parts = ("mask.png", "restored.json", "restored.png")
        assert sorted(file.namelist()) == [f"{name}-{part}" for name in "ab" for part in parts]
    page.click(".uf-thumb[data-name='b.png'] .uf-pick")
    page.wait_for_selector("#uf-files a[download='b-restored.png']")
    page.wait_for_selector("#uf-history img >> nth=1")  # b was restored twice
    page.click(".uf-thumb[data-name='b.png'] .uf-remove")
    page.wait_for_selector("#uf-files a[download='a-restored.png']")
    assert page.inner_text(".uf-name") == "a.png"
    assert page.locator(".uf-thumb").count() == 1
    page.locator("#uf-restore-all").wait_for(state="hidden")
    page.get_by_text("Start over").click()
    page.locator(".uf-strip").wait_for(state="hidden")
    assert page.locator(".uf-canvas").is_hidden() and page.locator(".uf-compare").is_hidden()
    choose(page, make_photo("c.png"))


def test_result_takes_the_editors_place_and_the_view_goes_there(
    visit: Visit, make_photo: MakePhoto
) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    assert page.locator("#uf-restore").is_hidden()  # there is nothing to restore
    choose(page, make_photo("print.png", height=300, width=400))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    for _ in range(2):  # the button is under the thumb, at the top and at the end of the page
        box = page.locator("#uf-restore").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844
        page.evaluate("scrollTo(0, 0)")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    restore(page)
    assert page.locator(".uf-canvas").is_hidden()
    page.wait_for_function(
        "(() => { const r = document.querySelector('.uf-stack').getBoundingClientRect();"
        " return r.top >= 0 && r.bottom <= innerHeight; })()"
    )
    page.click("[data-view=edit]")
    assert page.locator(".uf-canvas").is_visible() and page.locator(".uf-compare").is_hidden()
    page.click("[data-view=compare]")
    assert page.locator(".uf-canvas").is_hidden() and page.locator(".uf-compare").is_visible()


def test_result_is_checked_by_holding_by_its_changes_and_by_its_facts(
    visit: Visit, make_photo: MakePhoto
) -> None:
    page = visit()
    choose(page, make_photo("print.png", height=150, width=200))
    restore(page)
    facts = page.inner_text(".uf-facts")
    for name in ("Filled in", "Changed", "Largest change", "Sharpness"):
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
        const a = d.filter((_, i) => i % 4 === 3); return [Math.min(...a), Math.max(...a)]; }"""
    )
    assert spread[0] < 150 and spread[1] == 230  # it tells places apart


def test_fingers_scroll_until_a_brush_is_chosen(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    choose(page, make_photo("print.png", height=300, width=300))
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


def test_photo_is_seen_at_once_and_restored_once_its_damage_is_found(
    visit: Visit, make_photo: MakePhoto, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, sizes = threading.Event(), []
    detect = desk.restorer.detect

    def slow(photo: Any, **named: Any) -> Any:
        small = isinstance(photo, np.ndarray)
        sizes.append("small" if small else "whole")
        report = named.get("progress")
        while not small and not go.wait(0.1):
            assert report is not None
            report("detect", 0.25)  # where it may be stopped
        return detect(photo, **named)

    monkeypatch.setattr(desk.restorer, "detect", slow)
    page = visit()
    photo = make_photo("wide.png", height=80, width=1600)
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector(".uf-share >> text=at a first look")
    page.locator("#uf-progress progress[value='0.250']").wait_for()
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Then your photo is restored")
    page.click("#uf-cancel")
    page.wait_for_selector("#uf-progress >> text=Stopped.")
    assert page.locator(".uf-compare").is_hidden()
    page.get_by_text("Start over").click()
    page.locator(".uf-strip").wait_for(state="hidden")
    sizes.clear()
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector(".uf-share >> text=at a first look")
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Then your photo is restored")
    go.set()
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_selector(".uf-compare:not([hidden])")
    assert sizes == ["small", "whole"]


def test_first_screen_says_where_photos_stay_and_links_do_not_say_gradio(
    visit: Visit, address: str
) -> None:
    page = visit()
    told = page.inner_text("#uf-about")
    assert "Your photos stay on this computer." in told and "Apache License 2.0" in told
    assert page.title() == "unfade: restore old photographs"
    assert page.locator("#uf-files").is_hidden()
    text = httpx.get(address, timeout=60).text
    metas = " ".join(re.findall(r"<meta[^>]*>", text))
    assert 'og:title" content="unfade: restore old photographs"' in metas
    assert "radio" not in metas.lower() and metas.count("og:title") == 1


def test_controls_that_need_diffusion_are_left_out_when_there_is_none(
    visit: Visit, plain_address: str, make_photo: MakePhoto
) -> None:
    page = visit(plain_address)
    page.click("#uf-diffusion button")
    assert "have no generative model" in page.inner_text("#uf-lacking")
    inputs = page.locator("#uf-diffusion :is(input, textarea)")
    assert inputs.count() == 0
    choose(page, make_photo("print.png"))
    assert page.locator(".uf-colours").is_visible()  # there is no task of its own for them


#: WCAG 2.1: contrast of text to what it stands on; the least of all texts on the page.
_CONTRAST = """() => {
  const rgb = (c) => (c.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = (c) => rgb(c).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if ((rgb(c)[3] ?? 1) > 0.99) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest(':disabled') || e.tagName === 'SCRIPT') continue;
    const a = light(getComputedStyle(e).color), b = light(under(e));
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim()]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_and_the_page_fits_a_phone(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path, scheme: str
) -> None:
    page = visit(color_scheme=scheme, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    photo = make_photo("a-rather-long-name-of-a-photo.png")
    choose(page, photo)
    restore(page)
    page.get_by_text("Give it colours").click()
    page.locator("#uf-prompt").wait_for()
    page.click("#uf-diffusion button >> nth=0")
    page.get_by_label("Choose for me").uncheck()
    page.get_by_text("Steps").wait_for()
    page.click(".uf-mark")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"this is no photo")
    page.set_input_files("#uf-upload input[type=file]", str(broken))
    page.locator(".uf-alert[role=alert]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.wait_for_function(
        f"document.body.classList.contains('dark') === {str(scheme == 'dark').lower()}"
    )
    found = page.evaluate(_CONTRAST)
    assert len(found) > 50 and found[0][0] >= 4.5, found[:5]


def test_everything_is_reached_with_the_tab_key(visit: Visit, make_photo: MakePhoto) -> None:
    page = visit()
    choose(page, make_photo("print.png"))
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "document.activeElement.closest('[id^=uf-]')?.id ?? document.activeElement.innerText"
        ))  # fmt: skip
    parts = {"upload", "strip", "editor", "restore", "cancel", "diffusion"}
    assert {f"uf-{part}" for part in parts} <= reached


def test_region_gets_the_colour_that_was_painted(
    visit: Visit, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photo = make_photo("gray.png", height=150, width=200)
    gray = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    cv2.imwrite(str(photo), gray)
    page = visit()
    choose(page, photo)
    page.get_by_text("Give it colours").click()
    page.locator(".uf-size").fill("60")
    page.click(".uf-dot[title=red]")
    drag(page, (0.7, 0.3), (0.7, 0.7))
    page.locator(".uf-own").evaluate(
        "e => { e.value = '#3060a0'; e.dispatchEvent(new Event('change')); }"
    )
    drag(page, (0.15, 0.9), (0.25, 0.9))
    page.locator(".uf-undo").click()
    restore(page)
    made = read_photo(download(page, "restored.png", tmp_path))
    red, _, blue = made.native[75, 140].astype(int)
    assert red > blue + 20
    mask = read_mask(download(page, "gray-colour-1.png", tmp_path), size=(150, 200))
    assert (mask[60:90, 130:150] == 255).all() and not mask[:, :80].any()
    manifest = json.loads(download(page, ".json", tmp_path).read_text("utf-8"))
    assert manifest["options"]["colour_regions"] == ["gray-colour-1.png=red"]
    out = tmp_path / "out.png"
    region = f"{tmp_path / 'kept' / 'gray-colour-1.png'}=red"
    given = ["--task", "colorize", "--colour-region", region]
    assert run(["restore", str(photo), "-o", str(out), *given]) == 0
    np.testing.assert_array_equal(read_photo(out).native, made.native)
