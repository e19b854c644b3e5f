"""A lock that is granted in the order of requests, with a limit on how many may wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator

from unfade.errors import UsageError

_POLL_S = 0.25


class FifoLock:
    """Lets one caller at a time work, first come, first served.

    Args:
        max_waiting: how many may wait while one works.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._queue: list[object] = []  # the holder, then those that wait
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, wait: Callable[[int], None] = lambda before: None) -> Generator[None]:
        """Holds the lock; waits until all earlier callers have released it.

        Args:
            wait: called repeatedly with the number of earlier callers; an exception that it
                raises gives up the request.

        Raises:
            UsageError: `max_waiting` callers wait already.
        """
        ticket = object()
        with self._changed:
            if len(self._queue) > self._max_waiting:
                got = f"a server on which {self._max_waiting} pieces of work wait already"
                raise UsageError(got, "fewer", "try again in some minutes")
            self._queue.append(ticket)
        try:
            before = self._before(ticket)
            while before:
                wait(before)
                before = self._before(ticket, _POLL_S)
            wait(0)
            yield
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _before(self, ticket: object, wait_s: float = 0.0) -> int:
        """The number of earlier callers, after waiting for a change."""
        with self._changed:
            if wait_s and self._queue[0] is not ticket:
                self._changed.wait(wait_s)
            return self._queue.index(ticket)
