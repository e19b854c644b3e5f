"""Times the stages of a restoration and reports its progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

#: Called with the finished share of some work, 0..1.
Progress = Callable[[float], None]

#: What is done in each stage, in words for people.
STAGES = {
    "start": "starting",
    "load": "loading the generative model",
    "read": "reading the photo",
    "detect": "looking for damage",
    "measure": "measuring the damage",
    "mend": "mending",
    "enlarge": "making it larger",
    "colour": "finding colours",
    "diffuse": "redrawing with the generative model",
    "align": "comparing with the photo before",
    "hint": "laying on your colours",
    "write": "writing the files",
    "show": "drawing the comparison",
}


class StageTimer:
    """Measures the time of each stage, and converts their progress to one overall share.

    Attributes:
        seconds: the time spent in each stage so far, by its name.

    Args:
        report: called with the name of the stage and the finished share of all work, 0..1.
    """

    def __init__(self, report: Callable[[str, float], None] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._share = 0.0

    @contextlib.contextmanager
    def stage(self, name: str, begin: float, end: float) -> Generator[Progress]:
        """Times a stage from share `begin` to `end` of all work; yields its progress function."""
        last = time.perf_counter()

        def progress(share: float) -> None:
            nonlocal last
            now = time.perf_counter()
            self.seconds[name] = self.seconds.get(name, 0.0) + now - last
            last = now
            self._report_share(name, begin + (end - begin) * min(max(share, 0.0), 1.0))

        self._report_share(name, begin)
        yield progress
        progress(1.0)

    def _report_share(self, name: str, share: float) -> None:
        self._share = max(self._share, share)
        if self._report is not None:
            self._report(name, self._share)


def part(progress: Progress, index: int, count: int) -> Progress:
    """The progress of one of `count` equal parts of some work; `index` counts from 0."""
    return lambda share: progress((index + share) / count)


def ignore(share: float) -> None:
    """A progress function that does nothing."""
