"""What stands before Gradio's routes: no address is fetched, and nonsense is the client's fault."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

#: Routes that would ask another server, or that the page has no use for.
_CLOSED = re.compile(
    r"/(file[=/]\s*[a-z][a-z0-9+.-]+:|proxy=|custom_component/|deep_link|component_server|stream/)",
    re.IGNORECASE,
)
_NOTHING = "There is nothing here."
_NONSENSE = "This request makes no sense here."


class Guard:
    """Answers 403 to closed routes and to other sites, and 400 where Gradio fails at a request.

    A page of another site that the visitor has open can send requests here too: the browser says
    where they come from. It may link here, but not upload or start anything.

    Gradio takes names and values of a client as they come, and some that nobody can have meant
    break it: a file that is none, a name that is too long, a function that is not there. What goes
    wrong in a restoration is no such failure: the queue tells it, with an answer of its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        foreign = dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site"
        if _CLOSED.search(scope["path"]) or (foreign and scope["method"] not in ("GET", "HEAD")):
            await _answer(send, 403, _NOTHING)
            return
        failed = started = False

        async def pass_on(message: Message) -> None:
            nonlocal failed, started
            if message["type"] == "http.response.start" and message["status"] == 500:
                failed = True
                await _answer(send, 400, _NONSENSE)
            started = started or message["type"] == "http.response.start"
            if not failed:
                await send(message)

        try:
            await self._app(scope, receive, pass_on)
        except Exception as error:
            logger.warning("a request failed: %s %r: %r", scope["method"], scope["path"], error)
            if not started:
                await _answer(send, 400, _NONSENSE)


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
