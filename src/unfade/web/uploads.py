"""Middleware for uploads: refuses what does not fit on the disk, truncates what is no photo."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from unfade.errors import InputError
from unfade.imaging.formats import sniff
from unfade.web.guard import answer
from unfade.web.limits import Limits
from unfade.web.store import Store

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD_BYTES = 256
_RESERVE_BYTES = 200_000_000  # of the disk, for everybody else
_FULL = (
    "There is no room for more photos now. Files are removed after an hour: try again later, or "
    "upload fewer."
)


class Uploads:
    """Refuses uploads that exceed the room of the store; truncates files that are no photos.

    Of a file that is no photo the first bytes stay: reading them tells the user what it is, and the
    photos that came with it are restored.

    Args:
        app: Gradio's routes, which write what is uploaded into the store.
    """

    def __init__(self, app: ASGIApp, store: Store, limits: Limits) -> None:
        self._app = app
        self._store = store
        self._limits = limits
        self._arriving = 0  # bytes of uploads that are on their way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if not _is_upload(scope):
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            await answer(send, 411, "Say how large the upload is.")
            return
        size = int(length)
        if not await asyncio.to_thread(self._has_room, size):
            await answer(send, 413, _FULL)
            return
        self._arriving += size
        try:
            await self._checked(scope, receive, send)
        finally:
            self._arriving -= size

    def _has_room(self, size: int) -> bool:
        used = self._store.size() + self._arriving + size
        free = shutil.disk_usage(self._store.root).free - self._arriving - size
        return used <= self._limits.max_store_bytes and free >= _RESERVE_BYTES

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets Gradio take the upload, and answers once no file but photos is whole."""
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, collect)
        body = b"".join(message.get("body", b"") for message in messages)
        await asyncio.to_thread(self._truncate_others, body)
        for message in messages:
            await send(message)

    def _truncate_others(self, body: bytes) -> None:
        """Truncates each uploaded file that is no photo to `_HEAD_BYTES`."""
        try:
            listed: Any = json.loads(body)
        except ValueError:
            return
        names = cast(list[Any], listed) if isinstance(listed, list) else []
        paths = [Path(name) for name in names if isinstance(name, str)]
        for path in (path for path in paths if path.resolve().is_relative_to(self._store.root)):
            try:
                with path.open("rb+") as file:
                    try:
                        sniff(path, file.read(_HEAD_BYTES))
                    except InputError:
                        file.truncate()  # after what was read
            except OSError:
                continue


def _is_upload(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and str(scope["path"]).rstrip("/").endswith("/upload")
    )
