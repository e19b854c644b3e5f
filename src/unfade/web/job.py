"""Work in a thread of its own, which tells how far it is and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from unfade.types import Progress
from unfade.web.memory import release_memory

T = TypeVar("T")
_POLL_S = 0.25


class Stopped(Exception):
    """The work was stopped before it was done."""


class Job(Generic[T]):
    """Runs `work` once. It stops at its next report of progress after `stop`."""

    def __init__(self, work: Callable[[Progress], T]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._done = threading.Event()
        self._at = ("wait", 0.0)
        self._result: list[T] = []
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Asks the work to end."""
        self._stop.set()

    def steps(self) -> Iterator[tuple[str, float]]:
        """Starts the work and gives (stage, share that is done, 0..1) until it has ended.

        Whoever stops listening stops the work too.
        """
        threading.Thread(target=self._run, name="unfade-job", daemon=True).start()
        try:
            while not self._done.wait(_POLL_S):
                yield self._at
        finally:
            self._stop.set()

    def result(self) -> T:
        """What came of the work, once `steps` has ended.

        Raises:
            Stopped: it was stopped.
            BaseException: its own error.
        """
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._report("start", 0.0)
            self._result.append(self._work(self._report))
        except BaseException as error:  # handed over to whoever asks for the result
            self._error = error
        finally:
            release_memory()
            self._done.set()

    def _report(self, stage: str, share: float) -> None:
        if self._stop.is_set():
            raise Stopped
        self._at = (stage, share)
