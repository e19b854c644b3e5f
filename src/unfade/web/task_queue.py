"""A queue of tasks of one visitor, run one after the other in a background thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A function to be run for the photo with a key; it handles its own errors."""

    key: str
    run: Callable[[], None]


class TaskQueue:
    """Runs tasks in a thread, which ends when the queue is empty."""

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
                threading.Thread(target=self._work, name="unfade-task-queue", daemon=True).start()

    def prefer(self, key: str) -> None:
        """Moves the tasks of a photo to the front."""
        with self._lock:
            self._waiting.sort(key=lambda task: task.key != key)  # stable

    def drop(self, key: str | None = None) -> None:
        """Removes the waiting tasks of a photo, or all waiting tasks if the key is None."""
        with self._lock:
            self._waiting = [task for task in self._waiting if key is not None and task.key != key]

    def keys(self) -> list[str]:
        """The photos of the running task and of the waiting ones."""
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
