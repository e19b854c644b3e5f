"""Restores the photos of a visitor, beside all else: the work goes on when the page is left."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unfade.errors import UsageError
from unfade.web import actions
from unfade.web.job import Job, Stopped
from unfade.web.search import Search
from unfade.web.session import Desk, Made, Opened, Order, Session
from unfade.web.settings import Settings
from unfade.web.status import text_of

_DONE = "Done."
_FINISHED = "finished with these settings before, and not done again"
#: Edits that count where colours are painted, and where none are.
_MASK, _COLOURS = ("sensitivity", "layer"), ("tints", "colours")


@dataclass(frozen=True)
class Work:
    """Fills a session with results."""

    desk: Desk
    search: Search

    def start(self, session: Session, photos: Sequence[Opened], settings: Settings) -> None:
        """Restores photos one after the other, but those that are finished with these settings.

        Raises:
            UsageError: too much waits already.
        """
        finished: list[str] = []
        wanted: list[tuple[Opened, Order]] = []
        for opened in photos:
            order = self._order(session, opened, settings)
            place = session.finished(opened.key, order)
            if place is not None:
                session.kept[opened.key] = place
                finished.append(opened.name)
            elif (opened.key, order) not in session.orders:
                wanted.append((opened, order))
        most = self.desk.limits.max_photos
        if len(session.orders) + len(wanted) > most:
            got = f"{len(session.orders) + len(wanted)} restorations at once"
            raise UsageError(got, f"at most {most}", "wait until some are done")
        for number, (opened, order) in enumerate(wanted, 1):
            name = f" ({opened.name}, {number} of {len(wanted)})" if len(wanted) > 1 else ""
            session.orders.append((opened.key, order))
            session.restoring.put(
                opened.key, functools.partial(self._restore, session, opened, order, name)
            )
        if finished:
            verb = "was" if len(finished) == 1 else "were"
            session.told = f"{', '.join(finished)} {verb} {_FINISHED}."

    def _order(self, session: Session, opened: Opened, settings: Settings) -> Order:
        """What counts of the settings and of what was painted on a photo."""
        sent = session.edits.get(opened.key) or {}
        edit: dict[str, Any] = {
            "id": opened.key, "sensitivity": "normal", "layer": "", "tints": "", "colours": [],
        }  # fmt: skip
        if settings.task != "super-resolution":
            edit |= {name: sent[name] for name in _MASK if name in sent}
        if settings.task == actions.colour_task(self.desk) and sent.get("tints"):
            edit |= {name: sent[name] for name in _COLOURS}
        if settings.refreshes(opened.coloured):  # all else is not shown
            settings = Settings("colorize")
            edit["sensitivity"] = "normal"
        return Order(settings, edit)

    def _restore(self, session: Session, opened: Opened, order: Order, name: str) -> None:
        """Restores one photo, once its damage is found, in its turn."""
        job = Job("mend", opened.key, name)
        with session.running(job):
            try:
                made = self._made(session, opened, order, job)
                if session.find(opened.key) is not None:
                    session.add(made)
                    if not session.told.startswith(_DONE):
                        session.told = f"{_DONE} {session.told}".strip()
            except Stopped:
                return
            except Exception as error:
                session.fail(text_of(error))
            finally:
                if (opened.key, order) in session.orders:  # Cancel forgets all of them
                    session.orders.remove((opened.key, order))

    def _made(self, session: Session, opened: Opened, order: Order, job: Job) -> Made:
        if order.settings.task != "super-resolution":
            opened = self.search.searched(session, opened, job)
        with self.desk.restoring.turn(job.wait):
            return actions.restore(self.desk, opened, order.settings, order.edit, job.report)
