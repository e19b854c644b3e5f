"""A progress bar for work of more than two seconds, on a terminal only."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from unfade.errors import printable
from unfade.timing import STAGES
from unfade.types import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_MIN_S = 2.0  # shorter work shows no bar
_WAIT_S = 0.5  # before the total time is estimated


class Bar:
    """The progress bar of a batch on stderr. It appears once the estimate exceeds two seconds."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._started = time.monotonic()
        self._enabled = sys.stderr.isatty()
        self._bar: tuple[RichProgress, TaskID] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar[0].stop()

    def reporter(self, index: int, name: str) -> Progress:
        """The progress callback of job number `index`: called with stage and share, 0..1."""
        from pathlib import Path

        label = printable(Path(name))

        def report(stage: str, share: float) -> None:
            self._update(index + share, f"{label}: {STAGES.get(stage, stage)}")

        if self._enabled:
            self._update(float(index), label)
        return report

    def _update(self, completed: float, text: str) -> None:
        if not self._enabled:
            return
        if self._bar is None and self._is_long(completed):
            self._bar = self._show()
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, completed=completed, description=text)

    def _is_long(self, completed: float) -> bool:
        elapsed_s = time.monotonic() - self._started
        if elapsed_s < _WAIT_S or completed >= self._jobs:
            return False
        return elapsed_s * self._jobs / max(completed, 1e-3) > _MIN_S

    def _show(self) -> tuple[RichProgress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.1f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        progress.start()
        return progress, progress.add_task("", total=self._jobs)
