"""One piece of work at a time, in the order in which visitors asked for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator

from unfade.errors import UsageError

_POLL_S = 0.25


class Turns:
    """Gives each piece of work its turn. A turn ends before the next begins.

    Args:
        most: how many may wait while one runs.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._line: list[object] = []  # whose turn it is, then those that wait
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def turn(self, wait: Callable[[int], None] = lambda before: None) -> Generator[None]:
        """Waits until no other work comes before, and then lets the caller work.

        Args:
            wait: called again and again with how many pieces of work come before; an exception
                that it raises gives up the place.

        Raises:
            UsageError: as many are waiting as may.
        """
        place = object()
        with self._changed:
            if len(self._line) > self._most:
                got = f"a server on which {self._most} pieces of work wait already"
                raise UsageError(got, "fewer", "try again in some minutes")
            self._line.append(place)
        try:
            before = self._before(place)
            while before:
                wait(before)
                before = self._before(place, _POLL_S)
            wait(0)
            yield
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    def _before(self, place: object, wait_s: float = 0.0) -> int:
        """How many come before a place, after waiting for a change."""
        with self._changed:
            if wait_s and self._line[0] is not place:
                self._changed.wait(wait_s)
            return self._line.index(place)
