"""Times the stages of a restoration and reports its progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

#: Called with the share of a piece of work that is done, 0..1. Every stage reports so.
Progress = Callable[[float], None]


class StageTimer:
    """Measures how long each stage takes, and turns their progress into one growing share.

    Attributes:
        seconds: the time spent in each stage so far, by its name.

    Args:
        report: called with the name of the stage and the share of all work that is done, 0..1.
    """

    def __init__(self, report: Callable[[str, float], None] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._share = 0.0

    @contextlib.contextmanager
    def stage(self, name: str, begin: float, end: float) -> Generator[Progress]:
        """Times a stage that takes the work from the share `begin` to `end`; gives its progress."""
        last = time.perf_counter()

        def progress(share: float) -> None:
            nonlocal last
            now = time.perf_counter()
            self.seconds[name] = self.seconds.get(name, 0.0) + now - last
            last = now
            self._tell(name, begin + (end - begin) * min(max(share, 0.0), 1.0))

        self._tell(name, begin)
        yield progress
        progress(1.0)

    def _tell(self, name: str, share: float) -> None:
        self._share = max(self._share, share)
        if self._report is not None:
            self._report(name, self._share)


def part(progress: Progress, index: int, count: int) -> Progress:
    """The progress of one of `count` equal parts of some work; `index` counts from 0."""
    return lambda share: progress((index + share) / count)


def ignore(share: float) -> None:
    """Progress that is reported to nobody."""
