"""The first screen, controls, words and colours of the page, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def test_first_screen_says_what_it_is_and_links_do_not_say_gradio(
    visit: Visit, address: str
) -> None:
    page = visit()
    told = page.inner_text("#uf-about")
    assert "Your photos stay on this computer." in told
    assert "Made by the unfade project" in told and "Apache License 2.0" in told
    for picture in page.locator(".uf-pair img").all():
        assert picture.is_visible() and picture.evaluate("e => e.naturalWidth") > 300
    assert page.title() == "unfade: restore old photographs"
    for hidden in ("#uf-files", "#uf-restore", "#uf-settings", "#uf-diffusion"):
        assert page.locator(hidden).is_hidden()
    text = httpx.get(address, timeout=60).text
    metas = " ".join(re.findall(r"<meta[^>]*>", text))
    assert 'og:title" content="unfade: restore old photographs"' in metas
    assert "radio" not in metas.lower() and metas.count("og:title") == 1


#: What is seen with each task: controls by their words, tools of the editor by their class.
_SEEN = {
    "Mend an old photo": {"Change only the damage", "Keep the tone", ".uf-paints"},
    "Make it larger": {"Times larger"},
    "Give it colours": {"What is in the photo", "How many versions", "Draw another version",
                        ".uf-paints", ".uf-colours"},
}  # fmt: skip
_OWN = {"How much may be redrawn", "Steps"}  # seen once they are chosen by the visitor


def test_controls_and_tools_are_those_of_the_task(
    visit: Visit, steps: Any, make_photo: MakePhoto
) -> None:
    page = visit()
    steps.choose(page, make_photo("print.png"))
    page.click("#uf-diffusion button >> nth=0")
    page.get_by_label("Choose for me").wait_for()

    def seen() -> set[str]:
        """Of all that depends on the task, what is on the page."""
        names = set().union(*_SEEN.values(), _OWN)
        controls = page.locator("#uf-controls")
        found = {n for n in names if n[0] != "." and controls.get_by_text(n).first.is_visible()}
        return found | {n for n in names if n[0] == "." and page.locator(n).first.is_visible()}

    def is_seen(names: set[str]) -> bool:
        """Whether that is what is seen, once the page has changed."""
        for _ in range(100):
            if seen() == names:
                return True
            page.wait_for_timeout(100)
        return seen() == names

    for verb, (task, names) in zip(("Mend", "Enlarge", "Colour"), _SEEN.items(), strict=True):
        page.get_by_text(task).click()
        if verb == "Colour":  # the photo has colours; new ones have more controls
            page.get_by_text("Replace them with").click()
        page.locator("#uf-restore", has_text=f"{verb} this photo").wait_for()
        assert is_seen(names)
        assert page.locator(".uf-ready").is_visible() == (verb != "Enlarge")  # there is no red
    page.get_by_label("Choose for me").uncheck()
    page.get_by_text("Steps").wait_for()
    assert is_seen(_SEEN["Give it colours"] | _OWN)
    page.get_by_text("Mend an old photo").click()
    page.locator(".uf-colours").wait_for(state="hidden")
    page.locator("#uf-prompt").wait_for(state="hidden")


def test_controls_that_need_diffusion_are_left_out_when_there_is_none(
    visit: Visit, steps: Any, plain_address: str, make_photo: MakePhoto
) -> None:
    page = visit(plain_address)
    steps.choose(page, make_photo("print.png"))
    page.click("#uf-diffusion button")
    assert "have no generative model" in page.inner_text("#uf-lacking")
    inputs = page.locator("#uf-diffusion :is(input, textarea)")
    assert inputs.count() == 0
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


def test_text_has_contrast_and_the_page_fits_a_phone(
    visit: Visit, steps: Any, make_photo: MakePhoto, tmp_path: Path
) -> None:
    page = visit(dark=True)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    photo = make_photo("a-rather-long-name-of-a-photo.png")
    steps.choose(page, photo)
    steps.restore(page)
    page.get_by_text("Give it colours").click()
    page.get_by_text("Replace them with").click()
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
    page.wait_for_function("document.body.classList.contains('dark')")
    for scheme in ("dark", "light"):
        if scheme == "light":
            page.evaluate("document.body.classList.remove('dark')")
            page.wait_for_timeout(600)  # colours change slowly
        found = page.evaluate(_CONTRAST)
        assert len(found) > 50 and found[0][0] >= 4.5, (scheme, found[:5])
    _is_reached_with_the_tab_key(page)
    words = page.inner_text("body").lower()
    for word in ("probability", "manifest", "diffusion", "agreement", "gradio", "--"):
        assert word not in words


def _is_reached_with_the_tab_key(page: Any) -> None:
    reached: set[str] = set()
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "document.activeElement.closest('[id^=uf-]')?.id ?? document.activeElement.innerText"
        ))  # fmt: skip
    parts = {"upload", "strip", "compare", "files", "go-on", "restore", "diffusion"}
    assert page.locator("#uf-cancel").is_hidden()  # nothing runs
    assert {f"uf-{part}" for part in parts} <= reached
