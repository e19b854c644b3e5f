"""Work that tells how far it is and how long it still takes, and that can be stopped."""

from __future__ import annotations

import threading
import time
from typing import Literal

#: What must have passed and grown before a rate means something.
_PACE_S, _PACE_SHARE = 1.5, 0.08
#: How much of a new estimate of the end, and of the latest rate, is taken over.
_TRUST, _LATEST = 0.5, 0.3
#: An estimate that rises by less than this is left as it is.
_RISE, _RISE_S = 1.3, 5.0


class Stopped(Exception):
    """The work was stopped before it was done."""


class Pace:
    """Estimates how long work still takes, from the share that is done and how fast it grew.

    Work is done tile by tile, on a machine that may have other work: the time between two reports
    varies. So the end is estimated at each report alone, from the rate of the whole stage and the
    latest one; half of a change is taken over; between two reports the time counts down, for as
    long as reports usually are apart; and a small rise is not shown.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._began = self._last = (0.0, 0.0)  # s, share
        self._reports = 0  # of progress in the stage
        self._rate = 0.0  # the latest, share a second
        self._end_s: float | None = None
        self._shown_s: float | None = None

    def report(self, stage: str, share: float, now_s: float) -> None:
        """Notes how far the work is.

        The rates are those of one stage; a stage that is short against the whole says nothing
        about the others.

        Args:
            stage, share: the name of what is done, and the share of all work, 0..1.
            now_s: seconds of any clock.
        """
        if stage != self._stage:
            self._stage = stage
            self._began = self._last = (now_s, share)
            self._reports, self._rate = 0, 0.0
            return
        step_s, step = now_s - self._last[0], share - self._last[1]
        if step <= 0 or step_s <= 0:
            return
        latest = step / step_s
        self._rate = latest if not self._rate else self._rate + _LATEST * (latest - self._rate)
        self._last = now_s, share
        self._reports += 1
        passed_s, grown = now_s - self._began[0], share - self._began[1]
        if passed_s < _PACE_S or grown < _PACE_SHARE:
            return
        rate = (grown / passed_s + self._rate) / 2
        end_s = now_s + (1 - share) / rate
        self._end_s = end_s if self._end_s is None else self._end_s + _TRUST * (end_s - self._end_s)

    def left_s(self, now_s: float) -> float | None:
        """Seconds until all is done, None while that is not known."""
        if self._end_s is None:
            return None
        if self._reports:
            usual_s = (self._last[0] - self._began[0]) / self._reports
            now_s = min(now_s, self._last[0] + usual_s)
        left_s = max(self._end_s - now_s, 0.0)
        shown_s = self._shown_s
        if shown_s is not None and shown_s < left_s < _RISE * shown_s + _RISE_S:
            return shown_s
        self._shown_s = left_s
        return left_s


class Job:
    """One piece of work for one photo.

    Attributes:
        kind: "read" opens an upload, "look" finds damage, "mend" restores.
        key: of the photo.
        name: what is said of the photo, such as its name and place among several.
        stage, share: what is done, and the share of all that is done, 0..1.
        before: how many pieces of work come before it.
    """

    def __init__(self, kind: Literal["read", "look", "mend"], key: str, name: str) -> None:
        self.kind, self.key, self.name = kind, key, name
        self.stage, self.share, self.before = "start", 0.0, 0
        self._pace = Pace()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Asks the work to end, at its next report of progress."""
        self._stop.set()

    @property
    def stops(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def wait(self, before: int) -> None:
        """Notes how many pieces of work come before. Stopped where it was stopped."""
        if self.stops:
            raise Stopped
        self.before = before

    def report(self, stage: str, share: float) -> None:
        """Notes how far the work is. Stopped where it was stopped."""
        if self.stops:
            raise Stopped
        with self._lock:
            self.stage, self.share = stage, max(share, self.share)
            self._pace.report(stage, self.share, time.monotonic())

    def left_s(self) -> float | None:
        """Seconds until it is done, None while that is not known."""
        with self._lock:
            return self._pace.left_s(time.monotonic())
