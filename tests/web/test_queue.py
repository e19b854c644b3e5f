"""Who waits is told at which place, and who comes when too many wait is told that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from unfade.web.limits import Limits
from unfade.web.session import AppContext

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def ask(client: httpx.Client, photo: Path) -> str:
    """Asks for a restoration; gives the address of its outcome."""
    (path,) = client.post("/upload", files={"files": (photo.name, photo.read_bytes())}).json()
    sent = {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}}
    answer = client.post("/call/v2/restore", json=sent).raise_for_status()
    return f"/call/restore/{answer.json()['event_id']}"


def test_who_waits_is_told_what_comes_first_and_too_many_are_refused(
    serve_app: Callable[[Any], str], desk: AppContext, visit: Visit, make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from unfade.web.server import make_app

    go, runs = threading.Event(), threading.Event()
    restore = desk.restorer.run

    def waits(*given: Any, **named: Any) -> Any:
        runs.set()
        assert go.wait(300)
        return restore(*given, **named)

    monkeypatch.setattr(desk.restorer, "run", waits)
    address = serve_app(make_app(desk.restorer, desk.store, Limits(queue=1)))
    bob, eve = visit(address), visit(address)
    for page, name in ((bob, "bob.png"), (eve, "eve.png")):
        page.set_input_files("#uf-upload input[type=file]", str(make_photo(name)))
        page.wait_for_selector("text=Red marks what will be filled in")
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=120) as other:
        outcome = ask(other, make_photo("ann.png"))
        assert runs.wait(60)
        bob.click("#uf-restore")
        bob.wait_for_selector("text=Waiting: one other piece of work comes first")
        eve.click("#uf-restore")
        eve.wait_for_selector(".uf-alert >> text=1 pieces of work wait already")
        go.set()
        assert "event: complete" in other.get(outcome).text
    bob.wait_for_selector("#uf-progress >> text=Done.")
    bob.wait_for_selector("#uf-files a[download='bob-restored.png']")  # all have their own
    assert (bob.inner_text(".uf-name"), eve.inner_text(".uf-name")) == ("bob.png", "eve.png")
