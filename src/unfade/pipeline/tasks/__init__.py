"""One module for each task, with the steps from a request to the restored photos."""

from __future__ import annotations

import logging
from collections.abc import Callable

from unfade.imaging import Photo
from unfade.masks import LARGE, harden, large_share
from unfade.options import Task
from unfade.pipeline.request import Request
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import colorize, old_photo, paper, super_resolution
from unfade.timing import StageTimer

logger = logging.getLogger(__name__)

_TASKS: dict[Task, Callable[[Request, Stages, StageTimer], list[Photo]]] = {
    "old-photo": old_photo.restore,
    "super-resolution": super_resolution.restore,
    "colorize": colorize.restore,
}


def restore(request: Request, stages: Stages, timer: StageTimer) -> list[Photo]:
    """The variants that a request asks for; one, where nothing in them is left to chance.

    Raises:
        InputError: the result would be larger than the options allow.
        WeightsError: a network that is needed is missing or damaged.
    """
    if not request.diffuses and not request.refreshes:
        stages.diffusion.warn_unused(request.options)
    if request.mask is not None and not request.options.paper:
        large = large_share(harden(request.mask, request.threshold))
        if large >= LARGE:
            logger.warning(
                "large areas are filled smoothly, without detail: %.0f %% of the photo; check them",
                100 * large,
            )
    if request.options.paper:
        return paper.restore(request, stages, timer)
    return _TASKS[request.options.task](request, stages, timer)
