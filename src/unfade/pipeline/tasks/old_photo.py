"""Restores an old photo: fills the damage, cleans the photo, corrects its tone.

The first stage does all of it. If the damage is heavy, or the options ask for it, the diffusion
model then works on the first stage's result.
"""

from __future__ import annotations

import logging

from unfade.imaging import Photo
from unfade.masks import Mask
from unfade.pipeline.colour import to_lab, with_chroma
from unfade.pipeline.image_source import PhotoSource
from unfade.pipeline.request import Request
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import steps
from unfade.timing import Progress, StageTimer, part

logger = logging.getLogger(__name__)


def restore(request: Request, stages: Stages, timer: StageTimer) -> list[Photo]:
    """The variants of an old photo."""
    options = request.options
    if not request.diffuses:
        with timer.stage("mend", steps.REPAIR, 1.0) as progress:
            image = steps.first_stage(
                request, stages, only_damage=options.only_damage, progress=progress
            )
        return [image]
    with timer.stage("load", steps.REPAIR, steps.REPAIR):
        stages.diffusion.load()
    repaired = steps.repaired_photo(request, stages, timer)
    hole = steps.hole_of(request)
    stages.diffusion.check_prompts(options)
    if options.within_damage and hole is None:
        logger.warning(
            "no damage was found, so the generative model has nothing to redraw; "
            "reach='all' has it redraw the whole photo"
        )
        return [request.photo if options.only_damage else repaired]
    with timer.stage("diffuse", steps.DIFFUSE, 1.0) as progress:
        return [
            _diffused(request, stages, repaired, hole, i, part(progress, i, options.variants))
            for i in range(options.variants)
        ]


def _diffused(
    request: Request, stages: Stages, repaired: Photo, hole: Mask | None, variant: int,
    progress: Progress,
) -> Photo:  # fmt: skip
    """One variant. In the damage, the diffusion model's result keeps the first stage's chroma.

    A monochrome photo stays monochrome.

    Args:
        repaired: the result of the first stage.
        hole: (H, W), 255 where the model shall fill.
    """
    options = request.options
    base: Photo | None = None  # the pixels outside the damage, where the model's are not taken
    if options.only_damage:
        base = request.photo
    elif options.within_damage:
        base = repaired
    out = (base or request.photo).blank()
    source, cols = PhotoSource(repaired, hole), slice(0, repaired.width)
    for rows, band in steps.diffused_bands(
        request, stages, source, variant, progress, colour_fix="wavelet"
    ):
        if options.within_damage:
            band = with_chroma(to_lab(source.read(rows, cols))[:, 1:], band)
        steps.put_band(out, request, rows, band, base)
    return out
