"""Colourises a gray photo: keeps its luminance, and takes the chroma from a network.

The network is the first stage for colours or, where the options or the preset give it a strength,
the diffusion model. A photo that has colours keeps its hues: unless they are to be replaced, fading
and cast are corrected as of an old photo, and damage is mended only where that is asked for.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unfade.imaging import Photo
from unfade.imaging.photo import resize
from unfade.masks import Mask
from unfade.pipeline.chroma import ChromaMap
from unfade.pipeline.colour import to_lab, with_chroma
from unfade.pipeline.enlarge import shrunk
from unfade.pipeline.image_source import LumaSource, PhotoSource
from unfade.pipeline.request import Request
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import steps
from unfade.pipeline.tiling import bands
from unfade.timing import Progress, StageTimer, ignore, part

#: Short side of the copy that a small model colours, pixels: it learnt colours on such scenes.
COLOUR_SIDE = 144
_ROWS = 256


def restore(request: Request, stages: Stages, timer: StageTimer) -> list[Photo]:
    """The variants of a coloured photo. Its damage is repaired, and its tone corrected, before."""
    options = request.options
    if request.refreshes:
        return [_refreshed(request, stages, timer)]
    if request.diffuses:
        with timer.stage("load", steps.REPAIR, steps.REPAIR):
            stages.diffusion.load()
    hole = steps.hole_of(request)
    luminance = request.photo
    if hole is not None or request.corrects_tone:
        luminance = steps.repaired_photo(request, stages, timer)
    variants: list[Photo] = []
    if not request.diffuses:
        with timer.stage("colour", steps.DIFFUSE, 1.0) as progress:
            for i in range(options.variants):
                share = part(progress, i, options.variants)
                chroma = _first_stage_chroma(request, stages, luminance, i)
                variants.append(_coloured(request, luminance, chroma, share))
        return variants
    stages.diffusion.check_prompts(options)
    with timer.stage("diffuse", steps.DIFFUSE, 1.0) as progress:
        for i in range(options.variants):
            share = part(progress, i, options.variants)
            chroma = _diffused_chroma(request, stages, luminance, hole, i, share)
            variants.append(_coloured(request, luminance, chroma))
    return variants


def _refreshed(request: Request, stages: Stages, timer: StageTimer) -> Photo:
    """A photo with its own colours: mended by the first stage, its fading and cast corrected."""
    options = request.options
    with timer.stage("mend", steps.REPAIR, 1.0) as progress:
        photo = steps.first_stage(
            request, stages, only_damage=options.only_damage, progress=progress
        )
    if options.saturation == 1 or options.only_damage:
        return photo
    source, cols = PhotoSource(photo), slice(0, photo.width)
    out = photo.blank()
    for rows in bands(photo.height, _ROWS):
        band = source.read(rows, cols)  # (1, 3, n, W)
        chroma = options.saturation * to_lab(band)[:, 1:]  # (1, 2, n, W)
        out.put_srgb(rows, cols, steps.pixels(with_chroma(chroma, band)))
    return out


def _coloured(
    request: Request, luminance: Photo, chroma: ChromaMap, progress: Progress = ignore
) -> Photo:
    """A photo with the luminance of another and the chroma of a map; the base outside the damage
    where only that is to change.
    """
    base = request.photo if request.options.only_damage else None
    out, source = request.photo.blank(gray=False), PhotoSource(luminance)
    for rows in bands(luminance.height, _ROWS):
        light = source.read(rows, slice(0, luminance.width))  # (1, 3, n, W)
        band = with_chroma(chroma.rows(light, rows, luminance.height), light)
        steps.put_band(out, request, rows, band, base)
        progress(rows.stop / luminance.height)
    return out


def _first_stage_chroma(
    request: Request, stages: Stages, luminance: Photo, variant: int
) -> ChromaMap:
    """The chroma that the first stage for colours predicts, given prompt and painted regions."""
    colouriser = stages.colouriser
    assert colouriser is not None, "a request without it is refused before"
    colouriser.warn_of_lost_words(request.options.prompt)
    return colouriser.chroma_map(
        luminance, request.options.prompt, request.region_colours, request.colour_settings,
        variant=variant,
    )  # fmt: skip


def _diffused_chroma(
    request: Request, stages: Stages, luminance: Photo, hole: Mask | None, variant: int,
    progress: Progress,
) -> ChromaMap:  # fmt: skip
    """The chroma that the diffusion model predicts, the mean of several draws.

    The model gets a small copy, since colours depend on the whole photo and not on a tile. The mean
    of several draws has a smaller error than each of them; variants use different draws.

    Args:
        luminance: the photo whose luminance is kept.
        hole: (H, W), 255 where the model shall fill.
    """
    assert request.sampling is not None, "a request that diffuses has sampling parameters"
    side = stages.diffusion.load().side
    small, draws = _small_copy(luminance, hole, side), request.sampling.draws
    chroma = [
        _chroma(request, stages, small, variant * draws + i, part(progress, i, draws))
        for i in range(draws)
    ]
    mean = request.sampling.saturation * torch.stack(chroma).mean(0)  # (2, h, w)
    untiled = small.read(slice(0, small.height), slice(0, small.width))
    return ChromaMap(mean, to_lab(untiled)[0, 0])


def _chroma(
    request: Request, stages: Stages, small: LumaSource, noise: int, progress: Progress
) -> Tensor:
    """Lab's a and b of one draw, (2, h, w)."""
    bands = steps.diffused_bands(
        request, stages, small, noise, progress, colour_fix="none", untiled=True
    )
    return torch.cat([to_lab(band) for _, band in bands], 2)[0, 1:]


def _small_copy(photo: Photo, hole: Mask | None, side: int) -> LumaSource:
    """A photo to be coloured and its hole, of the size that the model knows, or smaller.

    Args:
        side: of the pictures that the model was made for. From `steps.TILE` on the copy has as
            many pixels as they; for a smaller model its short side is `COLOUR_SIDE`.
    """
    if side < steps.TILE:
        factor = min(1.0, COLOUR_SIDE / min(photo.height, photo.width))
    else:
        factor = min(1.0, side / math.sqrt(photo.height * photo.width))
    size = (max(1, round(factor * photo.height)), max(1, round(factor * photo.width)))
    if hole is not None:
        hole = resize(hole, size)
    return LumaSource(shrunk(photo, size), hole)
