"""What runs for a visitor, through the handlers of the page, without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfade.pipeline.first_stage import FirstStage
from unfade.web import masks
from unfade.web.page import Page, Tab
from unfade.web.session import AppContext
from unfade.web.settings import Settings

pytest.importorskip("gradio", reason="the page needs the extra 'web'")

MakePhoto = Callable[..., Path]
Upload = Callable[[Path], Path]
KEY = "0123456789abcdef" * 2
VALUES = tuple(vars(Settings()).values())


class Gate:
    """Counts searches of damage, and holds them until `go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.begun, self.searches = threading.Event(), threading.Event(), 0
        detect = FirstStage.detect

        def held(stage: FirstStage, photo: Any, **named: Any) -> Any:
            self.searches += 1
            self.begun.set()
            while not self.go.wait(0.05):
                named["progress"](0.1)  # where it may be stopped
            return detect(stage, photo, **named)

        monkeypatch.setattr(FirstStage, "detect", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def opened(page: Page, count: int = 0) -> tuple[Tab, dict[str, Any]]:
    """A page that was loaded, and what it shows; it had so many photos before."""
    tab, visit = Tab(), f"{KEY} {count}"
    page.attach(tab, visit)
    return tab, page.resume(tab, visit)


def settled(page: Page, tab: Tab) -> dict[str, Any]:
    """What the page was told while work ran, once it has ended."""
    told: dict[str, Any] = {}
    for _ in range(4000):
        told |= page.poll(tab)
        if not told["progress"]["busy"]:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_reload_keeps_the_paint_and_the_work_and_seeks_nothing_twice(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    layer_of: Callable[..., str],
    gate: Gate,
) -> None:
    page = Page(desk)
    tab, shown = opened(page)
    assert shown == {}
    page.open(tab, [str(upload(make_photo("a.png")))], None)
    assert gate.begun.wait(60)
    tab, shown = opened(page, 1)
    assert shown["progress"]["text"].startswith("Looking for damage: ")
    gate.go.set()
    assert settled(page, tab)["editor"]["searched"]
    layer = layer_of(np.full(masks.preview_size(64, 80), masks.ADD, np.uint8))
    edit = {"id": tab.visitor.photos[0].key, "sensitivity": "high", "layer": layer}
    page.save_edit(tab, edit)
    tab, shown = opened(page, 1)
    scene = shown["editor"]
    assert (scene["layer"], scene["sensitivity"]) == (layer, "high")
    assert page.restore(tab, edit, *VALUES)["progress"]["busy"]
    tab, shown = opened(page, 1)
    shown |= settled(page, tab)
    assert shown["progress"]["text"] == "Done."
    assert Path(shown["files"][0]).name == "a-restored.png"
    assert shown["facts"].count("100 % of the photo") == 1  # all of it was painted
    assert gate.searches == 1


def test_what_is_finished_with_the_same_settings_is_not_done_again(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, gate: Gate
) -> None:
    gate.go.set()
    page = Page(desk)
    tab, _ = opened(page)
    photos = [str(upload(make_photo(f"{name}.png", seed=i))) for i, name in enumerate("ab")]
    page.open(tab, photos, None)
    settled(page, tab)
    page.restore(tab, None, *VALUES)
    settled(page, tab)
    assert page.restore_all(tab, None, *VALUES)["progress"]["busy"]
    told = settled(page, tab)["progress"]["text"]
    assert told == "Done. a.png was restored with these settings before, and not restored again."
    assert sorted(len(one) for one in tab.visitor.results.values()) == [1, 1]
    shown = page.restore_all(tab, None, *VALUES)
    assert shown["progress"]["text"].startswith("b.png, a.png were restored with these settings")
    assert shown["strip"]["view"] == "compare" and not shown["progress"]["busy"]
    kept = (*VALUES[:2], True, *VALUES[3:])  # the tone
    assert page.restore(tab, None, *kept)["progress"]["busy"]
    settled(page, tab)
    assert len(tab.visitor.results[tab.visitor.photos[0].key]) == 2
    assert gate.searches == 2


def test_cancelled_search_is_made_once_the_photo_is_restored_and_never_by_a_reload(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, gate: Gate
) -> None:
    page = Page(desk)
    tab, _ = opened(page)
    page.open(tab, [str(upload(make_photo("a.png")))], None)
    assert gate.begun.wait(60)
    page.restore(tab, None, *VALUES)  # it waits for the search
    assert len(tab.visitor.pending) == 1
    page.stop(tab)
    assert settled(page, tab)["progress"]["text"] == "Stopped. What was not finished is gone."
    tab, _ = opened(page, 1)
    assert not settled(page, tab)["progress"]["busy"] and gate.searches == 1
    assert not tab.visitor.results and not tab.visitor.pending
    gate.go.set()
    page.restore(tab, None, *VALUES)
    told = settled(page, tab)
    assert told["progress"]["text"] == "Done." and told["editor"]["searched"]
    page.restore(tab, None, *(*VALUES[:2], True, *VALUES[3:]))
    settled(page, tab)
    assert gate.searches == 2


def test_photos_that_are_opened_after_the_server_was_started_again_outlive_a_reload(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, gate: Gate
) -> None:
    gate.go.set()
    page, tab = Page(desk), Tab()
    page.attach(tab, f"{KEY} 2")  # a server that was just started; the page has two photos
    told = page.poll(tab)
    assert "no longer has your photos" in told["progress"]["alert"]
    assert told["strip"]["photos"] == [] and told["editor"] == {}
    page.open(tab, [str(upload(make_photo("a.png")))], None)
    assert settled(page, tab)["progress"]["alert"] == ""
    _, shown = opened(page, 1)
    assert [one["name"] for one in shown["strip"]["photos"]] == ["a.png"]
    forgotten = Tab()  # as Gradio forgets what a page has, after an hour
    page.attach(forgotten, f"{KEY} 1")
    assert page.poll(forgotten)["editor"]["name"] == "a.png"
