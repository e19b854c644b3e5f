"""The photos of a visit, in Chromium: chosen, searched, cancelled, found again."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unfade.imaging import read_photo
from unfade.pipeline.first_stage import FirstStage
from unfade.web.session import AppContext

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def test_cancel_ends_the_work_and_a_reload_keeps_photos_paint_and_work(
    visit: Visit,
    steps: Any,
    make_photo: MakePhoto,
    desk: AppContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, run_on = threading.Event(), desk.restorer.run

    def held(*given: Any, **named: Any) -> Any:
        while not go.wait(0.1):
            named["progress"]("mend", 0.4)  # where it may be stopped
        return run_on(*given, **named)

    monkeypatch.setattr(desk.restorer, "run", held)
    page = visit()
    steps.choose(page, make_photo("a.png"), make_photo("b.png", height=150, width=200))
    page.click(".uf-thumb[data-name='b.png'] .uf-pick")
    page.wait_for_selector(".uf-editor[data-photo='b.png'][data-searched=true]")
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Step 2 of 3, mending: 34 %")
    page.click("#uf-cancel")
    page.wait_for_selector("#uf-progress >> text=Stopped.")
    page.locator("#uf-cancel").wait_for(state="hidden")
    assert page.locator(".uf-compare").is_hidden() and page.locator("#uf-files").is_hidden()
    before = page.inner_text(".uf-share")
    steps.drag(page, (0.5, 0.2), (0.7, 0.2))
    page.wait_for_function("t => document.querySelector('.uf-share').innerText != t", arg=before)
    assert _is_asked_before_leaving(page)
    share = page.inner_text(".uf-share")
    page.wait_for_function("dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    page.reload()
    page.wait_for_selector(".uf-editor[data-photo='b.png']:not([hidden])")
    page.wait_for_function("t => document.querySelector('.uf-share').innerText == t", arg=share)
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Step 2 of 3, mending")
    page.reload()  # in the middle of the work
    page.wait_for_selector("#uf-progress >> text=Step 2 of 3, mending")
    go.set()
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_selector("#uf-files a[download='b-restored.png']")
    page.wait_for_selector(".uf-thumb[data-name='b.png'] .uf-done")
    assert page.locator(".uf-thumb").count() == 2


def _is_asked_before_leaving(page: Any) -> bool:
    """Whether the browser would ask, as something is on its way to the server."""
    return page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")


def test_photos_that_the_server_does_not_have_any_more_are_told(
    visit: Visit, make_photo: MakePhoto
) -> None:
    page = visit()
    page.evaluate("""() => { sessionStorage.setItem('unfade-visit', 'a'.repeat(32));
        sessionStorage.setItem('unfade-photos', '2'); }""")
    page.reload()
    page.wait_for_selector("#uf-progress >> text=The server no longer has your photos")
    page.reload()  # told once
    page.wait_for_selector("#uf-upload input[type=file]", state="attached")
    page.wait_for_function("sessionStorage.getItem('unfade-photos') === '0'")
    assert not _is_asked_before_leaving(page)
    page.route("**/upload*", lambda route: None)  # an upload that takes long
    page.set_input_files("#uf-upload input[type=file]", str(make_photo("a.png")))
    page.wait_for_selector("#uf-upload .uploading")
    assert _is_asked_before_leaving(page)


def test_several_photos_are_chosen_from_a_strip_and_come_in_one_zip(
    visit: Visit, steps: Any, make_photo: MakePhoto, tmp_path: Path
) -> None:
    page = visit()
    photo = make_photo("a.png")
    steps.choose(page, photo, make_photo("b.png", seed=1))
    page.click(".uf-thumb[data-name='b.png'] .uf-pick")
    page.wait_for_selector(".uf-editor[data-photo='b.png']")
    assert page.inner_text(".uf-name") == "b.png"
    steps.restore(page)
    assert page.locator("#uf-files a[download]").first.get_attribute("download") == (
        "b-restored.png"
    )
    page.click(".uf-thumb[data-name='a.png'] .uf-pick")  # it has no result yet
    page.wait_for_selector(".uf-editor[data-photo='a.png']")
    page.locator(".uf-compare").wait_for(state="hidden")
    assert page.inner_text(".uf-name") == "a.png"
    assert page.locator("#uf-result").is_hidden()
    page.locator(".uf-ready").wait_for()  # in place of "Done."
    page.click("#uf-restore-all")
    page.wait_for_selector(
        "#uf-progress >> text=Done. b.png was restored with these settings before"
    )
    page.wait_for_selector("#uf-files a[download='a-restored.png']")
    page.click(".uf-thumb[data-name='b.png'] .uf-pick")
    page.wait_for_selector("#uf-files a[download='b-restored.png']")
    page.locator(".uf-ready").wait_for(state="hidden")  # there is no red beside a result
    page.get_by_label("Keep the tone").check()
    page.click("#uf-restore")
    page.wait_for_selector("#uf-files a[download='b-2-restored.png']")
    page.wait_for_selector("#uf-history >> text=Result 2: restored")
    with page.expect_download() as waiting:
        page.click("#uf-zip")
    kept = tmp_path / "kept.zip"
    waiting.value.save_as(kept)
    with zipfile.ZipFile(kept) as file:
        parts = ("mask.png", "restored.json", "restored.png")
        names = ("a", "b-2", "b")  # b was restored twice
        assert sorted(file.namelist()) == [f"{name}-{part}" for name in names for part in parts]
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.click(".uf-thumb[data-name='b.png'] .uf-remove")
    assert asked == ["Remove b.png and its results?"] and page.locator(".uf-thumb").count() == 2
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(".uf-thumb[data-name='b.png'] .uf-remove")
    page.wait_for_selector("#uf-files a[download='a-restored.png']")
    assert page.inner_text(".uf-name") == "a.png"
    assert page.locator(".uf-thumb").count() == 1
    page.locator("#uf-restore-all").wait_for(state="hidden")
    _is_mended_and_then_enlarged(page, steps, photo, tmp_path)
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_text("Start over").click()
    assert asked[1:] == ["Remove all photos and their results?"]
    page.locator(".uf-strip").wait_for(state="hidden")
    assert page.locator(".uf-canvas").is_hidden() and page.locator(".uf-compare").is_hidden()


def _is_mended_and_then_enlarged(page: Any, steps: Any, photo: Path, folder: Path) -> None:
    mended = read_photo(steps.download(page, "a-restored.png", folder)).native
    page.click("#uf-go-on")
    page.wait_for_selector(".uf-editor[data-photo='a-restored.png']:not([hidden])")
    page.locator(".uf-ready").wait_for()
    page.get_by_text("Make it larger").click()
    page.locator("#uf-restore", has_text="Enlarge this photo").wait_for()
    steps.restore(page)
    larger = read_photo(steps.download(page, "a-restored-enlarged.png", folder)).native
    small = cv2.resize(larger, mended.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert larger.shape[0] == 4 * mended.shape[0]
    far = [np.abs(small.astype(int) - one).mean() for one in (mended, read_photo(photo).native)]
    assert far[0] < 0.5 * far[1]  # it is the mended photo that was enlarged


def test_broken_and_too_large_files_are_told_in_sentences(
    visit: Visit, steps: Any, make_photo: MakePhoto, tmp_path: Path
) -> None:
    page = visit()
    broken, wide = tmp_path / "broken.jpg", make_photo("wide.png", height=2001, width=2000)
    broken.write_bytes(b"this is no photo")
    page.set_input_files("#uf-upload input[type=file]", [str(broken), str(wide)])
    page.get_by_text("4.0 megapixels").wait_for()
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
    steps.choose(page, make_photo("sound.png"))


def test_photo_is_seen_at_once_and_restored_once_its_damage_is_found(
    visit: Visit, make_photo: MakePhoto, desk: AppContext, monkeypatch: pytest.MonkeyPatch
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

    within, whole = FirstStage.detect, []

    def noted(stage: FirstStage, photo: Any, **named: Any) -> Any:
        whole.append(photo.width)
        return within(stage, photo, **named)

    monkeypatch.setattr(desk.restorer, "detect", slow)
    monkeypatch.setattr(FirstStage, "detect", noted)
    page = visit()
    photo = make_photo("wide.png", height=64, width=1010)
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector(".uf-share >> text=at a first look")
    page.locator("#uf-progress progress[value='0.250']").wait_for()
    page.click(".uf-remove")  # while its damage is sought
    page.locator(".uf-strip").wait_for(state="hidden")
    page.locator("#uf-progress progress").wait_for(state="hidden")
    assert page.locator(".uf-editor").is_hidden()
    sizes.clear()
    whole.clear()
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector(".uf-share >> text=at a first look")
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Then your photo is restored")
    go.set()
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_selector(".uf-compare:not([hidden])")
    assert sizes == ["small", "whole"]
    assert whole == [512, 1010]  # nor by the restoration
