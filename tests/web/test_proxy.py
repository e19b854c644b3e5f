"""The page behind a proxy that shows it below a path, and behind a login."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unfade.web.session import AppContext

MakePhoto = Callable[..., Path]

pytestmark = pytest.mark.slow


@pytest.fixture
def below(plain_desk: AppContext, serve_app: Callable[[Any], str]) -> str:
    """Where a proxy shows the page: it takes its own path off, and knows nothing else."""
    from unfade.web.server import make_app

    app: Any = make_app(
        plain_desk.restorer, plain_desk.store, plain_desk.limits, auth=("ann", "s"),
        root_path="/below",
    )  # fmt: skip

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix("/below")
            if path == scope["path"]:
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return f"{serve_app(proxy)}/below/"


def test_page_works_below_a_path_after_a_login(
    browser: Any, below: str, make_photo: MakePhoto
) -> None:
    photo = make_photo("print.png", height=150, width=200)
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(below)
    page.locator("input").nth(0).fill("ann")
    page.locator("input[type=password]").fill("s")
    page.get_by_role("button", name="Login").click()
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector("text=Red marks what will be filled in")
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_function("document.querySelector('.uf-after').naturalWidth === 200")
    assert all(url.startswith((below, "data:", "blob:")) for url in asked)
    context.close()
