"""The status text of the page: the running job with its progress, errors, and what was done."""

from __future__ import annotations

import logging
import math
from typing import Any

from unfade.errors import UnfadeError
from unfade.timing import STAGES
from unfade.web.job import Job
from unfade.web.limits import sentence
from unfade.web.session import Session

logger = logging.getLogger(__name__)

#: The stages of the first and of the last step of a restoration; all others are the second.
_FIRST, _LATER = ("start", "load", "read", "detect", "measure"), ("align", "hint", "write", "show")
_LAST = 3
#: The stage in which a restoration waits for the detection of its photo.
AFTER_DETECTION = "after"
STOPPED = "Stopped. What was not finished is gone."
#: Shown only beside red marks (page.css).
READY = "Red marks what will be filled in. Change it, or go on."
PHOTOS_LOST = (
    "The server no longer has your photos: it was started again, or an hour has passed. "
    "Please choose them again."
)


def error_text(error: Exception) -> str:
    """An error as a sentence; an unexpected one is logged, and its text has no detail."""
    if isinstance(error, UnfadeError):
        return sentence(error)
    logger.error("an unexpected error on the page", exc_info=error)
    return "Something went wrong on the server. Try again; if it stays, report it with its log."


def status(session: Session) -> dict[str, Any]:
    """The data that progress.js shows.

    Returns:
        "busy", whether a job runs; "text"; "alert", the errors; "share", 0..1, or None without a
        progress bar; "ready", whether the text is about the red marks.
    """
    failed = " ".join(session.failed)
    if session.busy:
        text, share = _running(session)
        return {"busy": True, "text": text, "alert": failed, "share": share, "ready": False}
    photo = session.photo
    ready = not session.message and not failed and photo is not None and photo.searched
    text = READY if ready else session.message
    return {"busy": False, "text": text, "alert": failed, "share": None, "ready": ready}


def lost() -> dict[str, Any]:
    """The status of a page whose photos the server no longer has."""
    return {"busy": False, "text": "", "alert": PHOTOS_LOST, "share": None, "ready": False}


def _running(session: Session) -> tuple[str, float]:
    """The text of the running job, and the share of it that is done."""
    all_jobs = list(session.jobs)
    jobs = [job for job in all_jobs if not job.stops]
    if all_jobs and not jobs:
        return "Stopping", all_jobs[0].share
    restoring = next((job for job in jobs if job.kind == "restore"), None)
    detecting = next((job for job in jobs if job.kind == "detect"), None)
    if restoring is not None and restoring.stage != AFTER_DETECTION:
        return _job_text(restoring), restoring.share
    if detecting is not None:
        then = "" if restoring is None else ". Then your photo is restored"
        return _job_text(detecting) + then, detecting.share
    return "Reading your photos", 0.0


def _job_text(job: Job) -> str:
    """A job's description with its progress, and the remaining time if it is known."""
    if job.before:
        come = "one other piece of work comes" if job.before == 1 else (
            f"{job.before} other pieces of work come"
        )  # fmt: skip
        return f"Waiting{job.name}: {come} first"
    text = f"Looking for damage{job.name}"
    if job.kind == "detect" and job.stage in ("start", "read"):
        return f"{text}: {STAGES['read']}"
    if job.kind == "restore":
        step = 1 if job.stage in _FIRST else 3 if job.stage in _LATER else 2
        text = f"Step {step} of {_LAST}{job.name}, {STAGES.get(job.stage, job.stage)}"
    left_s = job.left_s()
    left = "" if left_s is None else f", {duration(left_s)} left"
    return f"{text}: {100 * job.share:.0f} %{left}"


def duration(seconds: float) -> str:
    """A rounded duration, such as "a few seconds", "about 40 seconds", "about 3 minutes"."""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"about {10 * math.ceil(seconds / 10)} seconds"
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} minute{'' if minutes == 1 else 's'}"
