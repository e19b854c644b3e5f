"""How long the stages of a restoration took, and how far it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator


class Clock:
    """Times the stages of one photo and reports how far it is, as one share that only grows.

    Args:
        progress: called with the stage and the share of the work that is done, 0..1.
    """

    def __init__(self, progress: Callable[[str, float], None] | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._begin, self._end = 0.0, 1.0
        self._share = 0.0
        self._last = time.perf_counter()

    @contextlib.contextmanager
    def stage(self, name: str, begin: float, end: float) -> Generator[None]:
        """A stage that takes the work from `begin` to `end`; `tick` may divide it further."""
        self._begin, self._end = begin, end
        self._last = time.perf_counter()
        self._report(name, 0.0)
        yield
        self.tick(name, 1.0)

    def tick(self, name: str, share: float) -> None:
        """The time since the last tick went into `name`; `share` of the stage is done."""
        moment = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + moment - self._last
        self._last = moment
        self._report(name, share)

    def _report(self, name: str, share: float) -> None:
        done = self._begin + (self._end - self._begin) * min(max(share, 0.0), 1.0)
        self._share = max(self._share, done)
        if self._progress is not None:
            self._progress(name, self._share)
