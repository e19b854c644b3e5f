"""Reads uploads and detects their damage, in background threads, once for each photo."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.types import Progress
from unfade.web import actions
from unfade.web.job import Job, Stopped
from unfade.web.session import AppContext, OpenedPhoto, Session
from unfade.web.status import AFTER_DETECTION, error_text

_LARGE = 1000  # pixels of the long side; of a larger photo a small copy is searched first
_WAIT_S = 0.25
#: The share of a restoration's progress that detection takes, where it is part of it.
_DETECTION_SHARE = 0.3


@dataclass(frozen=True)
class DetectionWorker:
    """Opens the photos of a visitor, detects their damage, and adds both to the session."""

    context: AppContext

    def open(self, session: Session, files: Sequence[str]) -> None:
        """Opens files one after the other and shows the first at once; then detects their damage.

        A file that cannot be opened is noted as an error of the session; the others follow.
        """
        for number, file in enumerate(files):
            read = functools.partial(self._read, session, file, choose=number == 0)
            session.reading.put("", read)

    def with_detection(self, session: Session, opened: OpenedPhoto, job: Job) -> OpenedPhoto:
        """A photo with its damage: waits for the detection that runs, or runs one.

        Args:
            job: the work that needs the damage; it reports the progress.

        Raises:
            InputError: the photo cannot be read as a whole.
            Stopped: the job was stopped.
        """
        while opened.key in (*session.reading.keys(), *session.detecting.keys()):
            job.report(AFTER_DETECTION, 0.0)
            time.sleep(_WAIT_S)
        opened = session.find(opened.key) or opened
        if opened.searched:
            return opened
        return self._find(
            session, opened, job, lambda stage, share: job.report(stage, _DETECTION_SHARE * share)
        )

    def _read(self, session: Session, file: str, *, choose: bool) -> None:
        """Opens one upload."""
        job = Job("read", "", "")
        with session.running(job):
            try:
                self.context.limits.check_count(len(session.photos) + 1)
                opened = actions.load_photo(self.context, Path(file))
            except Exception as error:
                session.fail(error_text(error))
                return
        if job.stops:
            return
        session.photos.append(opened)
        if choose or len(session.photos) == 1:
            session.choose(opened.key)
        if max(opened.height, opened.width) > _LARGE:
            session.reading.put(
                opened.key, functools.partial(self._detect_coarsely, session, opened)
            )
        else:
            session.detecting.put(opened.key, functools.partial(self._detect, session, opened))

    def _detect_coarsely(self, session: Session, opened: OpenedPhoto) -> None:
        """Detects damage in a small copy, to show it while the whole photo is searched."""
        job = Job("detect", opened.key, "")
        with session.running(job):
            try:
                session.replace(actions.detect_coarsely(self.context, opened))
            except Exception as error:  # the whole photo is searched next all the same
                session.fail(error_text(error))
        if not job.stops:
            session.detecting.put(opened.key, functools.partial(self._detect, session, opened))

    def _detect(self, session: Session, opened: OpenedPhoto) -> None:
        """Detects the damage of a photo at full size."""
        more = len(session.detecting.keys()) - 1
        job = Job("detect", opened.key, f" in {opened.name}, {more} more to come" if more else "")
        with session.running(job):
            try:
                self._find(session, opened, job, job.report)
            except Stopped:
                return
            except Exception as error:
                session.fail(error_text(error))

    def _find(
        self, session: Session, opened: OpenedPhoto, job: Job, progress: Progress
    ) -> OpenedPhoto:
        """Detects the damage of a photo when the lock is free, and updates the session."""
        with self.context.detecting.hold(job.wait):
            detected = actions.find_damage(self.context, opened, progress)
        session.replace(detected)
        return detected
