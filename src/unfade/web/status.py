"""What the page says about the work: what is being done, how far it is, what came of it."""

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
#: A stage in which a restoration waits for the search of its photo.
AFTER = "after"
STOPPED = "Stopped. What was not finished is gone."
#: It is seen beside red marks only (page.css).
READY = "Red marks what will be filled in. Change it, or go on."
GONE = (
    "The server no longer has your photos: it was started again, or an hour has passed. "
    "Please choose them again."
)


def text_of(error: Exception) -> str:
    """An error as a sentence; one that nobody expected is logged, and told without detail."""
    if isinstance(error, UnfadeError):
        return sentence(error)
    logger.error("an unexpected error on the page", exc_info=error)
    return "Something went wrong on the server. Try again; if it stays, report it with its log."


def status(session: Session) -> dict[str, Any]:
    """What progress.js shows.

    Returns:
        "busy", whether something runs; "text"; "alert", what did not work; "share", 0..1 or None
        where the text needs no bar; "ready", whether the text is about the red marks.
    """
    failed = " ".join(session.failed)
    if session.busy:
        text, share = _running(session)
        return {"busy": True, "text": text, "alert": failed, "share": share, "ready": False}
    photo = session.photo
    ready = not session.told and not failed and photo is not None and photo.searched
    text = READY if ready else session.told
    return {"busy": False, "text": text, "alert": failed, "share": None, "ready": ready}


def lost() -> dict[str, Any]:
    """The status of a page whose photos the server does not have."""
    return {"busy": False, "text": "", "alert": GONE, "share": None, "ready": False}


def _running(session: Session) -> tuple[str, float]:
    """What runs, and the share of it that is done."""
    every = list(session.jobs)
    jobs = [job for job in every if not job.stops]
    if every and not jobs:
        return "Stopping", every[0].share
    mends = next((job for job in jobs if job.kind == "mend"), None)
    looks = next((job for job in jobs if job.kind == "look"), None)
    if mends is not None and mends.stage != AFTER:
        return _told(mends), mends.share
    if looks is not None:
        then = "" if mends is None else ". Then your photo is restored"
        return _told(looks) + then, looks.share
    return "Reading your photos", 0.0


def _told(job: Job) -> str:
    """What a job does, with its share, and how long it still takes where that is known."""
    if job.before:
        come = "one other piece of work comes" if job.before == 1 else (
            f"{job.before} other pieces of work come"
        )  # fmt: skip
        return f"Waiting{job.name}: {come} first"
    text = f"Looking for damage{job.name}"
    if job.kind == "look" and job.stage in ("start", "read"):
        return f"{text}: {STAGES['read']}"
    if job.kind == "mend":
        step = 1 if job.stage in _FIRST else 3 if job.stage in _LATER else 2
        text = f"Step {step} of {_LAST}{job.name}, {STAGES.get(job.stage, job.stage)}"
    left_s = job.left_s()
    left = "" if left_s is None else f", {duration(left_s)} left"
    return f"{text}: {100 * job.share:.0f} %{left}"


def duration(seconds: float) -> str:
    """As one says it: a few seconds, about 40 seconds, about 3 minutes."""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"about {10 * math.ceil(seconds / 10)} seconds"
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} minute{'' if minutes == 1 else 's'}"
