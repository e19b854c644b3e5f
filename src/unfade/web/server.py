"""The page behind a web server: what it may serve, to whom, and for how long files stay."""

from __future__ import annotations

import functools
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, cast

from unfade.errors import InputError
from unfade.web.limits import Limits
from unfade.web.store import Store

if TYPE_CHECKING:
    from fastapi import FastAPI

    from unfade.api import Restorer


def make_app(
    restorer: Restorer, store: Store, limits: Limits, *,
    auth: tuple[str, str] | None = None, root_path: str = "",
) -> FastAPI:  # fmt: skip
    """The page as an ASGI application.

    Gradio is told by the environment to keep its files in the store, to send no analytics, and to
    stay off the hub.

    Args:
        auth: a user's name and password that the page asks for; None asks for none.
        root_path: where a proxy shows the page, such as "/unfade".
    """
    os.environ["GRADIO_TEMP_DIR"] = str(store.root)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio as gr
    from fastapi import FastAPI
    from gradio import processing_utils

    from unfade.web import app as layout
    from unfade.web.guard import Guard
    from unfade.web.session import Desk
    from unfade.web.theme import head, theme

    blocks: Any = layout.build(Desk(restorer, store, limits))
    blocks.queue(max_size=limits.queue, default_concurrency_limit=1, api_open=False)
    for name in ("ssrf_protected_download", "async_ssrf_protected_download"):
        setattr(processing_utils, name, _fetch_nothing)  # a client may name an address as a file
    blocks.has_launched = True  # from now on Gradio checks where the paths of a client lead
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    outer.add_middleware(Guard)
    mount: Any = cast(Any, gr).mount_gradio_app
    return mount(
        outer, blocks, path="/", auth=auth, root_path=root_path or None,
        max_file_size=limits.max_bytes, show_error=True, footer_links=[], run_history=False,
        ssr_mode=False, pwa=False,
        enable_monitoring=False, theme=theme(), head=head(),
    )  # fmt: skip


def warm_up(restorer: Restorer) -> threading.Thread:
    """Restores the example photo beside all else, so that the first visitor need not wait.

    What a network needs is made when it runs for the first time.
    """
    from unfade.web.theme import asset_path

    work = functools.partial(restorer.restore, asset_path("example.jpg"))
    thread = threading.Thread(target=work, name="unfade-warm-up", daemon=True)
    thread.start()
    return thread


def serve(app: FastAPI, *, host: str, port: int) -> None:
    """Serves until it is stopped with Ctrl-C or by SIGTERM, which then ends this as an exception.

    uvicorn passes the signal on once it has stopped; without a handler it would end the process
    at once, and leave the files of all visitors behind.
    """
    import uvicorn

    signal.signal(signal.SIGTERM, _leave)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _fetch_nothing(*arguments: object, **named: object) -> None:
    """Takes the place of Gradio's downloads: the page opens uploads only."""
    raise InputError("an address in place of a file", "an upload", "upload the photo itself")
