"""Who waits is told at which place, and who comes when too many wait is told that."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from unfade.web.limits import Limits
from unfade.web.session import Desk

MakePhoto = Callable[..., Path]
Visit = Callable[..., Any]

pytestmark = pytest.mark.slow


def ask(client: httpx.Client, photo: Path) -> str:
    """Asks for a restoration; gives the address of its outcome."""
    (path,) = client.post("/upload", files={"files": (photo.name, photo.read_bytes())}).json()
    sent = {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}}
    answer = client.post("/call/v2/restore", json=sent).raise_for_status()
    return f"/call/restore/{answer.json()['event_id']}"


def test_place_in_the_queue_and_its_end_are_told(
    serve_app: Callable[[Any], str], desk: Desk, visit: Visit, make_photo: MakePhoto,
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
    page = visit(address)
    page.set_input_files("#uf-upload input[type=file]", str(make_photo("bob.png")))
    page.wait_for_selector("text=Red marks what will be filled in")
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=120) as other:
        outcome = ask(other, make_photo("ann.png"))
        assert runs.wait(60)
        page.click("#uf-restore")
        page.locator("#uf-progress").get_by_text("1/1").wait_for()
        page.set_input_files("#uf-upload input[type=file]", str(make_photo("eve.png")))
        page.get_by_text(re.compile("currently busy|[Qq]ueue is full")).first.wait_for()
        go.set()
        assert "event: complete" in other.get(outcome).text
    page.wait_for_selector("#uf-progress >> text=Done.")
