"""Restores the photos of a visitor in a background thread; closing the page does not stop it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unfade.errors import UsageError
from unfade.web import actions
from unfade.web.detection import DetectionWorker
from unfade.web.job import Job, Stopped
from unfade.web.session import AppContext, OpenedPhoto, RestoreRequest, Result, Session
from unfade.web.settings import Settings
from unfade.web.status import error_text

_DONE = "Done."
_FINISHED = "restored with these settings before, and not restored again"
#: Keys of an edit: those of the mask, and those of painted colours.
_MASK, _COLOURS = ("sensitivity", "layer"), ("tints", "colours")


@dataclass(frozen=True)
class RestoreWorker:
    """Queues the restorations of a visitor, and adds their results to the session."""

    context: AppContext
    detection: DetectionWorker

    def start(self, session: Session, photos: Sequence[OpenedPhoto], settings: Settings) -> None:
        """Restores photos one after the other, except those that have a result with these settings.

        Raises:
            UsageError: more restorations would wait than `Limits.max_photos`.
        """
        unchanged: list[str] = []
        new_requests: list[tuple[OpenedPhoto, RestoreRequest]] = []
        for opened in photos:
            request = self._request(session, opened, settings)
            index = session.find_result(opened.key, request)
            if index is not None:
                session.result_index[opened.key] = index
                unchanged.append(opened.name)
            elif (opened.key, request) not in session.pending:
                new_requests.append((opened, request))
        maximum = self.context.limits.max_photos
        if len(session.pending) + len(new_requests) > maximum:
            got = f"{len(session.pending) + len(new_requests)} restorations at once"
            raise UsageError(got, f"at most {maximum}", "wait until some are done")
        for number, (opened, request) in enumerate(new_requests, 1):
            name = (
                f" ({opened.name}, {number} of {len(new_requests)})"
                if len(new_requests) > 1
                else ""
            )
            session.pending.append((opened.key, request))
            session.restoring.put(
                opened.key, functools.partial(self._restore, session, opened, request, name)
            )
        if unchanged:
            verb = "was" if len(unchanged) == 1 else "were"
            session.message = f"{', '.join(unchanged)} {verb} {_FINISHED}."

    def _request(self, session: Session, opened: OpenedPhoto, settings: Settings) -> RestoreRequest:
        """The settings and painted layers that affect this photo, and defaults for the others."""
        painted = session.edits.get(opened.key) or {}
        edit: dict[str, Any] = {
            "id": opened.key,
            "sensitivity": "normal",
            "layer": "",
            "tints": "",
            "colours": [],
        }
        if settings.task != "super-resolution":
            edit |= {name: painted[name] for name in _MASK if name in painted}
        if settings.task == actions.colour_task(self.context) and painted.get("tints"):
            edit |= {name: painted[name] for name in _COLOURS}
        if settings.refreshes(opened.coloured):  # all else is not shown
            settings = Settings("colorize")
            edit["sensitivity"] = "normal"
        return RestoreRequest(settings, edit)

    def _restore(
        self, session: Session, opened: OpenedPhoto, request: RestoreRequest, name: str
    ) -> None:
        """Restores one photo, after its damage detection, when the queue reaches it."""
        job = Job("restore", opened.key, name)
        with session.running(job):
            try:
                result = self._run(session, opened, request, job)
                if session.find(opened.key) is not None:
                    session.add(result)
                    if not session.message.startswith(_DONE):
                        session.message = f"{_DONE} {session.message}".strip()
            except Stopped:
                return
            except Exception as error:
                session.fail(error_text(error))
            finally:
                if (opened.key, request) in session.pending:  # Cancel forgets all of them
                    session.pending.remove((opened.key, request))

    def _run(
        self, session: Session, opened: OpenedPhoto, request: RestoreRequest, job: Job
    ) -> Result:
        if request.settings.task != "super-resolution":
            opened = self.detection.with_detection(session, opened, job)
        with self.context.restoring.hold(job.wait):
            return actions.restore(self.context, opened, request.settings, request.edit, job.report)
