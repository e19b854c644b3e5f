"""Sessions that a reload of the page finds again."""

from __future__ import annotations

import re
import threading
import time

from unfade.web.session import Session

_KEY = re.compile(r"[0-9a-f]{32}")


class Visits:
    """Sessions by a key that only the visitor's browser tab knows.

    Args:
        keep_s: a session that nobody used for so long is forgotten, as its photos are removed.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, key: str, now_s: float | None = None) -> Session | None:
        """The session of a key, None where there is none (any more)."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            for other, session in list(self._sessions.items()):
                if now_s - session.used_s > self._keep_s:
                    del self._sessions[other]
            return self._sessions.get(key)

    def keep(self, key: str, session: Session) -> None:
        """Lets `find` find a session, unless the key is none that a page makes."""
        if _KEY.fullmatch(key):
            with self._lock:
                self._sessions[key] = session
