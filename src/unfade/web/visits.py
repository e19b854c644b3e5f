"""Sessions by the key of the browser tab, so that a reload of the page finds its session."""

from __future__ import annotations

import re
import threading
import time

from unfade.web.session import Session

_KEY = re.compile(r"[0-9a-f]{32}")


class Visits:
    """All sessions of the server, each by a random key that only its browser tab knows.

    Args:
        keep_s: a session that is unused for longer is removed, as its photos are, seconds.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, key: str, now_s: float | None = None) -> Session | None:
        """The session of a key, None if there is none or it has expired."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            for stored_key, session in list(self._sessions.items()):
                if now_s - session.used_s > self._keep_s:
                    del self._sessions[stored_key]
            return self._sessions.get(key)

    def keep(self, key: str, session: Session) -> None:
        """Stores a session under a key, unless the key is malformed."""
        if _KEY.fullmatch(key):
            with self._lock:
                self._sessions[key] = session
