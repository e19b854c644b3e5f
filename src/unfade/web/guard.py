"""Middleware that refuses requests to closed routes, from other sites, or to unknown host names."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from unfade.web.hosts import is_own

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

#: Routes that would ask another server, or that the page has no use for.
_CLOSED = re.compile(
    r"/(file[=/]\s*[a-z][a-z0-9+.-]+:|proxy=|custom_component/|deep_link|component_server|stream/|pwa_icon/"
    r"|(openapi\.json|docs|redoc)/?$)",
    re.IGNORECASE,
)
_FOREIGN = (
    "This server does not know itself by the name in the address. Use its IP address, or start it "
    "with --allow-host NAME."
)
_NOTHING = "There is nothing here."
_NONSENSE = "This request makes no sense here."


class Guard:
    """Answers 403 to closed routes and to other sites, and 400 where Gradio fails at a request.

    Args:
        names: see `hosts.is_own`; None takes any name, as a login protects the page then.

    A page of another site that the visitor has open can send requests here too: the browser says
    where they come from. It may link here, but not upload or start anything.

    Gradio does not check all names and values of a client, and fails at some malformed ones: a file
    that is none, a name that is too long, an unknown function. Errors of a restoration do not pass
    here: Gradio's queue reports them.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] | None = frozenset()) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":  # the page does not use them
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._names is not None and not is_own(dict(scope["headers"]).get(b"host"), self._names):
            await answer(send, 403, _FOREIGN)
            return
        foreign = dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site"
        if _CLOSED.search(scope["path"]) or (foreign and scope["method"] not in ("GET", "HEAD")):
            await answer(send, 403, _NOTHING)
            return
        failed = started = False

        async def pass_on(message: Message) -> None:
            nonlocal failed, started
            if message["type"] == "http.response.start" and message["status"] == 500:
                failed = True
                await answer(send, 400, _NONSENSE)
            started = started or message["type"] == "http.response.start"
            if not failed:
                await send(message)

        try:
            await self._app(scope, receive, pass_on)
        except Exception as error:
            logger.warning("a request failed: %s %r: %r", scope["method"], scope["path"], error)
            if not started:
                await answer(send, 400, _NONSENSE)


async def answer(send: Send, status: int, text: str) -> None:
    """Answers a request with a sentence."""
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
