"""Runs the method as published (IIDE, arXiv 2505.18674, III and IV-A): the diffusion model alone.

The condition is the photo itself, and for old photos the mask. There is no first stage, no
correction of tone and no colour fix.
"""

from __future__ import annotations

from unfade.imaging import Photo
from unfade.options import SCALE
from unfade.pipeline.enlarge import EnlargedSource, check_size
from unfade.pipeline.image_source import ImageSource, LumaSource, PhotoSource
from unfade.pipeline.request import Request
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import steps, super_resolution
from unfade.timing import Progress, StageTimer


def restore(request: Request, stages: Stages, timer: StageTimer) -> list[Photo]:
    """The variants of a photo."""
    options = request.options
    if options.task == "super-resolution":
        scale = SCALE if options.scale is None else float(options.scale)
        check_size(request.photo, scale, options.max_pixels)
    return steps.diffused_variants(
        request, stages, timer, lambda i, progress: _variant(request, stages, i, progress)
    )


def _variant(request: Request, stages: Stages, variant: int, progress: Progress) -> Photo:
    """One variant. A gray photo comes out in colour: a prompt may have given it some."""
    task, photo = request.options.task, request.photo
    if task == "super-resolution":
        return super_resolution.enlarged(
            request, stages, variant, progress, source=EnlargedSource, colour_fix="none"
        )
    source: ImageSource = PhotoSource(photo, steps.hole_of(request))
    if task == "colorize":
        source = LumaSource(photo)
    out = photo.blank(gray=False)
    for rows, band in steps.diffused_bands(
        request, stages, source, variant, progress, colour_fix="none"
    ):
        steps.put_band(out, request, rows, band, None)
    return out
