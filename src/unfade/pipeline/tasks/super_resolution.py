"""Enlarges a photo: passes of 4 and 2 by a network, with or without diffusion."""

from __future__ import annotations

from collections.abc import Callable

from unfade.imaging import Photo
from unfade.options import SCALE
from unfade.pipeline.enlarge import (
    EnlargedSource,
    check_size,
    passes,
    shrunk,
    with_print_size,
)
from unfade.pipeline.image_source import ImageSource, PhotoSource
from unfade.pipeline.request import Request
from unfade.pipeline.settings import ColourFix
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import steps
from unfade.timing import Progress, StageTimer, ignore, part


def restore(request: Request, stages: Stages, timer: StageTimer) -> list[Photo]:
    """The variants of an enlarged photo."""
    options = request.options
    scale = SCALE if options.scale is None else float(options.scale)
    if not request.diffuses:
        with timer.stage("enlarge", 0.1, 1.0) as progress:
            check_size(request.photo, scale, options.max_pixels)
            upscaler = stages.upscaler
            assert upscaler is not None, "`DiffusionStage.require` has seen that it is there"
            fidelity = 1.0 if options.fidelity == "auto" else options.fidelity
            return [upscaler.enlarge(request.photo, scale, fidelity=fidelity, progress=progress)]
    check_size(request.photo, scale, options.max_pixels)
    return steps.diffused_variants(
        request, stages, timer,
        lambda i, progress: enlarged(
            request, stages, i, progress,
            source=lambda photo, factor: _source(stages, photo, factor), colour_fix="wavelet",
        ),
    )  # fmt: skip


def enlarged(
    request: Request, stages: Stages, variant: int, progress: Progress, *,
    source: Callable[[Photo, int], ImageSource], colour_fix: ColourFix,
) -> Photo:  # fmt: skip
    """One variant: enlarged in passes of 4 and 2, then reduced to the scale.

    Args:
        source: photo and factor -> the source of the diffusion model.
    """
    options, photo = request.options, request.photo
    scale = SCALE if options.scale is None else float(options.scale)
    large, factors = photo, passes(scale)
    for i, factor in enumerate(factors):
        condition = source(large, factor)
        large = large.blank(size=(condition.height, condition.width))
        for rows, band in steps.diffused_bands(
            request,
            stages,
            condition,
            variant,
            part(progress, i, len(factors)),
            colour_fix=colour_fix,
        ):
            large.put_srgb(rows, slice(0, condition.width), steps.pixels(band))
    size = (round(scale * photo.height), round(scale * photo.width))
    return with_print_size(shrunk(large, size), scale)


def _source(stages: Stages, photo: Photo, factor: int) -> ImageSource:
    """The source of the diffusion model: the photo enlarged by the network, or bicubically."""
    if stages.upscaler is None:
        return EnlargedSource(photo, factor)
    return PhotoSource(stages.upscaler.enlarge_once(photo, factor, progress=ignore))
