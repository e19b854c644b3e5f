"""Steps that several tasks share: first stage, diffusion, compositing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unfade.imaging import Photo
from unfade.masks import Mask
from unfade.options import GUIDANCE
from unfade.pipeline.composite import put_blended
from unfade.pipeline.holes import hole_map, weight_rows
from unfade.pipeline.image_source import ImageSource
from unfade.pipeline.request import Request
from unfade.pipeline.settings import ColourFix, DiffusionSettings
from unfade.pipeline.stages import Stages
from unfade.timing import Progress, StageTimer, part

#: The least side of a tile that the diffusion model is given, pixels, where the options allow it.
TILE = 512
_OVERLAP = 64
#: Shares of all work at which the stages begin: first stage, diffusion.
REPAIR, DIFFUSE = 0.3, 0.37

Band = tuple[slice, Tensor]  # rows, and (1, 3, h, W) in [0, 1]


def hole_of(request: Request) -> Mask | None:
    """The hole that the damage leaves, (H, W): 255 in it; None where there is no damage."""
    mask = request.mask
    if mask is None or not bool((mask >= request.threshold * 255).any()):
        return None
    return hole_map(mask, request.threshold)


def first_stage(
    request: Request, stages: Stages, *, only_damage: bool, progress: Progress
) -> Photo:
    """The photo with its damage filled, cleaned, and with its tone corrected where it is to be.

    Args:
        only_damage: keep every pixel outside the damage. For the diffusion model the photo is
            always repaired as a whole.
    """
    return stages.first_stage.restore(
        request.photo, request.mask, only_damage=only_damage,
        tone="auto" if request.corrects_tone else "keep", tile=request.options.tile,
        threshold=request.threshold, keep_colours=request.refreshes, progress=progress,
    )  # fmt: skip


def repaired_photo(request: Request, stages: Stages, timer: StageTimer) -> Photo:
    """The whole photo repaired by the first stage, as input of the diffusion model."""
    with timer.stage("mend", REPAIR, DIFFUSE) as progress:
        return first_stage(request, stages, only_damage=False, progress=progress)


def diffused_variants(
    request: Request, stages: Stages, timer: StageTimer, make: Callable[[int, Progress], Photo]
) -> list[Photo]:
    """Loads the diffusion model, checks the prompts, and makes each variant.

    Args:
        make: the number of a variant, from 0, and its progress -> the variant.
    """
    variants = request.options.variants
    with timer.stage("load", REPAIR, REPAIR):
        stages.diffusion.load()
    stages.diffusion.check_prompts(request.options)
    with timer.stage("diffuse", DIFFUSE, 1.0) as progress:
        return [make(i, part(progress, i, variants)) for i in range(variants)]


def diffused_bands(
    request: Request, stages: Stages, source: ImageSource, noise: int, progress: Progress, *,
    colour_fix: ColourFix, untiled: bool = False,
) -> Iterator[Band]:  # fmt: skip
    """Bands of the diffusion model's result for a source, from top to bottom.

    Its tiles are as large as the pictures that it was made for, or TILE where that is more.

    Args:
        noise: the number of the noise, from 0.
        colour_fix: "wavelet" takes over the broad colours of the source: the tone was corrected
            before, or is to be kept.
        untiled: the source is small; tiles are twice as large, so that it is one tile.
    """
    pipeline = stages.diffusion.load()
    side = max(TILE, pipeline.side)
    settings = _settings(request, colour_fix, 2 * side if untiled else side)
    for top, band in pipeline.bands(source, settings, variant=noise, progress=progress):
        yield slice(top, top + band.shape[2]), band


def _settings(request: Request, colour_fix: ColourFix, max_tile: int) -> DiffusionSettings:
    options, sampling = request.options, request.sampling
    assert sampling is not None, "a request that diffuses has sampling parameters"
    tile = min(options.tile, max_tile)
    return DiffusionSettings(
        steps=sampling.steps,
        strength=sampling.strength,
        prompt=options.full_prompt,
        negative_prompt=options.negative_prompt,
        guidance=GUIDANCE if options.guidance is None else options.guidance,
        self_condition=options.self_condition,
        fidelity=sampling.fidelity,
        posterior_mean=sampling.posterior_mean,
        vae_residual=sampling.vae_residual,
        eta=sampling.eta,
        colour_fix=colour_fix,
        seed=options.seed,
        tile=tile,
        overlap=min(_OVERLAP, tile // 2),
    )


def put_band(out: Photo, request: Request, rows: slice, band: Tensor, base: Photo | None) -> None:
    """Stores a band (1, 3, h, W) of a result: all of it or, over a base, only the damage.

    Args:
        base: the pixels outside the damage; None takes all of the band.
    """
    cols = slice(0, request.photo.width)
    if base is None or request.mask is None:
        out.put_srgb(rows, cols, pixels(band))
        return
    weight = weight_rows(request.mask, request.threshold, rows)
    put_blended(out, base, rows, cols, pixels(band), weight)


def pixels(band: Tensor) -> NDArray[np.float32]:
    """(1, 3, h, W) -> (h, W, 3)."""
    return np.ascontiguousarray(band[0].permute(1, 2, 0).numpy())
