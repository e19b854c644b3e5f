"""Locks a DST, so that two runs do not write to it at once."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any

from unfade.archive.storage import RECORDS, LocalStorage, Storage
from unfade.errors import UnfadeError, UsageError
from unfade.files import make_folder

LOCK = f"{RECORDS}/lock"
_HOLDER = f"{RECORDS}/lock.json"
_BEAT_S = 10.0


def lock(storage: Storage, *, beat_s: float = _BEAT_S) -> AbstractContextManager[object]:
    """Locks a DST for one run.

    In a folder it is a lock of the file system, which ends with the process. In an object store it
    is an object that is renewed (heartbeat): one that was not renewed for three intervals belongs
    to a run that was killed, and is taken over.

    Args:
        beat_s: seconds between two renewals.

    Raises:
        UsageError: on entering, where another run holds it.
    """
    return _FolderLock(storage) if isinstance(storage, LocalStorage) else _Lease(storage, beat_s)


def _locked_error(storage: Storage, holder: object) -> UsageError:
    got = f"{storage.url}, which another run writes to ({holder})"
    return UsageError(got, "one run for each DST", "wait until it ends, or stop it")


def _holder_name() -> str:
    return f"process {os.getpid()} on {platform.node()}"


class _FolderLock:
    def __init__(self, storage: LocalStorage) -> None:
        from filelock import FileLock

        self._storage = storage
        make_folder(storage.root / RECORDS)
        self._lock = FileLock(storage.root / LOCK)

    def __enter__(self) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            holder = self._storage.read(_HOLDER) or b"unknown"
            raise _locked_error(self._storage, holder.decode()) from error
        self._storage.write(_HOLDER, _holder_name().encode())

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class _Lease:
    def __init__(self, storage: Storage, beat_s: float) -> None:
        self._storage = storage
        self._beat_s = beat_s
        self._token = f"{_holder_name()}, {os.urandom(4).hex()}"
        self._beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> None:
        record = self._read_record()
        if record is not None:
            deadline = time.monotonic() + 3 * self._beat_s
            while time.monotonic() < deadline:
                time.sleep(self._beat_s / 4)
                if self._read_record() not in (record, None):
                    raise _locked_error(self._storage, record.get("holder"))
        self._heartbeat()
        time.sleep(self._beat_s / 4)  # of two runs that write at once, the last one has it
        current = self._read_record()
        if current is None or current.get("holder") != self._token:
            raise _locked_error(self._storage, (current or {}).get("holder"))
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        current = self._read_record()
        if current is not None and current.get("holder") == self._token:
            self._storage.remove(_HOLDER)

    def _read_record(self) -> dict[str, Any] | None:
        text = self._storage.read(_HOLDER)
        return None if text is None else json.loads(text)

    def _heartbeat(self) -> None:
        self._beats += 1
        text = json.dumps({"holder": self._token, "beats": self._beats})
        self._storage.write(_HOLDER, text.encode())

    def _renew(self) -> None:
        while not self._ended.wait(self._beat_s):
            with suppress(UnfadeError):  # the next heartbeat may succeed
                self._heartbeat()
