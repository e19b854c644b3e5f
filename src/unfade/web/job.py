"""Work in a thread of its own, which tells how far it is and can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from unfade.memory import release_memory
from unfade.types import Progress

T = TypeVar("T")
_POLL_S = 0.25
#: What must have passed and grown before a rate means something.
_PACE_S, _PACE_SHARE = 1.5, 0.08


class Stopped(Exception):
    """The work was stopped before it was done."""


class Pace:
    """Tells how long work goes on, from the share that is done and how fast it grew."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = (0.0, 0.0)  # s, share

    def left_s(self, stage: str, share: float, now_s: float | None = None) -> float | None:
        """Seconds until all is done, None while that cannot be told.

        The rate is that of this stage, which is known only after a while; a stage that is short
        against the whole says nothing about the others.

        Args:
            stage, share: as `Job.steps` gives them.
            now_s: seconds of any clock; None is the system's.
        """
        now_s = time.monotonic() if now_s is None else now_s
        if stage != self._stage:
            self._stage, self._began = stage, (now_s, share)
        began_s, at_first = self._began
        passed_s, grown = now_s - began_s, share - at_first
        if passed_s < _PACE_S or grown < _PACE_SHARE:
            return None
        return passed_s * (1 - share) / grown


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
