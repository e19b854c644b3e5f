"""Tasks of one visitor, done one after the other beside all else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """Something to be done for the photo with a key; it tells its own errors."""

    key: str
    run: Callable[[], None]


class Line:
    """Does tasks in a thread that lives as long as there are any, whoever looks on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Task] = []
        self._current: Task | None = None
        self._runs = False

    def put(self, key: str, run: Callable[[], None]) -> None:
        """Adds a task for the photo with a key."""
        with self._lock:
            self._waiting.append(Task(key, run))
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._work, name="unfade-line", daemon=True).start()

    def prefer(self, key: str) -> None:
        """The tasks of a photo come next."""
        with self._lock:
            self._waiting.sort(key=lambda task: task.key != key)  # stable

    def drop(self, key: str | None = None) -> None:
        """Forgets what waits for a photo, or all that waits where the key is None."""
        with self._lock:
            self._waiting = [one for one in self._waiting if key is not None and one.key != key]

    def keys(self) -> list[str]:
        """Of the photos that are worked on or wait."""
        with self._lock:
            current = [] if self._current is None else [self._current]
            return [task.key for task in (*current, *self._waiting)]

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._current, self._runs = None, False
                    return
                self._current = self._waiting.pop(0)
                task = self._current
            try:
                task.run()
            except Exception:
                logger.exception("a task of the page failed")
