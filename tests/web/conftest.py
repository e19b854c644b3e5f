from __future__ import annotations

import base64
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.api import Restorer
from unfade.web.limits import Limits
from unfade.web.session import AppContext
from unfade.web.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: A page of a loaded machine needs its time; a sound one needs a second.
PATIENCE_MS = 180_000
PHONE = {"width": 390, "height": 844}

Serve = Callable[..., str]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("web"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def desk(restorer: Restorer, store: Store) -> AppContext:
    return AppContext(
        restorer, store, Limits(max_bytes=2_000_000, max_pixels=4_000_000, max_photos=5)
    )


@pytest.fixture(scope="session")
def plain_desk(plain_preset: Path, desk: AppContext) -> AppContext:
    """A desk whose weights have no diffusion model."""
    restorer = Restorer.from_pretrained(plain_preset, device="cpu")
    return AppContext(restorer, desk.store, desk.limits)


@pytest.fixture(scope="session")
def serve_app() -> Iterator[Serve]:
    """Serves an application from a thread; gives its address."""
    pytest.importorskip("gradio", reason="the page needs the extra 'web'")
    import uvicorn

    running: list[tuple[Any, threading.Thread]] = []

    def start(app: Any) -> str:
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        running.append((server, thread))
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(1)  # it is a daemon: what it still waits for ends with the process


@pytest.fixture(scope="session")
def address(serve_app: Serve, desk: AppContext) -> str:
    """The page with the shipped weights."""
    from unfade.web.server import make_app

    return serve_app(make_app(desk.restorer, desk.store, desk.limits))


@pytest.fixture(scope="session")
def plain_address(serve_app: Serve, plain_desk: AppContext) -> str:
    """The page without a diffusion model."""
    from unfade.web.server import make_app

    return serve_app(make_app(plain_desk.restorer, plain_desk.store, plain_desk.limits))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it (Debian, Ubuntu: sudo apt install chromium)")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def contexts(browser: Any) -> dict[bool, Any]:
    """The browser of a desk and of a phone (True); each keeps the page's scripts in its cache."""
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    return {
        touch: browser.new_context(reduced_motion="reduce", **(phone if touch else {}))
        for touch in (False, True)
    }


@pytest.fixture
def visit(contexts: dict[bool, Any], address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page in a new tab, which is a visitor of its own; gives the browser's page."""
    pages: list[Any] = []

    def start(url: str = address, *, touch: bool = False, dark: bool = False) -> Any:
        page = contexts[touch].new_page()
        pages.append(page)
        page.set_default_timeout(PATIENCE_MS)
        if dark:
            page.emulate_media(color_scheme="dark")
        page.goto(url)
        page.wait_for_selector("#uf-upload input[type=file]", state="attached")
        return page

    yield start
    for page in pages:
        page.close()


class Steps:
    """What a visitor does on the page again and again."""

    @staticmethod
    def choose(page: Any, *paths: Path) -> None:
        """Uploads photos and waits until their damage is found."""
        page.set_input_files("#uf-upload input[type=file]", [str(path) for path in paths])
        page.wait_for_selector(f".uf-editor[data-photo='{paths[0].name}']:not([hidden])")
        page.wait_for_selector("text=Red marks what will be filled in")
        page.wait_for_selector(".uf-share >> text=is marked")

    @staticmethod
    def restore(page: Any) -> None:
        """Clicks the button and waits for the result."""
        page.click("#uf-restore")
        page.wait_for_selector("#uf-progress >> text=Done.")
        page.wait_for_selector(".uf-compare:not([hidden])")

    @staticmethod
    def download(page: Any, suffix: str, folder: Path) -> Path:
        """One of the files of a result, as the browser saves it."""
        with page.expect_download() as waiting:
            page.click(f"#uf-files a[download$='{suffix}']")
        path = folder / "kept" / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    @staticmethod
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


@pytest.fixture(scope="session")
def steps() -> type[Steps]:
    return Steps


@pytest.fixture
def upload(store: Store) -> Callable[[Path], Path]:
    """Puts a file where Gradio puts what is uploaded."""

    def put(path: Path) -> Path:
        return Path(shutil.copy(path, store.folder() / path.name))

    return put


@pytest.fixture(scope="session")
def layer_of() -> Callable[[NDArray[np.uint8]], str]:
    """A painted layer as the page sends it: gray, as RGBA."""

    def make(edits: NDArray[np.uint8]) -> str:
        rgba = np.dstack([edits, edits, edits, np.full_like(edits, 255)])
        data = cv2.imencode(".png", rgba)[1].tobytes()
        return "data:image/png;base64," + base64.b64encode(data).decode()

    return make
