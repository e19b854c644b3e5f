"""One job of a visitor: its progress, an estimate of the remaining time, and how to stop it."""

from __future__ import annotations

import threading
import time
from typing import Literal

#: Time and share that must have passed in a stage before its rate is used.
_MIN_S, _MIN_SHARE = 1.5, 0.08
#: Weights of a new estimate of the end, and of the latest rate, in their running averages.
_END_WEIGHT, _RATE_WEIGHT = 0.5, 0.3
#: The shown estimate is kept where the new one is larger by less than this (factor, seconds).
_RISE, _RISE_S = 1.3, 5.0


class Stopped(Exception):
    """The job was stopped before it was done."""


class RemainingTime:
    """Estimates the remaining time of a job, from the share that is done and how fast it grew.

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
        """Notes the progress.

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
        self._rate = latest if not self._rate else self._rate + _RATE_WEIGHT * (latest - self._rate)
        self._last = now_s, share
        self._reports += 1
        passed_s, grown = now_s - self._began[0], share - self._began[1]
        if passed_s < _MIN_S or grown < _MIN_SHARE:
            return
        rate = (grown / passed_s + self._rate) / 2
        end_s = now_s + (1 - share) / rate
        self._end_s = (
            end_s if self._end_s is None else self._end_s + _END_WEIGHT * (end_s - self._end_s)
        )

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
        kind: "read" opens an upload, "detect" finds damage, "restore" restores.
        key: of the photo.
        name: text about the photo for the status, such as its name and its number among several.
        stage, share: the current stage, and the share of the whole job that is done, 0..1.
        before: how many jobs come before it.
    """

    def __init__(self, kind: Literal["read", "detect", "restore"], key: str, name: str) -> None:
        self.kind, self.key, self.name = kind, key, name
        self.stage, self.share, self.before = "start", 0.0, 0
        self._remaining = RemainingTime()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Asks the job to end at its next report of progress."""
        self._stop.set()

    @property
    def stops(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def wait(self, before: int) -> None:
        """Notes how many jobs come before. Raises Stopped if the job was stopped."""
        if self.stops:
            raise Stopped
        self.before = before

    def report(self, stage: str, share: float) -> None:
        """Notes the progress. Raises Stopped if the job was stopped."""
        if self.stops:
            raise Stopped
        with self._lock:
            self.stage, self.share = stage, max(share, self.share)
            self._remaining.report(stage, self.share, time.monotonic())

    def left_s(self) -> float | None:
        """Seconds until it is done, None while that is not known."""
        with self._lock:
            return self._remaining.left_s(time.monotonic())
