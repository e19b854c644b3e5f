"""Runs the page as a web server: makes the ASGI application, binds the port, serves, stops."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

from unfade.errors import InputError, UsageError
from unfade.memory import release_memory
from unfade.web.limits import Limits
from unfade.web.store import Store

if TYPE_CHECKING:
    from fastapi import FastAPI

    from unfade.api import Restorer

_BACKLOG = 128
_GRACE_S = 1  # for answers that are on their way when the server is stopped


def make_app(
    restorer: Restorer, store: Store, limits: Limits, *,
    auth: tuple[str, str] | None = None, root_path: str = "",
    names: frozenset[str] = frozenset(),
) -> FastAPI:  # fmt: skip
    """The page as an ASGI application.

    Gradio is told by the environment to keep its files in the store, to send no analytics, and to
    stay off the hub.

    Args:
        auth: a user's name and password that the page asks for; None asks for none.
        root_path: where a proxy shows the page, such as "/unfade".
        names: host names of the server, besides addresses and localhost; not checked with a
            login.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(store.root)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio as gr
    from fastapi import FastAPI
    from gradio import processing_utils

    from unfade.web import app as layout
    from unfade.web.guard import Guard
    from unfade.web.session import AppContext
    from unfade.web.theme import asset_path, head, theme, use_own_meta
    from unfade.web.uploads import Uploads

    use_own_meta()
    blocks: Any = layout.build(AppContext(restorer, store, limits))
    blocks.queue(max_size=limits.queue, default_concurrency_limit=1, api_open=False)
    for name in ("ssrf_protected_download", "async_ssrf_protected_download"):
        setattr(processing_utils, name, _fetch_nothing)  # a client may name an address as a file
    blocks.has_launched = True  # from now on Gradio checks where the paths of a client lead
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    outer.add_middleware(Uploads, store=store, limits=limits)
    outer.add_middleware(Guard, names=None if auth else names)  # added last: it comes first
    mount: Any = cast(Any, gr).mount_gradio_app
    return mount(
        outer, blocks, path="/", auth=auth, root_path=root_path or None,
        max_file_size=limits.max_bytes, show_error=True, footer_links=[], run_history=False,
        ssr_mode=False, pwa=False, favicon_path=str(asset_path("icon.svg")),
        enable_monitoring=False, theme=theme(), head=head(),
    )  # fmt: skip


def warm_up(restorer: Restorer) -> threading.Thread:
    """Restores the example photo in a background thread, so that the first visitor need not wait.

    A network allocates and compiles what it needs when it first runs.
    """
    from unfade.web.theme import asset_path

    def work() -> None:
        restorer.restore(asset_path("example.jpg"))
        release_memory()

    thread = threading.Thread(target=work, name="unfade-warm-up", daemon=True)
    thread.start()
    return thread


def bind(host: str, port: int) -> socket.socket:
    """A socket with this address, to be given to `listen` and then to `serve`.

    Raises:
        UsageError: the port is taken or not allowed, or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        fix = "use 127.0.0.1 for this machine alone, or 0.0.0.0 for the network"
        raise UsageError(f"the host {host}", "an address of this machine", fix) from error
    try:
        if os.name != "nt":  # there it would let two servers share a port
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
    except OSError as error:
        server.close()
        raise _unusable(error, host, port) from error
    return server


def listen(server: socket.socket) -> None:
    """Lets browsers connect from now on.

    Raises:
        UsageError: another program has begun to listen there in the meantime.
    """
    try:
        server.listen(_BACKLOG)
    except OSError as error:
        raise _unusable(error, *server.getsockname()[:2]) from error


def _unusable(error: OSError, host: str, port: int) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        fix = f"stop the other program, or use another port: --port {port % 65535 + 1}"
        return UsageError(f"port {port}, which is in use already", "a free port", fix)
    if error.errno in (errno.EACCES, errno.EPERM):
        got = f"port {port}, which is not allowed here"
        return UsageError(got, "a port from 1024 on", "use --port 7860")
    got, fix = f"the host {host}", "use 127.0.0.1 for this machine alone, or 0.0.0.0"
    return UsageError(got, "an address of this machine", fix)


def serve(app: FastAPI, server: socket.socket) -> None:
    """Serves until it is stopped with Ctrl-C or by SIGTERM, which then ends this as an exception.

    uvicorn passes the signal on once it has stopped; without a handler it would end the process
    at once, and leave the files of all visitors behind.
    """
    import uvicorn

    signal.signal(signal.SIGTERM, _leave)
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE_S)
    uvicorn.Server(config).run(sockets=[server])


def _is_failure(record: logging.LogRecord) -> bool:
    """Leaves out of the log that pages were still open when the server was stopped."""
    error = record.exc_info[1] if record.exc_info else None
    closing = record.getMessage().startswith("Cancel ")
    return not closing and not isinstance(error, asyncio.CancelledError)


def end_process(code: int) -> None:
    """Ends the process at once, where a restoration would not let it end.

    Python ends threads that compute in the middle, which torch takes for a crash; waiting for
    them may take minutes.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _fetch_nothing(*arguments: object, **named: object) -> None:
    """Takes the place of Gradio's downloads: the page opens uploads only."""
    raise InputError("an address in place of a file", "an upload", "upload the photo itself")
