"""Keeps two runs from writing to one DST."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any

from unfade.archive.places import RECORDS, LocalPlace, Place
from unfade.errors import UnfadeError, UsageError
from unfade.files import make_folder

LOCK = f"{RECORDS}/lock"
_HOLDER = f"{RECORDS}/lock.json"
_BEAT_S = 10.0


def lock(place: Place, *, beat_s: float = _BEAT_S) -> AbstractContextManager[object]:
    """Holds a DST for one run.

    In a folder it is a lock of the file system, which ends with the process. In an object store it
    is an object that is renewed: one that nobody has renewed for three beats belongs to a run that
    was killed, and is taken over.

    Args:
        beat_s: seconds between two renewals.

    Raises:
        UsageError: on entering, where another run holds it.
    """
    return _FolderLock(place) if isinstance(place, LocalPlace) else _Lease(place, beat_s)


def _busy(place: Place, holder: object) -> UsageError:
    got = f"{place.url}, which another run writes to ({holder})"
    return UsageError(got, "one run for each DST", "wait until it ends, or stop it")


def _me() -> str:
    return f"process {os.getpid()} on {platform.node()}"


class _FolderLock:
    def __init__(self, place: LocalPlace) -> None:
        from filelock import FileLock

        self._place = place
        make_folder(place.root / RECORDS)
        self._lock = FileLock(place.root / LOCK)

    def __enter__(self) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            holder = self._place.read(_HOLDER) or b"unknown"
            raise _busy(self._place, holder.decode()) from error
        self._place.write(_HOLDER, _me().encode())

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class _Lease:
    def __init__(self, place: Place, beat_s: float) -> None:
        self._place = place
        self._beat_s = beat_s
        self._token = f"{_me()}, {os.urandom(4).hex()}"
        self._beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> None:
        found = self._found()
        if found is not None:
            deadline = time.monotonic() + 3 * self._beat_s
            while time.monotonic() < deadline:
                time.sleep(self._beat_s / 4)
                if self._found() not in (found, None):
                    raise _busy(self._place, found.get("holder"))
        self._beat()
        time.sleep(self._beat_s / 4)  # of two that come at once, the last to write has it
        now = self._found()
        if now is None or now.get("holder") != self._token:
            raise _busy(self._place, (now or {}).get("holder"))
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        now = self._found()
        if now is not None and now.get("holder") == self._token:
            self._place.remove(_HOLDER)

    def _found(self) -> dict[str, Any] | None:
        text = self._place.read(_HOLDER)
        return None if text is None else json.loads(text)

    def _beat(self) -> None:
        self._beats += 1
        text = json.dumps({"holder": self._token, "beats": self._beats})
        self._place.write(_HOLDER, text.encode())

    def _renew(self) -> None:
        while not self._ended.wait(self._beat_s):
            with suppress(UnfadeError):  # the next beat may pass
                self._beat()
