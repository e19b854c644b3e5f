"""Reads uploads and looks for their damage, beside all else. Nothing is sought twice."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.types import Progress
from unfade.web import actions
from unfade.web.job import Job, Stopped
from unfade.web.session import Desk, Opened, Session
from unfade.web.status import AFTER, text_of

_LARGE = 1000  # pixels of the long side, from which on a small copy is searched first
_WAIT_S = 0.25
#: The share of a restoration that the search of its photo takes, where it is part of it.
FIND = 0.3


@dataclass(frozen=True)
class Search:
    """Fills a session with photos and their damage."""

    desk: Desk

    def open(self, session: Session, files: Sequence[str]) -> None:
        """Photos appear one after the other, the first of them at once; then they are searched.

        A file that cannot be opened is told, and the others go on.
        """
        for number, file in enumerate(files):
            read = functools.partial(self._read, session, file, choose=number == 0)
            session.reading.put("", read)

    def searched(self, session: Session, opened: Opened, job: Job) -> Opened:
        """A photo once its damage is found: after the search that runs, or by one of its own.

        Args:
            job: what needs it, and tells how far it is.

        Raises:
            InputError: the photo cannot be read as a whole.
            Stopped: the job was stopped.
        """
        while opened.key in (*session.reading.keys(), *session.looking.keys()):
            job.report(AFTER, 0.0)
            time.sleep(_WAIT_S)
        opened = session.find(opened.key) or opened
        if opened.searched:
            return opened
        return self._find(
            session, opened, job, lambda stage, share: job.report(stage, FIND * share)
        )

    def _read(self, session: Session, file: str, *, choose: bool) -> None:
        """Opens one upload."""
        job = Job("read", "", "")
        with session.running(job):
            try:
                self.desk.limits.check_count(len(session.photos) + 1)
                opened = actions.load_photo(self.desk, Path(file))
            except Exception as error:
                session.fail(text_of(error))
                return
        if job.stops:
            return
        session.photos.append(opened)
        if choose or len(session.photos) == 1:
            session.choose(opened.key)
        if max(opened.height, opened.width) > _LARGE:
            session.reading.put(opened.key, functools.partial(self._glance, session, opened))
        else:
            session.looking.put(opened.key, functools.partial(self._look, session, opened))

    def _glance(self, session: Session, opened: Opened) -> None:
        """Looks for the damage in a small copy: it is seen while the whole is searched."""
        job = Job("look", opened.key, "")
        with session.running(job):
            try:
                session.replace(actions.glance(self.desk, opened))
            except Exception as error:  # the search of the whole photo follows all the same
                session.fail(text_of(error))
        if not job.stops:
            session.looking.put(opened.key, functools.partial(self._look, session, opened))

    def _look(self, session: Session, opened: Opened) -> None:
        """Looks for the damage of a whole photo."""
        more = len(session.looking.keys()) - 1
        job = Job("look", opened.key, f" in {opened.name}, {more} more to come" if more else "")
        with session.running(job):
            try:
                self._find(session, opened, job, job.report)
            except Stopped:
                return
            except Exception as error:
                session.fail(text_of(error))

    def _find(self, session: Session, opened: Opened, job: Job, progress: Progress) -> Opened:
        """Searches a photo in its turn, and keeps what was found."""
        with self.desk.looking.turn(job.wait):
            found = actions.find_damage(self.desk, opened, progress)
        session.replace(found)
        return found
